/** Turns samples into the tables people read: medians over the rounds, and how each stands to HAProxy. */
import type { MachineFacts } from '../lib/machine.ts'
import { table } from '../lib/markdown.ts'
import { median, spread } from '../lib/statistics.ts'
import { idleCase, type BenchCase, type CaseTarget } from './cases.ts'
import type { IdleSample, RunResult, Sample } from './run.ts'

export interface Report {
  readonly machine: MachineFacts
  readonly versions: Readonly<Record<string, string>>
  readonly settings: { readonly rounds: number; readonly seconds: number; readonly connections: number }
  readonly cases: readonly CaseReport[]
  readonly idle: readonly IdleReport[]
  readonly raw: RunResult
}

interface CaseReport {
  readonly case: string
  readonly title: string
  readonly target?: CaseTarget | undefined
  readonly rows: readonly Row[]
}

interface Row {
  readonly proxy: string
  readonly requestsPerSecond: number
  /** Of requestsPerSecond, over the rounds. */
  readonly spread: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly cpuMicrosPerRequest: number
  /** Share of its core the proxy used: below about 0.95 the load or the origin was the limit, and only CPU per request compares. */
  readonly coreBusy: number
  readonly memoryMib: number
  readonly errors: number
}

interface IdleReport {
  readonly proxy: string
  readonly beforeMib: number
  readonly kibPerConnection: number
  readonly opened: number
}

const yardstick = 'haproxy'
const subject = 'holdfast'
/** Above this one-minute load average the run was not alone. */
const quietLoadMax = 0.5

export function makeReport(result: RunResult, cases: readonly BenchCase[], facts: Pick<Report, 'machine' | 'versions' | 'settings'>): Report {
  const proxies = Object.keys(facts.versions)
  return {
    ...facts,
    cases: cases.map(({ name, title, target }) => ({
      case: name,
      title,
      target,
      rows: proxies
        .filter((proxy) => result.samples.some((sample) => sample.proxy === proxy && sample.case === name))
        .map((proxy) =>
          summarize(
            proxy,
            result.samples.filter((sample) => sample.proxy === proxy && sample.case === name),
          ),
        ),
    })),
    idle: result.idle.length === 0 ? [] : proxies.map((proxy) => summarizeIdle(proxy, result.idle)),
    raw: result,
  }
}

function summarize(proxy: string, samples: readonly Sample[]): Row {
  const middle = (of: (sample: Sample) => number): number => median(samples.map(of))
  const rate = (sample: Sample): number => (sample.requests * 1e6) / sample.micros
  return {
    proxy,
    requestsPerSecond: middle(rate),
    spread: spread(samples.map(rate)),
    p50Ms: middle(({ p50 }) => p50 / 1000),
    p99Ms: middle(({ p99 }) => p99 / 1000),
    cpuMicrosPerRequest: middle(({ cpuMicros, requests }) => cpuMicros / requests),
    coreBusy: middle(({ cpuMicros, micros }) => cpuMicros / micros),
    memoryMib: middle(({ memoryKib }) => memoryKib / 1024),
    errors: samples.reduce((sum, { errors }) => sum + errors, 0),
  }
}

function summarizeIdle(proxy: string, all: readonly IdleSample[]): IdleReport {
  const samples = all.filter((sample) => sample.proxy === proxy)
  return {
    proxy,
    beforeMib: median(samples.map(({ beforeKib }) => beforeKib / 1024)),
    kibPerConnection: median(samples.map(({ beforeKib, withKib, opened }) => (withKib - beforeKib) / opened)),
    opened: Math.min(...samples.map(({ opened }) => opened)),
  }
}

export function toMarkdown({ machine, versions, settings, cases, idle }: Report): string {
  return [
    `# Proxy benchmark, ${machine.date.slice(0, 16).replace('T', ' ')} UTC`,
    '',
    `Machine: ${machine.cores} × ${machine.cpu}, ${machine.memoryGib} GiB, Linux ${machine.kernel}, Node ${machine.node}, commit ${machine.commit},`,
    `load before the run ${machine.loadBefore.toFixed(2)}.`,
    ...(machine.loadBefore > quietLoadMax
      ? ['', '**The machine was busy with something else: do not compare throughput and latency of this run.**', '']
      : []),
    `Versions: ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}.`,
    '',
    `Method: every proxy has one worker or thread on core 0; origin (nginx) and load (wrk, ${settings.connections} connections) share core 1. ${settings.rounds} rounds of`,
    `${settings.seconds} s in turn, medians; × is the ratio to HAProxy in this run. Access logs off but in features-on; active health checks on in Holdfast, HAProxy and Caddy (the`,
    'others have none); Holdfast also keeps metrics and adds request ids. CPU is user and system time of all the processes of the proxy; memory is PSS.',
    'Where "core" is below about 95 %, the load or the origin was the limit: compare CPU per request there, not throughput.',
    ...targetSection(cases),
    ...cases.flatMap(caseSection),
    ...idleSection(idle),
    '',
  ].join('\n')
}

function caseSection({ title, rows }: CaseReport): string[] {
  const base = rows.find(({ proxy }) => proxy === yardstick)
  const cells = rows.map((row) => [
    row.proxy,
    row.requestsPerSecond.toFixed(0),
    ratio(row.requestsPerSecond, base?.requestsPerSecond),
    `${(row.spread * 100).toFixed(0)} %`,
    told(row.p50Ms),
    told(row.p99Ms),
    row.cpuMicrosPerRequest.toFixed(1),
    ratio(row.cpuMicrosPerRequest, base?.cpuMicrosPerRequest),
    `${(row.coreBusy * 100).toFixed(0)} %`,
    row.memoryMib.toFixed(0),
    String(row.errors),
  ])
  const head = ['proxy', 'requests/s', '×', 'spread', 'p50 ms', 'p99 ms', 'CPU µs/request', '×', 'core', 'memory MiB', 'errors']
  return ['', `## ${title}`, '', ...table(head, cells)]
}

function idleSection(rows: readonly IdleReport[]): string[] {
  if (rows.length === 0) return []
  const cells = rows.map((row) => [row.proxy, row.beforeMib.toFixed(0), row.kibPerConnection.toFixed(1), String(row.opened)])
  return ['', `## ${idleCase.connections} idle connections`, '', ...table(['proxy', 'memory before MiB', 'KiB per connection', 'opened'], cells)]
}

/** Our figure as a share of the peer's; for CPU less is better, for rates more. */
function figureRatio({ target, rows }: CaseReport): number | undefined {
  const ours = rows.find(({ proxy }) => proxy === subject)
  const peer = rows.find(({ proxy }) => proxy === target?.peer)
  if (target === undefined || ours === undefined || peer === undefined) return undefined
  const cpu = ours.cpuMicrosPerRequest / peer.cpuMicrosPerRequest
  switch (target.figure) {
    case 'cpu':
    case 'cpuPerByte':
      return cpu
    case 'perCpuSecond':
      return 1 / cpu
    case 'rate':
      return ours.requestsPerSecond / peer.requestsPerSecond
  }
}

const figureNames: Readonly<Record<CaseTarget['figure'], string>> = {
  cpu: 'CPU per request',
  cpuPerByte: 'CPU per byte',
  perCpuSecond: 'connections per second of CPU',
  rate: 'messages per second',
}

function targetSection(cases: readonly CaseReport[]): string[] {
  const rows = cases.flatMap((each) => {
    const value = figureRatio(each)
    if (each.target === undefined || value === undefined) return []
    const { figure, peer, limit } = each.target
    const atMost = figure.startsWith('cpu')
    const met = atMost ? value <= limit : value >= limit
    return [[each.title, `${figureNames[figure]} ÷ ${peer}`, `${atMost ? '≤' : '≥'} ${limit.toFixed(2)}`, value.toFixed(2), met ? 'met' : 'missed']]
  })
  return rows.length === 0 ? [] : ['', '## Targets', '', ...table(['case', 'figure', 'target', 'here', 'verdict'], rows)]
}

/** Not every generator tells. */
const told = (ms: number): string => (Number.isNaN(ms) ? '–' : ms.toFixed(2))

const ratio = (value: number, base: number | undefined): string => (base === undefined ? '–' : (value / base).toFixed(2))
