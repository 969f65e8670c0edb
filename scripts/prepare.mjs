/**
 * Runs after `npm ci` in a clone and before packing: builds dist/. Without development dependencies there
 * is no compiler; that is no failure, since a published package carries its dist/.
 */
import { existsSync, rmSync } from 'node:fs'
import { build, compiler } from './build.mjs'

// The second Node for tests (node_modules/node24) also links itself as node_modules/.bin/node, which npm puts
// first on the PATH: every npm script and every npx would silently run on it instead of the user's own Node.
rmSync(new URL('../node_modules/.bin/node', import.meta.url), { force: true })

if (compiler() !== undefined) {
  process.exitCode = await build()
} else if (!existsSync(new URL('../dist/bin.js', import.meta.url))) {
  console.error('holdfast: not built, since typescript is not installed here; `npm ci` (without --omit=dev) builds it')
}
