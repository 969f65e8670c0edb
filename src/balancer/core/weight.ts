/**
 * How much of the traffic an endpoint should get: one number from 0 to 100, and why it is not more. Everything that speaks for or against it
 * is a factor; the factors multiply.
 *
 *   configured share × event loop × heap × probes × errors × slowness × restarts × slow start × (0 when it is out)
 *
 * What makes it 0 is a matter of choosing or not, and lies with the picker; the rest is a share of the requests. Primary and workers compute by
 * the same facts (`Standing`, told by the primary), so all of them see the same number. Pure.
 */
import type { BreakerChange, BreakerState } from '../../resilience/core/breaker.ts'
import { lagShare } from './reported.ts'
import type { EndpointView } from './routing-view.ts'

/** What is known of an endpoint over all workers. */
export interface Standing {
  /** Of its event loop, as it reports itself; 0: it reports nothing, or all is well. */
  readonly lagMs: number
  /** Part of the heap that it may have and uses, as it reports itself. */
  readonly heapShare: number
  /** Probes in a row that failed, of so many that make it unhealthy. */
  readonly failedProbes: number
  readonly probesToFall: number
  /** Share of its requests that failed, of late. */
  readonly errorShare: number
  /** Its median time to the first byte as a multiple of that of the others, where the difference can be felt; otherwise 1. */
  readonly slowness: number
  /** Share of its weight that it has yet to earn back since it was restarted. */
  readonly restartLoss: number
  /** Share of its weight that it asks for itself; undefined: all of it. */
  readonly askedShare?: number | undefined
}

export const wellStanding: Standing = {
  lagMs: 0,
  heapShare: 0,
  failedProbes: 0,
  probesToFall: 1,
  errorShare: 0,
  slowness: 1,
  restartLoss: 0,
}

export type FactorName =
  | 'configured'
  | 'asked'
  | 'eventLoop'
  | 'heap'
  | 'probes'
  | 'errors'
  | 'latency'
  | 'restarts'
  | 'slowStart'
  | 'ejection'
  | 'breaker'
  | 'connect'
  | 'state'

export interface WeightReason {
  readonly factor: FactorName
  /** What the weight is multiplied by; 0: it gets nothing. */
  readonly value: number
  readonly why: string
}

export interface Weight {
  /** 0 to 100. */
  readonly weight: number
  /** Factors other than 1, and what else is worth knowing. */
  readonly reasons: readonly WeightReason[]
}

/** What only one process knows, or is so now. */
export interface WeightFacts {
  readonly view: EndpointView
  /** The largest configured weight of the service: this is 100. */
  readonly largest: number
  readonly standing: Standing
  /** Part of the slow start that is over; 1: all. */
  readonly warm: number
  readonly gone?: string | undefined
  readonly healthy: boolean
  readonly unhealthyWhy?: string | undefined
  /** Why it is out as an outlier. */
  readonly ejected?: string | undefined
  readonly breaker?: BreakerState | undefined
  /** What opened it, and until when. */
  readonly breakerWhy?: string | undefined
  /** Milliseconds that no connection is tried. */
  readonly avoidedMs?: number | undefined
}

/** Enough requests for an endpoint that is well again to show it. */
const shareMin = 0.05
/** A heap fuller than this is collected more and more often. */
const heapFull = 0.85
/** So much slower than the others is within what requests differ by. */
const slownessHarmless = 3

interface Factor {
  readonly factor: FactorName
  share(standing: Standing): number
  why(standing: Standing): string
}

const atLeast = (share: number): number => Math.max(shareMin, share)

const factors: readonly Factor[] = [
  {
    factor: 'asked',
    share: ({ askedShare = 1 }) => askedShare,
    why: ({ askedShare = 1 }) => `it asks for ${percent(askedShare)} of its share`,
  },
  {
    factor: 'eventLoop',
    share: ({ lagMs }) => lagShare(lagMs),
    why: ({ lagMs }) => `its event loop keeps others waiting for ${Math.round(lagMs)} ms`,
  },
  {
    factor: 'heap',
    share: ({ heapShare }) => (heapShare <= heapFull ? 1 : atLeast((1 - heapShare) / (1 - heapFull))),
    why: ({ heapShare }) => `${percent(heapShare)} of its heap is in use`,
  },
  {
    factor: 'probes',
    share: ({ failedProbes, probesToFall }) => (failedProbes === 0 ? 1 : atLeast(1 - failedProbes / probesToFall)),
    why: ({ failedProbes, probesToFall }) => `${failedProbes} of ${probesToFall} probes failed that make it unhealthy`,
  },
  {
    factor: 'errors',
    // Squared: who fails answers fast, and would be chosen for that.
    share: ({ errorShare }) => atLeast((1 - errorShare) ** 2),
    why: ({ errorShare }) => `${percent(errorShare)} of its requests failed of late`,
  },
  {
    factor: 'latency',
    share: ({ slowness }) => (slowness <= slownessHarmless ? 1 : atLeast(slownessHarmless / slowness)),
    why: ({ slowness }) => `it takes ${slowness.toFixed(1)} times as long as the others`,
  },
  {
    factor: 'restarts',
    share: ({ restartLoss }) => atLeast(1 - restartLoss),
    why: () => 'it was restarted of late',
  },
]

/** The part of its weight that an endpoint of this standing keeps. */
export function standingShare(standing: Standing): number {
  let share = 1
  for (const factor of factors) share *= factor.share(standing)
  return share
}

/** The weight with its reasons: for people, not for each request. */
export function weigh(facts: WeightFacts): Weight {
  const reasons = [...reasonsOut(facts), ...reasonsLess(facts)]
  const product = reasons.reduce((rest, { value }) => rest * value, 100)
  return { weight: rounded(product), reasons: reasons.map((reason) => ({ ...reason, value: rounded(reason.value) })) }
}

export const shortSeconds = (ms: number): string => (ms < 950 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.ceil(ms / 1_000)} s`)

/** What opened a breaker, and when it lets a request try again. */
export function whyOpen(
  change: (Pick<BreakerChange, 'calls' | 'failed' | 'slow'> & { readonly reason: string }) | undefined,
  retryAfterMs: number,
): string {
  const again = `tried again in ${shortSeconds(retryAfterMs)}`
  if (change === undefined) return again
  const { reason, calls, failed, slow } = change
  if (reason === 'told') return `another worker saw its requests fail, ${again}`
  if (reason === 'slow') return `${slow} of ${calls} requests were slow, ${again}`
  return `${failed} of ${calls} requests failed${reason === 'trialFailed' ? ' on trial' : ''}, ${again}`
}

/** Why it gets nothing. */
function reasonsOut({ view, gone, healthy, unhealthyWhy, ejected, breaker, breakerWhy, avoidedMs = 0 }: WeightFacts): WeightReason[] {
  const reasons: WeightReason[] = []
  const out = (factor: FactorName, why: string): void => {
    reasons.push({ factor, value: 0, why })
  }
  if (gone !== undefined) out('state', `gone: ${gone}`)
  else if (view.state !== 'active') out('state', view.state === 'draining' ? 'draining' : 'in maintenance')
  if (!healthy) out('probes', `unhealthy${unhealthyWhy === undefined ? '' : `: ${unhealthyWhy}`}`)
  if (ejected !== undefined) out('ejection', `ejected: ${ejected}`)
  if (breaker === 'open') out('breaker', `its circuit breaker is open${breakerWhy === undefined ? '' : `: ${breakerWhy}`}`)
  else if (breaker === 'forcedOpen') out('breaker', 'its circuit breaker is held open by hand')
  else if (breaker === 'halfOpen') reasons.push({ factor: 'breaker', value: 1, why: 'its circuit breaker lets requests through on trial' })
  if (avoidedMs > 0) out('connect', `avoided for ${Math.ceil(avoidedMs)} ms after failed connections`)
  return reasons
}

/** Why it gets less. */
function reasonsLess({ view, largest, standing, warm }: WeightFacts): WeightReason[] {
  const reasons: WeightReason[] = []
  if (view.weight < largest) {
    const why = `its configured weight is ${view.weight}, the largest ${largest}`
    reasons.push({ factor: 'configured', value: view.weight / largest, why })
  }
  for (const factor of factors) {
    const value = factor.share(standing)
    if (value < 1) reasons.push({ factor: factor.factor, value, why: factor.why(standing) })
  }
  if (warm < 1) reasons.push({ factor: 'slowStart', value: warm, why: 'it joined a moment ago and gains its share slowly' })
  return reasons
}

/** The least part of its weight that slow start leaves (Envoy's `min_weight_percent`). */
const warmMin = 0.1

/** Slow start: linear over its window. */
export function warmShare(ageMs: number, windowMs: number): number {
  return ageMs >= windowMs ? 1 : Math.max(warmMin, ageMs / windowMs)
}

export const percent = (share: number): string => `${Math.round(share * 100)} %`
const rounded = (value: number): number => Math.round(value * 100) / 100

/** What the others may get at most, as a multiple of an equal share, while some are in their slow start. */
const warmBurdenMax = 1.5

/**
 * The least share of those in slow start, `warming` of `all`: when many are new at a time, as after a rolling restart, the few old ones must not carry
 * what all of them did.
 */
export const warmLeast = (all: number, warming: number): number => (warming === 0 ? 0 : Math.max(0, 1 - (all * (1 - 1 / warmBurdenMax)) / warming))
