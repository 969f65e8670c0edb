/**
 * `npm run check [-- NAME…]`: everything that can be said without a real server, side by side, each
 * with its time; what fails prints its whole output. Without names: all.
 */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The output is collected, not printed by the tool itself, so that it cannot see the terminal. */
const colours = process.stdout.isTTY && process.env.NO_COLOR === undefined ? { FORCE_COLOR: '1' } : { NO_COLOR: '1' }

/** The long ones first, so that the short ones fill the gap at the end. */
const checks = {
  lint: ['eslint', '.', '--max-warnings', '0'],
  unit: ['vitest', 'run', '--project', 'unit'],
  types: ['tsc', '--noEmit', '-p', 'tsconfig.json'],
  dashboard: ['tsc', '--noEmit', '-p', 'dashboard/tsconfig.json'],
  unused: ['knip'],
  format: ['prettier', '--check', '.'],
  imports: ['depcruise', 'src', '--config', '.dependency-cruiser.cjs'],
}

/** Runs one check to its end; resolves to whether it passed. */
function run(name) {
  const [tool, ...args] = checks[name]
  const started = performance.now()
  return new Promise((resolve) => {
    const child = spawn(`node_modules/.bin/${tool}`, args, { cwd: root, env: { ...process.env, ...colours } })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.on('error', (error) => (output += `cannot run ${tool}: ${error.message}; run \`npm ci\` first\n`))
    child.on('close', (code) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1)
      const passed = code === 0
      console.log(`${passed ? 'ok  ' : 'FAIL'}  ${name.padEnd(9)} ${seconds.padStart(5)} s   ${tool} ${args.join(' ')}`)
      if (!passed) console.log(`\n${output.trimEnd()}\n`)
      resolve(passed)
    })
  })
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !(name in checks))
if (unknown.length > 0) {
  console.error(`unknown check ${unknown.join(', ')}; there are ${Object.keys(checks).join(', ')}`)
  process.exit(2)
}

const queue = wanted.length > 0 ? wanted : Object.keys(checks)
const failed = []
const lane = async () => {
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    if (!(await run(name))) failed.push(name)
  }
}
await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, lane))
if (failed.length > 0) {
  console.error(`check failed: ${failed.join(', ')}`)
  process.exit(1)
}
