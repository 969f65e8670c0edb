/**
 * Whether those who were told had to be: an alert was *true* when the error budget of its service, or of one that needs it, burned around it, or when somebody took it on;
 * everything else is noise. The report names the rules that cry most for nothing, says which `for` would have kept them quiet, and what nobody was told of.
 */
import type { Labels } from '../../../kernel/labels.ts'

/** An alert that was told. */
export interface Page {
  readonly rule: string
  readonly labels: Labels
  readonly at: number
  /** undefined: it still fires. */
  readonly until: number | undefined
  readonly ackedAt: number | undefined
}

/** A minute of a service. */
export interface MinuteCounts {
  readonly at: number
  readonly good: number
  readonly bad: number
}

export interface PrecisionData {
  readonly from: number
  readonly to: number
  readonly pages: readonly Page[]
  /** By service, rising in time. */
  readonly requests: ReadonlyMap<string, readonly MinuteCounts[]>
  readonly objective: (service: string) => number | undefined
  /** Services that need it. */
  readonly dependants: (service: string) => readonly string[]
}

export interface RulePrecision {
  readonly rule: string
  readonly pages: number
  readonly noise: number
  /** Share of its alerts that were true. */
  readonly precision: number
  /** Median, of those that somebody took on. */
  readonly ackMs: number | undefined
  /** With it so many of the noise would not have been told, and none that was true; undefined: there is none. */
  readonly suggestion: { readonly forMs: number; readonly spares: number } | undefined
}

export interface MissedIncident {
  readonly service: string
  readonly from: number
  readonly to: number
  /** Share of the budget of thirty days. */
  readonly spent: number
}

export interface PrecisionReport {
  readonly from: number
  readonly to: number
  readonly pages: number
  /** undefined: nobody was told anything. */
  readonly precision: number | undefined
  /** The noisiest first. */
  readonly rules: readonly RulePrecision[]
  /** At most three, with the most noise first. */
  readonly noisiest: readonly string[]
  readonly missed: readonly MissedIncident[]
}

const minute = 60_000
const marginMs = 10 * minute
/** What is longer than this without a page was missed. */
const firstMs = 10 * minute
const missedShare = 0.02
const budgetMs = 30 * 24 * 60 * minute
/** Minutes of an incident: the budget burns this much faster than it may. */
const incidentBurn = 14.4
const suggestions = [1, 2, 5, 10, 15, 30].map((minutes) => minutes * minute)
const noisiestMax = 3

export function precisionOf(data: PrecisionData): PrecisionReport {
  const labelled = data.pages.map((page) => ({ page, isTrue: wasTrue(page, data) }))
  const names = [...new Set(data.pages.map(({ rule }) => rule))]
  const rules = names
    .map((rule) =>
      ofRule(
        rule,
        labelled.filter(({ page }) => page.rule === rule),
      ),
    )
    .sort((a, b) => b.noise - a.noise || a.precision - b.precision || (a.rule < b.rule ? -1 : 1))
  const trueOnes = labelled.filter(({ isTrue }) => isTrue).length
  return {
    from: data.from,
    to: data.to,
    pages: data.pages.length,
    precision: data.pages.length === 0 ? undefined : trueOnes / data.pages.length,
    rules,
    noisiest: rules
      .filter(({ noise }) => noise > 0)
      .slice(0, noisiestMax)
      .map(({ rule }) => rule),
    missed: [...data.requests].flatMap(([service, counts]) => missedOf(service, counts, data)),
  }
}

interface Labelled {
  readonly page: Page
  readonly isTrue: boolean
}

function wasTrue({ labels: { service }, at, until, ackedAt }: Page, data: PrecisionData): boolean {
  if (ackedAt !== undefined) return true
  if (service === undefined) return false
  return [service, ...data.dependants(service)].some((one) => burned(one, at - marginMs, (until ?? data.to) + marginMs, data))
}

function burned(service: string, from: number, to: number, { requests, objective }: PrecisionData): boolean {
  const promised = objective(service)
  if (promised === undefined || promised >= 1) return false
  let good = 0
  let bad = 0
  for (const one of requests.get(service) ?? []) {
    if (one.at < from || one.at > to) continue
    good += one.good
    bad += one.bad
  }
  return good + bad > 0 && bad / (good + bad) / (1 - promised) > 1
}

function ofRule(rule: string, all: readonly Labelled[]): RulePrecision {
  const noise = all.filter(({ isTrue }) => !isTrue)
  const waits = all.flatMap(({ page: { at, ackedAt } }) => (ackedAt === undefined ? [] : [ackedAt - at])).sort((a, b) => a - b)
  return {
    rule,
    pages: all.length,
    noise: noise.length,
    precision: (all.length - noise.length) / all.length,
    ackMs: waits[waits.length >> 1],
    suggestion: suggestionOf(all),
  }
}

/** The shortest that spares half of the noise, or else the one that spares most. */
function suggestionOf(all: readonly Labelled[]): RulePrecision['suggestion'] {
  const lasted = ({ page: { at, until } }: Labelled): number => (until ?? Infinity) - at
  const noise = all.filter(({ isTrue }) => !isTrue)
  const shortestTrue = all.filter(({ isTrue }) => isTrue).reduce((least, one) => Math.min(least, lasted(one)), Infinity)
  const possible = suggestions
    .filter((forMs) => forMs <= shortestTrue)
    .map((forMs) => ({ forMs, spares: noise.filter((one) => lasted(one) < forMs).length }))
  const best = possible.find(({ spares }) => spares > 0 && spares * 2 >= noise.length) ?? possible.toSorted((a, b) => b.spares - a.spares)[0]
  return best !== undefined && best.spares > 0 ? best : undefined
}

function missedOf(service: string, counts: readonly MinuteCounts[], { pages, objective, to }: PrecisionData): readonly MissedIncident[] {
  const promised = objective(service)
  if (promised === undefined || promised >= 1 || counts.length === 0) return []
  const requests = counts.reduce((sum, { good, bad }) => sum + good + bad, 0)
  const budget = ((1 - promised) * requests * budgetMs) / (counts.length * minute)
  const burning = counts.filter(({ good, bad }) => good + bad > 0 && bad / (good + bad) / (1 - promised) > incidentBurn)
  return runsOf(burning).flatMap((run) => {
    const from = run[0]?.at ?? 0
    const end = (run.at(-1)?.at ?? 0) + minute
    const spent = run.reduce((sum, { bad }) => sum + bad, 0) / budget
    const told = pages.some((page) => page.labels.service === service && page.at <= from + firstMs && (page.until ?? to) >= from)
    return spent > missedShare && !told ? [{ service, from, to: end, spent }] : []
  })
}

/** Minutes with less than ten between them are one incident. */
function runsOf(minutes: readonly MinuteCounts[]): readonly (readonly MinuteCounts[])[] {
  const runs: MinuteCounts[][] = []
  for (const one of minutes) {
    const last = runs.at(-1)
    if (last !== undefined && one.at - (last.at(-1)?.at ?? 0) <= firstMs) last.push(one)
    else runs.push([one])
  }
  return runs
}
