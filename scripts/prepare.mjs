/**
 * Runs after `npm ci` in a clone and before packing: builds dist/. Without development dependencies there
 * is no compiler; that is no failure, since a published package carries its dist/.
 */
import { existsSync } from 'node:fs'
import { build, compiler } from './build.mjs'

if (compiler() !== undefined) {
  process.exitCode = build()
} else if (!existsSync(new URL('../dist/bin.js', import.meta.url))) {
  console.error('holdfast: not built, since typescript is not installed here; `npm ci` (without --omit=dev) builds it')
}
