/**
 * What a rule would have told, had it been there: the same runner over what was measured. Nothing is refused for it, but whoever saves a rule sees it: how often it would
 * have fired, for how long, whether it flapped, which known incidents it would have caught and which it would have missed, and how often there was nothing to it.
 */
import { labelsKey, type Labels } from '../../../kernel/labels.ts'
import type { Series } from '../../../metrics/types.ts'
import type { CountedEvent } from '../expression/inputs.ts'
import { walk } from '../expression/ast.ts'
import { AnomalyMemory, anomalyRowMs } from '../rules/anomalies.ts'
import type { Rule } from '../rules/rule.ts'
import { RuleRunner } from '../rules/runner.ts'
import { ReplayReader, usualStep } from './replay.ts'

export interface BacktestData {
  readonly series: readonly Series[]
  /** In the order of time. */
  readonly events: readonly CountedEvent[]
  /** Wall time in milliseconds; `to` exclusive. What lies before `from` is only looked back at. */
  readonly from: number
  readonly to: number
  readonly objective: (service: string) => number | undefined
  /** Times in which something was wrong: labelled, or incidents that are known. */
  readonly windows?: readonly TimeWindow[] | undefined
}

export interface TimeWindow {
  readonly from: number
  /** Inclusive. */
  readonly to: number
  readonly name?: string | undefined
}

/** From being told until it was over. */
export interface Episode {
  readonly labels: Labels
  readonly from: number
  /** undefined: it still fires at the end. */
  readonly to: number | undefined
  readonly flapped: boolean
  /** Windows that it lies in. Undefined: none were given. */
  readonly inWindow: boolean | undefined
  /** Whether the budget of its service burned meanwhile; undefined: nobody knows. */
  readonly impact: boolean | undefined
}

export interface BacktestReport {
  readonly evaluations: number
  /** Milliseconds between them. */
  readonly stepMs: number
  readonly from: number
  readonly to: number
  readonly episodes: readonly Episode[]
  /** How many of them; the list is cut at `episodesMax`. */
  readonly fired: number
  readonly firingMs: number
  readonly flapped: number
  readonly withoutImpact: number
  readonly windows: readonly (TimeWindow & { readonly caught: boolean })[]
  /** Episodes outside of all windows. */
  readonly outside: number | undefined
  /** Evaluations that failed, and why the last did. */
  readonly failed: number
  readonly error: string | undefined
}

export const episodesMax = 500
/** More evaluations are spread out. */
export const evaluationsMax = 50_000
/** Around an episode in which the budget is looked at. */
export const impactMarginMs = 10 * 60_000

interface Open {
  readonly labels: Labels
  readonly from: number
  flapped: boolean
}

/** At once. */
export function backtest(rule: Rule, data: BacktestData): BacktestReport {
  const steps = backtesting(rule, data)
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

/** Evaluations between two pauses. */
const pauseEvery = 200

/** In pieces, so that whoever has other things to do can do them in between. */
export function* backtesting(rule: Rule, data: BacktestData): Generator<undefined, BacktestReport> {
  const { from, to } = data
  const times = instants(rule, data)
  const reader = new ReplayReader(data.series)
  const anomalies = new AnomalyMemory()
  const runner = new RuleRunner(rule)
  const open = new Map<string, Open>()
  const episodes: Episode[] = []
  const delay = [...walk(rule.condition.expression)].some(({ kind }) => kind === 'anomaly') ? anomalyRowMs : 0
  let failed = 0
  let error: string | undefined
  const since = data.series.reduce((first, { points }) => Math.min(first, points[0]?.at ?? first), from)
  for (const [index, at] of times.entries()) {
    if (index % pauseEvery === pauseEvery - 1) yield
    const now = at + delay
    reader.moveTo(now)
    try {
      const events = (type: string, after: number, until: number): readonly CountedEvent[] =>
        data.events.filter((one) => one.type === type && one.at > after && one.at <= until)
      const { puts } = runner.evaluate({
        now,
        since,
        series: reader,
        events,
        objective: data.objective,
        anomalies: (node, when, series) => anomalies.anomalies(node, when, series),
        prometheus: () => [],
      })
      if (at < from) continue
      for (const { labels, endsAt = now } of puts) {
        const key = labelsKey(labels)
        const known = open.get(key)
        if (endsAt > now) {
          if (known === undefined) open.set(key, { labels, from: at, flapped: false })
        } else if (known) {
          episodes.push(closed(known, at, data))
          open.delete(key)
        }
      }
      for (const { labels, flapping } of runner.alerts) if (flapping) Object.assign(open.get(labelsKey(labels)) ?? {}, { flapped: true })
    } catch (thrown) {
      failed++
      error = (thrown as Error).message
    }
  }
  for (const one of open.values()) episodes.push(closed(one, undefined, data))
  episodes.sort((a, b) => a.from - b.from)
  const windows = (data.windows ?? []).map((window) => ({ ...window, caught: episodes.some((one) => overlaps(window, one.from, one.to ?? to)) }))
  return {
    evaluations: times.length,
    stepMs: stepOf(times),
    from,
    to,
    episodes: episodes.slice(0, episodesMax),
    fired: episodes.length,
    firingMs: episodes.reduce((sum, one) => sum + ((one.to ?? to) - one.from), 0),
    flapped: episodes.filter(({ flapped }) => flapped).length,
    withoutImpact: episodes.filter(({ impact }) => impact === false).length,
    windows,
    outside: data.windows && episodes.filter(({ inWindow }) => inWindow === false).length,
    failed,
    error,
  }
}

/** As often as the rule is evaluated, and no oftener than there is anything new; from as long before as the rule looks back. */
function instants(rule: Rule, { series, events, from, to }: BacktestData): readonly number[] {
  const step = Math.max(rule.intervalMs, Math.min(...series.map(({ points }) => usualStep(points)), Infinity))
  if (series.length === 1 && step > rule.intervalMs) return (series[0]?.points ?? []).map(({ at }) => at).filter((at) => at < to)
  const begin = series.reduce((first, { points }) => Math.min(first, points[0]?.at ?? first), events[0]?.at ?? from)
  const finite = Number.isFinite(step) ? step : rule.intervalMs
  const spread = Math.max(finite, Math.ceil((to - begin) / evaluationsMax / 1_000) * 1_000)
  const times: number[] = []
  for (let at = Math.ceil(begin / spread) * spread; at < to; at += spread) times.push(at)
  return times
}

const stepOf = (times: readonly number[]): number => (times.length < 2 ? 0 : (times[1] ?? 0) - (times[0] ?? 0))
const overlaps = ({ from, to }: TimeWindow, a: number, b: number): boolean => a <= to && b >= from

function closed({ labels, from, flapped }: Open, to: number | undefined, data: BacktestData): Episode {
  const inWindow = data.windows?.some((window) => window.from <= from && from <= window.to)
  return { labels, from, to, flapped, inWindow, impact: burned(labels.service, from, to ?? data.to, data) }
}

/** Whether the budget of the service was spent too fast around that time; undefined: it has none, or nothing is known of its requests. */
export function burned(
  service: string | undefined,
  from: number,
  to: number,
  { series, objective }: Pick<BacktestData, 'series' | 'objective'>,
): boolean | undefined {
  const promised = service === undefined ? undefined : objective(service)
  if (promised === undefined || promised >= 1) return undefined
  const sum = (metric: string): number =>
    series
      .filter((one) => one.metric === metric && one.labels.service === service)
      .reduce(
        (total, { points }) =>
          total +
          points.reduce(
            (count, { at, mean, count: samples }) => (at >= from - impactMarginMs && at <= to + impactMarginMs ? count + mean * samples : count),
            0,
          ),
        0,
      )
  const [good, bad] = [sum('requests_good'), sum('requests_bad')]
  return good + bad === 0 ? undefined : bad / (good + bad) / (1 - promised) > 1
}
