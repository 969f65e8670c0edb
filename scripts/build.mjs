/**
 * Makes dist/ from src/: the compiler alone, incremental, then two things it leaves to us: output whose
 * source is gone is removed, and dist/bin.js becomes executable. Then dist/dashboard/, when its sources have changed.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildDashboard } from './build-dashboard.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const dist = join(root, 'dist')

/** Where the TypeScript compiler is; undefined without development dependencies. */
export function compiler() {
  try {
    return createRequire(import.meta.url).resolve('typescript/bin/tsc')
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
}

/** Compiles, and builds the dashboard; resolves with an exit code. */
export async function build() {
  const tsc = compiler()
  if (tsc === undefined) {
    console.error('cannot build: typescript is not installed; run `npm ci` (with development dependencies) first')
    return 1
  }
  removeOrphans()
  const { status, signal } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
  const bin = join(dist, 'bin.js')
  if (existsSync(bin)) chmodSync(bin, 0o755)
  if (signal !== null) console.error(`build: the compiler was ended by ${signal}`)
  if (status !== 0) return status ?? 1
  return buildDashboard()
}

/** A renamed source leaves its old output behind, which would still be imported, packed and published. */
function removeOrphans() {
  if (!existsSync(dist)) return
  for (const file of readdirSync(dist, { recursive: true })) {
    if (file.startsWith(`dashboard${sep}`)) continue
    const source = file.replace(/(\.d\.ts|\.js)$/, '.ts')
    if (source !== file && !existsSync(join(root, 'src', source))) rmSync(join(dist, file))
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await build()
