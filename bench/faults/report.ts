/** One table: a row per fault, for each proxy the share of requests that failed and the 99th percentile of all of them. */
import type { MachineFacts } from '../lib/machine.ts'
import { table } from '../lib/markdown.ts'
import { median } from '../lib/statistics.ts'
import type { Fault, Turn } from './command.ts'

export interface FaultReport {
  readonly machine: MachineFacts
  readonly versions: Readonly<Record<string, string>>
  readonly settings: { readonly seconds: number; readonly rounds: number; readonly rate: number }
  readonly rows: readonly FaultRow[]
  readonly turns: readonly Turn[]
}

export interface FaultRow {
  readonly fault: Fault
  readonly cells: readonly {
    readonly proxy: string
    readonly errorRate: number
    readonly p50Ms: number
    readonly p99Ms: number
    readonly p999Ms: number
  }[]
}

export const subject = 'holdfast'

const titles: Readonly<Record<Fault, string>> = {
  error: 'answers 500',
  stall: 'answers nothing',
  reset: 'resets connections',
  refuse: 'refuses connections',
  slow: 'is 700 ms slower',
}

/** What one run cannot tell apart: the generator's own clock is a millisecond. It is said, and not counted as ours. */
const sameErrorRate = 0.000_5
const sameMs = 2

export function faultRows(turns: readonly Turn[], faults: readonly Fault[], proxies: readonly string[]): readonly FaultRow[] {
  return faults.map((fault) => ({
    fault,
    cells: proxies.map((proxy) => {
      const own = turns.filter((turn) => turn.fault === fault && turn.proxy === proxy)
      return {
        proxy,
        errorRate: own.reduce((sum, { errors }) => sum + errors, 0) / own.reduce((sum, { requests }) => sum + requests, 0),
        p50Ms: median(own.map(({ p50Ms }) => p50Ms)),
        p99Ms: median(own.map(({ p99Ms }) => p99Ms)),
        p999Ms: median(own.map(({ p999Ms }) => p999Ms)),
      }
    }),
  }))
}

/** `lowest`: nobody has fewer errors than we, nor a lower 99th percentile. `even`: somebody has, by less than one run can tell. */
export function verdict({ cells }: FaultRow): string {
  const ours = cells.find(({ proxy }) => proxy === subject)
  const others = cells.filter(({ proxy }) => proxy !== subject)
  if (ours === undefined || others.length === 0) return '–'
  const errors = ours.errorRate - Math.min(...others.map(({ errorRate }) => errorRate))
  const p99 = Math.min(...others.map(({ p99Ms }) => p99Ms))
  const later = ours.p99Ms - p99
  const missed = [...(errors > sameErrorRate ? ['errors'] : []), ...(later > Math.max(sameMs, p99 * 0.1) ? ['p99'] : [])]
  if (missed.length > 0) return `missed: ${missed.join(', ')}`
  return errors <= 0 && later <= 0 ? 'lowest' : 'even'
}

export function toMarkdown({ machine, versions, settings, rows }: FaultReport): string {
  const proxies = Object.keys(versions)
  const head = ['one of three origins', ...proxies.flatMap((proxy) => [`${proxy} errors`, 'p99 ms', 'p99.9 ms']), 'ours lowest']
  const body = rows.map((row) => [
    titles[row.fault],
    ...row.cells.flatMap(({ errorRate, p99Ms, p999Ms }) => [`${(errorRate * 100).toFixed(2)} %`, p99Ms.toFixed(0), p999Ms.toFixed(0)]),
    verdict(row),
  ])
  return [
    `# Faults, ${machine.date.slice(0, 16).replace('T', ' ')} UTC`,
    '',
    `Machine: ${machine.cores} × ${machine.cpu}, ${machine.memoryGib} GiB, Linux ${machine.kernel}, Node ${machine.node}, commit ${machine.commit},`,
    `load before the run ${machine.loadBefore.toFixed(2)}. Versions: ${proxies.map((name) => `${name} ${versions[name] ?? ''}`).join(', ')}.`,
    '',
    `Method: ${settings.rate} requests a second for ${settings.seconds} s, every fifth a POST, timed from when each was due; one of three origins has the fault from 20 % to 80 % of that time. Each turn`,
    `begins with the proxy freshly started and warm; the proxies take turns, ${settings.rounds} rounds. Error: no whole answer 200 within 5 s. Errors of all rounds, medians of`,
    'percentiles, over the whole time. Each proxy has its best configuration for this (`bench/faults/proxies.ts`). "Even": a peer is better by no more than 0.05 % and 10 % or 2 ms.',
    '',
    ...table(head, body),
    '',
  ].join('\n')
}
