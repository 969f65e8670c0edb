/**
 * `npm test`: all there is. The steps run one after the other and a failure does not hide what comes
 * later; vitest on this Node is last, so that its closing lines are the last that is read. The static
 * checks run beside the tests, with what those leave of the processors.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const vitest = 'node_modules/vitest/vitest.mjs'
const node24 = 'node_modules/node24/bin/node'
const isCi = process.env.CI === 'true'
const failed = []

const heading = (name) => `\n── ${name} ${'─'.repeat(Math.max(0, 90 - name.length))}`

function ended(name, passed, started) {
  if (!passed) failed.push(name)
  return `${passed ? 'done' : 'FAILED'}: ${name}, ${((performance.now() - started) / 1000).toFixed(0)} s`
}

/** Resolves to its exit code, undefined when it did not run or was killed. */
function run(command, args, { stdio, onOutput, priority }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio })
    if (priority !== undefined && child.pid !== undefined) setPriority(child.pid, priority)
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', onOutput)
    child.on('error', (error) => {
      console.error(`cannot run ${command}: ${error.message}`)
      resolve(undefined)
    })
    child.on('close', (code) => resolve(code ?? undefined))
  })
}

async function step(name, command, args) {
  console.log(heading(name))
  const started = performance.now()
  const line = ended(name, (await run(command, args, { stdio: 'inherit' })) === 0, started)
  if (args[0] !== vitest) console.log(line)
}

/** As a step, but the next ones do not wait for it: it gives way to them, and says what it has to say in one piece, at its end. */
async function aside(name, command, args) {
  const started = performance.now()
  const said = []
  const stdio = ['ignore', 'pipe', 'pipe']
  const code = await run(command, args, { stdio, onOutput: (part) => said.push(part), priority: constants.priority.PRIORITY_LOW })
  console.log(`${heading(name)}\n${Buffer.concat(said)}${ended(name, code === 0, started)}`)
}

/** What asks most of Node itself: sockets, TLS, HTTP/2, processes, modules. By beginnings of names; the rest of the integration tests runs on one Node only. */
const askingNode = [
  'balancer-failures',
  'balancer-framing',
  'balancer-listeners',
  'balancer-origin-tls',
  'balancer-shared-reads',
  'balancer-tls',
  'http2-abuse',
  'http2-clients',
  'http2-grpc.',
  'http2-origins',
  'http2-websocket',
  'supervisor.',
]

/** Rooms whose unit tests touch Node itself; what decides only, and what reads and writes texts, is the same on both. */
const unitsAskingNode = ['access', 'instance', 'kernel', 'profiling', 'redis', 'store']

/** Node 20 is what many servers run and 24 is what new ones run. All on both would take more than 20 minutes on two cores. */
async function onNode24() {
  if (process.version.startsWith('v24.')) return
  if (existsSync(new URL(`../${node24}`, import.meta.url))) {
    const integration = askingNode.map((name) => `test/integration/${name}`)
    const units = unitsAskingNode.map((name) => `src/${name}/`)
    await step('what asks most of Node, on Node 24', node24, [vitest, 'run', ...units, 'test/conformance/store', ...integration])
    return
  }
  console.log(`\nskipped: tests on Node 24 (${node24} is not installed; it exists for Linux on x64)`)
  if (isCi) failed.push('Node 24 is missing')
}

if (process.execPath.includes('/node_modules/')) {
  console.error(`this is ${process.execPath}, not the Node you installed; run \`npm run prepare\` once, which takes it off the PATH`)
  process.exit(1)
}

await step('real servers', 'bash', ['scripts/test-servers.sh'])
await step('build', process.execPath, ['scripts/build.mjs'])
await step('chaos, short', process.execPath, ['node_modules/tsx/dist/cli.mjs', 'test/chaos/main.ts', '--seconds', '2'])
await step('moves, short', process.execPath, ['node_modules/tsx/dist/cli.mjs', 'test/moves/main.ts'])
// Not beside chaos and moves, which measure.
const checked = aside('static checks', process.execPath, ['scripts/check.mjs', 'types', 'dashboard', 'lint', 'format', 'imports', 'unused'])
await onNode24()
await step(`all tests on Node ${process.versions.node}`, process.execPath, [vitest, 'run'])
await checked

if (failed.length > 0) {
  console.error(`failed: ${failed.join('; ')}`)
  process.exit(1)
}
