/**
 * How fast the error budget of a service is spent: 1 spends it exactly in the time it is promised for. Two windows together, a long one that says it matters and a
 * short one that says it goes on. Source: Google, The Site Reliability Workbook, "Alerting on SLOs" (multiwindow, multi-burn-rate).
 */
import type { Labels } from '../../../kernel/labels.ts'
import { labelsKey } from '../../../kernel/labels.ts'
import type { BurnNode } from './ast.ts'
import type { Element, Inputs } from './inputs.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

export interface BurnPair {
  readonly longMs: number
  readonly shortMs: number
  /** Both windows must burn at least so fast. */
  readonly burn: number
}

/** `fast` wakes somebody, `slow` is for the next working day. */
export const burnPairs: Readonly<Record<'fast' | 'slow', readonly BurnPair[]>> = {
  fast: [
    { longMs: hour, shortMs: 5 * minute, burn: 14.4 },
    { longMs: 6 * hour, shortMs: 30 * minute, burn: 6 },
  ],
  slow: [{ longMs: 3 * day, shortMs: 6 * hour, burn: 1 }],
}
/** With fewer failed requests in the short window a service has too little traffic to say anything. */
export const leastBad = 10

interface Counts {
  readonly labels: Labels
  good: number
  bad: number
}

export function burn({ subject, window }: BurnNode, inputs: Inputs): readonly Element[] {
  if (typeof window === 'number')
    return rates(subject, window, inputs).flatMap(({ labels, rate }) => (rate === undefined ? [] : { labels, value: rate }))
  const fastest = new Map<string, Element>()
  for (const { longMs, shortMs, burn } of burnPairs[window]) {
    const short = rates(subject, shortMs, inputs).filter(({ rate, bad }) => rate !== undefined && rate >= burn && bad >= leastBad)
    if (short.length === 0) continue
    const long = new Map(rates(subject, longMs, inputs).map((one) => [labelsKey(one.labels), one.rate]))
    for (const { labels } of short) {
      const key = labelsKey(labels)
      const value = long.get(key)
      if (value !== undefined && value >= burn && value > (fastest.get(key)?.value ?? 0)) fastest.set(key, { labels, value })
    }
  }
  return [...fastest.values()]
}

function rates(service: string | undefined, windowMs: number, inputs: Inputs): readonly { labels: Labels; rate: number | undefined; bad: number }[] {
  const { series, now } = inputs
  const counts = new Map<string, Counts>()
  for (const side of ['good', 'bad'] as const) {
    const selector = { metric: `requests_${side}`, ...(service !== undefined && { labels: { service } }) }
    for (const { labels, points } of series.range({ ...selector, from: now - windowMs + 1, to: now + 1 })) {
      const key = labelsKey(labels)
      const known = counts.get(key) ?? { labels, good: 0, bad: 0 }
      counts.set(key, known)
      for (const { mean, count } of points) known[side] += mean * count
    }
  }
  return [...counts.values()].map(({ labels, good, bad }) => {
    const promised = inputs.objective(labels.service ?? '')
    const total = good + bad
    return { labels, bad, rate: promised === undefined || promised >= 1 || total === 0 ? undefined : bad / total / (1 - promised) }
  })
}
