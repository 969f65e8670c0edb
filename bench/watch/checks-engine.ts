/** The engine with 1,000 checks, in a process of its own: `checks-engine.ts SECONDS ANSWERING-PORT SILENT-PORT…`. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Checks, definitionOf, MachineView } from '../../src/health/index.ts'
import { days, ms, seconds } from '../../src/kernel/time.ts'
import { newId, systemClock, systemRandom } from '../../src/kernel/system.ts'
import type { CheckConfig, CheckSpec } from '../../src/config/types.ts'
import type { ChecksReport } from './checks.ts'

const [measured = 0, answering = 0, ...silent] = process.argv.slice(2).map(Number)
const host = '127.0.0.1'
const http = (port: number): CheckSpec => ({
  kind: 'http',
  url: `http://${host}:${port}/`,
  method: 'GET',
  headers: {},
  expect: { statusMin: 200, statusMax: 399, body: undefined, json: { path: 'status', equals: 'ok' } },
  ca: undefined,
  verify: true,
  certificate: { warnAt: days(21), criticalAt: undefined },
})
const machine: readonly CheckSpec[] = [
  { kind: 'memory' },
  { kind: 'cpu' },
  { kind: 'load' },
  { kind: 'disk', path: '/' },
  { kind: 'network', interface: undefined },
]

function specOf(n: number): CheckSpec {
  if (n < 450) return http(answering)
  if (n < 900) return { kind: 'tcp', host, port: answering }
  return n < 950 ? http(silent[n - 900] ?? 0) : (machine[n % machine.length] ?? { kind: 'load' })
}

const config = (n: number): CheckConfig => ({
  name: `check-${n}`,
  spec: specOf(n),
  interval: seconds(10),
  timeout: seconds(2),
  alertAfter: 3,
  rise: 2,
  warnAt: undefined,
  criticalAt: undefined,
  hysteresis: 0.05,
  severity: 'critical',
  service: undefined,
  dependsOn: [],
})

const checks = new Checks({ clock: systemClock, random: systemRandom, events: { emit: () => newId() }, canaries: () => [] })
const deps = { clock: systemClock, machine: new MachineView(systemClock), heartbeats: checks.heartbeats }
checks.apply(Array.from({ length: 1_000 }, (_, n) => definitionOf(config(n), deps)))
await checks.start()
// Code is compiled, and what hangs is known to be down.
await sleep(ms(15_000))
checks.takeCounts()
const before = process.cpuUsage()
const began = performance.now()
await sleep(measured * 1_000)
const { user, system } = process.cpuUsage(before)
const spent = performance.now() - began
const counts = checks.takeCounts()
const report: ChecksReport = { cpuPercent: (user + system) / 10 / spent, ...counts, seconds: spent / 1_000 }
checks.stop()
process.send?.(report, () => {
  process.exit(0)
})
