/**
 * What would be told if it went wrong: every fault (`faults.ts`) is imagined for every service, every check and the machine, and the rules are evaluated on what would be
 * measured, by the same runner as the live ones. A cell is red when nothing fires gravely enough in time.
 */
import { labelsKey, type Labels } from '../../../kernel/labels.ts'
import { severities, type Severity } from '../../types.ts'
import type { CountedEvent } from '../expression/inputs.ts'
import type { Rule } from '../rules/rule.ts'
import { RuleRunner } from '../rules/runner.ts'
import { shippedRules } from '../rules/shipped.ts'
import { allRules } from '../rules/rule.ts'
import { faults, imaginedRate, type Fault } from './faults.ts'
import { ImaginedReader, type ImaginedSeries } from './imagined.ts'

export interface CoverageTargets {
  readonly services: readonly string[]
  readonly checks: readonly string[]
}

export interface Fired {
  readonly rule: string
  readonly severity: Severity
  readonly afterMs: number
}

export interface CoverageCell {
  readonly fault: string
  readonly what: string
  /** Name of the service or check; undefined: the machine. */
  readonly target: string | undefined
  readonly severity: Severity
  readonly withinMs: number
  /** In the order in which they fire. */
  readonly fired: readonly Fired[]
  readonly covered: boolean
  /** Rules that are shipped, are not evaluated, and would tell of it. */
  readonly missing: readonly string[]
}

export interface CoverageReport {
  /** Share of the cells that are covered. */
  readonly coverage: number
  readonly cells: readonly CoverageCell[]
}

/** Before a fault, for a while all is well. */
const wellMs = 10 * 60_000
/** When it begins; any round time does. */
const beginning = 1_800_000_000_000

/** In pieces, so that whoever has other things to do can do them in between. */
export function* coverageOf(
  rules: readonly Rule[],
  targets: CoverageTargets,
  objective: (service: string) => number | undefined,
): Generator<undefined, CoverageReport> {
  const running = rules.filter(({ enabled, condition }) => enabled && condition.queries.length === 0)
  const names = new Set(running.map(({ name }) => name))
  const others = allRules([], shippedRules).filter(({ name }) => !names.has(name))
  const cells: CoverageCell[] = []
  for (const fault of faults) {
    for (const target of targetsOf(fault, targets)) {
      yield
      const fired = imagine(fault, target, running, objective)
      const covered = fired.some((one) => isEnough(fault, one))
      const missing = covered
        ? []
        : imagine(fault, target, others, objective)
            .filter((one) => isEnough(fault, one))
            .map(({ rule }) => rule)
      const { name, what, severity, withinMs } = fault
      cells.push({ fault: name, what, target, severity, withinMs, fired, covered, missing: [...new Set(missing)] })
    }
  }
  return { coverage: cells.length === 0 ? 1 : cells.filter(({ covered }) => covered).length / cells.length, cells }
}

const targetsOf = ({ of }: Fault, { services, checks }: CoverageTargets): readonly (string | undefined)[] =>
  of === 'service' ? services : of === 'check' ? checks : [undefined]

const isEnough = (fault: Fault, { severity, afterMs }: Fired): boolean =>
  severities.indexOf(severity) >= severities.indexOf(fault.severity) && afterMs <= fault.withinMs

function imagine(
  fault: Fault,
  target: string | undefined,
  rules: readonly Rule[],
  objective: (service: string) => number | undefined,
): readonly Fired[] {
  const reader = new ImaginedReader(worldOf(fault, target))
  const events = (fault.events ?? []).map(({ type, after, data }): CountedEvent => ({
    at: beginning + after,
    type,
    labels: { ...data, ...labelsOf(fault, target) },
  }))
  const fired: Fired[] = []
  for (const rule of rules) {
    const runner = new RuleRunner(rule)
    // What fires when all is well tells of nothing.
    const before = new Set<string>()
    for (let at = beginning - Math.min(fault.stepMs * 2, wellMs); at <= beginning + fault.withinMs; at += fault.stepMs) {
      reader.now = at
      const inputs = { now: at, since: 0, series: reader, objective, anomalies: () => [], prometheus: () => [] }
      const read = (type: string, from: number, to: number): readonly CountedEvent[] =>
        events.filter((one) => one.type === type && one.at > from && one.at <= to)
      const { puts } = runner.evaluate({ ...inputs, events: read })
      if (at < beginning) for (const { labels } of puts) before.add(labelsKey(labels))
      const put = puts.find(({ labels }) => !before.has(labelsKey(labels)))
      if (put === undefined) continue
      fired.push({ rule: rule.name, severity: (put.labels.severity ?? rule.severity) as Severity, afterMs: at - beginning })
      break
    }
  }
  return fired.sort((a, b) => a.afterMs - b.afterMs)
}

function labelsOf({ of }: Fault, target: string | undefined): Labels {
  if (target === undefined) return {}
  return of === 'check' ? { check: target } : { service: target }
}

/** All is well, but for what the fault changes from its beginning on. */
function worldOf(fault: Fault, target: string | undefined): readonly ImaginedSeries[] {
  const service = fault.of === 'service' ? { service: target ?? '' } : undefined
  const check = fault.of === 'check' ? { check: target ?? '' } : undefined
  const well: readonly (readonly [metric: string, labels: Labels | undefined, value: number])[] = [
    ...(['ready', 'desired'] as const).map((metric) => [metric, service, 2] as const),
    ...(['unavailable', 'maintenance', 'crash_looping', 'error_rate', 'requests_bad', 'restart_rate', 'parked', 'queued', 'shed_rate'] as const).map(
      (metric) => [metric, service, 0] as const,
    ),
    ...(
      [
        ['request_rate', imaginedRate],
        ['requests_good', imaginedRate],
        ['p50', 20],
        ['p95', 100],
        ['p99', 300],
        ['active', 2],
      ] as const
    ).map(([metric, value]) => [metric, service, value] as const),
    ['endpoint_healthy', service && { ...service, endpoint: 'imagined-1' }, 1],
    ...(['instance_cpu', 'instance_memory', 'instance_lag'] as const).map(
      (metric) => [metric, service && { ...service, instance: 'imagined-1' }, 10] as const,
    ),
    ['check_up', check, 1],
    ['check_level', check, 0],
    ['check_latency', check, 10],
    ...(['machine_cpu', 'machine_memory', 'machine_disk'] as const).map((metric) => [metric, {}, 40] as const),
    ['machine_load', {}, 0.5],
    ['proxy_connected', {}, 1],
    ['certificate_days', { listener: 'web', file: 'imagined.crt' }, 80],
  ]
  return well.flatMap(([metric, labels, value]) => {
    const changed = fault.series[metric]
    if (labels === undefined) return []
    return { metric, labels, value: (at: number) => (at < beginning || changed === undefined ? value : changed(at - beginning)) }
  })
}
