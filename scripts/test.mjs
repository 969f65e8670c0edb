/**
 * `npm test`: all there is. The steps run one after the other and a failure does not hide what comes
 * later; vitest on this Node is last, so that its closing lines are the last that is read.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const vitest = 'node_modules/vitest/vitest.mjs'
const node24 = 'node_modules/node24/bin/node'
const isCi = process.env.CI === 'true'
const failed = []

function step(name, command, args) {
  console.log(`\n── ${name} ${'─'.repeat(Math.max(0, 90 - name.length))}`)
  const started = performance.now()
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (error !== undefined) console.error(`cannot run ${command}: ${error.message}`)
  const passed = status === 0
  if (!passed) failed.push(name)
  if (args[0] !== vitest) console.log(`${passed ? 'done' : 'FAILED'}: ${name}, ${((performance.now() - started) / 1000).toFixed(0)} s`)
  return passed
}

/** What asks most of Node itself: sockets, TLS, HTTP/2, processes, modules. By beginnings of names; the rest of the integration tests runs on one Node only. */
const askingNode = [
  'balancer-failures',
  'balancer-framing',
  'balancer-large-bodies',
  'balancer-listeners',
  'balancer-origin-tls',
  'balancer-shared-reads',
  'balancer-tls',
  'balancer-views',
  'http2-abuse',
  'http2-clients',
  'http2-grpc.',
  'http2-origins',
  'http2-websocket',
  'supervisor.',
]

/** Rooms whose unit tests touch Node itself; what decides only, and what reads and writes texts, is the same on both. */
const unitsAskingNode = ['access', 'api', 'instance', 'kernel', 'profiling', 'redis', 'store', 'supervisor']

/** Node 20 is what many servers run and 24 is what new ones run. All on both would take more than 20 minutes on two cores. */
function onNode24() {
  if (process.version.startsWith('v24.')) return
  if (existsSync(new URL(`../${node24}`, import.meta.url))) {
    const integration = askingNode.map((name) => `test/integration/${name}`)
    const units = unitsAskingNode.map((name) => `src/${name}/`)
    step('what asks most of Node, on Node 24', node24, [vitest, 'run', ...units, 'test/conformance/store', ...integration])
    return
  }
  console.log(`\nskipped: tests on Node 24 (${node24} is not installed; it exists for Linux on x64)`)
  if (isCi) failed.push('Node 24 is missing')
}

if (process.execPath.includes('/node_modules/')) {
  console.error(`this is ${process.execPath}, not the Node you installed; run \`npm run prepare\` once, which takes it off the PATH`)
  process.exit(1)
}

step('real servers', 'bash', ['scripts/test-servers.sh'])
step('build', process.execPath, ['scripts/build.mjs'])
step('static checks', process.execPath, ['scripts/check.mjs', 'types', 'dashboard', 'lint', 'format', 'imports', 'unused'])
step('chaos, short', process.execPath, ['node_modules/tsx/dist/cli.mjs', 'test/chaos/main.ts', '--seconds', '2'])
step('moves, short', process.execPath, ['node_modules/tsx/dist/cli.mjs', 'test/moves/main.ts'])
onNode24()
step(`all tests on Node ${process.versions.node}`, process.execPath, [vitest, 'run'])

if (failed.length > 0) {
  console.error(`failed: ${failed.join('; ')}`)
  process.exit(1)
}
