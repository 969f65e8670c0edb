/** `npm run bench -- faults [--seconds N] [--rounds N] [--rate N] [--faults a,b] [--proxies a,b]` */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { choose, positive, stamp } from '../lib/arguments.ts'
import { interruptSignal } from '../lib/interrupt.ts'
import { machineFacts } from '../lib/machine.ts'
import { Child, freePorts, waitForPort } from '../lib/process.ts'
import { constantRate, type Outcome } from './load.ts'
import { faultyProxies, type FaultyProxy } from './proxies.ts'
import { faultRows, toMarkdown, type FaultReport } from './report.ts'

export const faults = ['error', 'stall', 'reset', 'refuse', 'slow'] as const
export type Fault = (typeof faults)[number]

/** One turn: one proxy, freshly started, through one fault. */
export interface Turn extends Outcome {
  readonly fault: Fault
  readonly proxy: string
  readonly round: number
}

const here = dirname(fileURLToPath(import.meta.url))
const originCount = 3
/** Of the time of a turn: healthy, then the fault, then healthy again. */
const faultFrom = 0.2
const faultTo = 0.8
/** A proxy in service is warm; the same for all. */
const warmUpSeconds = 5

interface Settings {
  readonly seconds: number
  readonly rounds: number
  readonly rate: number
}

export async function benchFaults(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string', default: '10' },
      rounds: { type: 'string', default: '3' },
      rate: { type: 'string', default: '500' },
      faults: { type: 'string' },
      proxies: { type: 'string' },
    },
  })
  const settings: Settings = {
    seconds: positive('seconds', values.seconds),
    rounds: positive('rounds', values.rounds),
    rate: positive('rate', values.rate),
  }
  const chosen = choose('fault', values.faults, faults)
  const names = choose(
    'proxy',
    values.proxies,
    faultyProxies.map(({ name }) => name),
  )
  const proxies = faultyProxies.filter((proxy) => names.includes(proxy.name) && isThere(proxy))
  const machine = machineFacts()
  const turns = await run(proxies, chosen, settings)
  const versions = Object.fromEntries(proxies.map((proxy) => [proxy.name, proxy.version() ?? '']))
  publish({ machine, versions, settings, rows: faultRows(turns, chosen, Object.keys(versions)), turns })
}

function isThere(proxy: FaultyProxy): boolean {
  const found = proxy.version() !== undefined
  if (!found) console.error(`skipped: ${proxy.name} is not installed or not built`)
  return found
}

async function run(proxies: readonly FaultyProxy[], chosen: readonly Fault[], settings: Settings): Promise<readonly Turn[]> {
  const signal = interruptSignal()
  const [control = 0, ...ports] = await freePorts(1 + originCount)
  const origins = Child.start('origins', [process.execPath, join(here, 'origins.mjs'), String(control), ...ports.map(String)])
  const turns: Turn[] = []
  try {
    await waitForPort(control, origins)
    for (let round = 0; round < settings.rounds; round++) {
      for (const fault of chosen) {
        for (const proxy of rotated(proxies, round)) {
          signal.throwIfAborted()
          const outcome = await turn(proxy, fault, settings, control, ports)
          turns.push({ ...outcome, fault, proxy: proxy.name, round })
          const percent = ((outcome.errors * 100) / outcome.requests).toFixed(2)
          console.error(`round ${round + 1} ${fault.padEnd(6)} ${proxy.name.padEnd(9)} ${percent} % errors, p99 ${outcome.p99Ms.toFixed(0)} ms`)
        }
      }
    }
  } finally {
    await origins.stop()
  }
  return turns
}

/** Another one begins every round. */
const rotated = <T>(items: readonly T[], by: number): readonly T[] => [...items.slice(by % items.length), ...items.slice(0, by % items.length)]

async function turn(proxy: FaultyProxy, fault: Fault, { rate, seconds }: Settings, control: number, origins: readonly number[]): Promise<Outcome> {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-faults-'))
  const [port = 0, ...spare] = await freePorts(2)
  const stop = await proxy.start(directory, port, origins, spare)
  try {
    await constantRate(port, rate, warmUpSeconds, () => undefined)
    let state: Fault | 'ok' = 'ok'
    return await constantRate(port, rate, seconds, (now) => {
      const wanted = now >= seconds * 1_000 * faultFrom && now < seconds * 1_000 * faultTo ? fault : 'ok'
      if (wanted !== state) setFault(control, wanted)
      state = wanted
    })
  } finally {
    setFault(control, 'ok')
    await stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Of the first origin. */
function setFault(control: number, fault: Fault | 'ok'): void {
  request({ host: '127.0.0.1', port: control, path: `/0/${fault}`, method: 'POST' }, (response) => response.resume()).end()
}

function publish(report: FaultReport): void {
  const markdown = toMarkdown(report)
  console.log(markdown)
  const results = join(here, '..', 'results')
  mkdirSync(results, { recursive: true })
  const file = join(results, `faults-${stamp(report.machine.date)}`)
  writeFileSync(`${file}.md`, markdown)
  writeFileSync(`${file}.json`, `${JSON.stringify(report, undefined, 1)}\n`)
  console.error(`written: ${file}.md and .json`)
}
