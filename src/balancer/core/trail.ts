/** The trail of a request: what was decided for it, on what grounds, and how each step ended. Plain data, made by a worker, shown to people. */
import { largestWeight, type Endpoint } from './endpoint.ts'

export const trailSteps = [
  /** How it stands with the rate limit. */
  'limited',
  /** Where its client belongs: the session, the side of a split. */
  'session',
  /** What is stored of it, and what became of its answer there. */
  'cache',
  /** It looks like a request that instances died with. */
  'suspect',
  'picked',
  'parked',
  'queued',
  'released',
  'sent',
  /** Sent to a second endpoint while the first has not answered. */
  'hedged',
  /** That one is the attempt from here on: it has answered, or the first has failed. */
  'won',
  'failed',
  /** How the process ended that it was sent to. */
  'heard',
  /** An answer that another endpoint is asked in place of. */
  'retried',
  /** The rest of a cut answer is asked for. */
  'resumed',
  'mirrored',
  'fallback',
  /** The balancer answers in place of the service. */
  'refused',
  'answered',
  'ended',
] as const

export interface TrailStep {
  /** Milliseconds since the head of the request. */
  readonly at: number
  readonly step: (typeof trailSteps)[number]
  readonly endpoint?: string | undefined
  readonly note?: string | undefined
  readonly candidates?: readonly Candidate[] | undefined
}

/** An endpoint as it stood when one was chosen. */
export interface Candidate {
  readonly endpoint: string
  /** 0 to 100. */
  readonly weight: number
  /** Why its weight is not 100, though it could be chosen. */
  readonly less?: string | undefined
  readonly active: number
  /** Mean time to the first byte; undefined: none yet. */
  readonly responseMs?: number | undefined
  /** Why it could not be chosen; undefined: it could. */
  readonly skipped?: string | undefined
}

export const trailReasons = ['asked', 'sampled', 'parked', 'retried', 'failed', 'slow'] as const
export type TrailReason = (typeof trailReasons)[number]

export interface RequestTrail {
  readonly id: string
  /** Of the worker. */
  readonly pid: number
  /** Wall time of the head, in milliseconds. */
  readonly startedAt: number
  readonly client: string
  readonly method: string
  /** Values of masked parameters as `***`. */
  readonly target: string
  readonly service?: string | undefined
  readonly route?: string | undefined
  readonly algorithm?: string | undefined
  /** 0: cut, or left by the client. */
  readonly status: number
  readonly durationMs: number
  readonly tries: number
  /** Why it was kept. */
  readonly reasons: readonly TrailReason[]
  readonly traceId?: string | undefined
  readonly steps: readonly TrailStep[]
}

/** Endpoints listed with one choice; of more, the first. */
export const candidatesMax = 32
/** Steps of one trail; the last is always kept. */
export const stepsMax = 64

/** Milliseconds with two digits. */
export const rounded = (ms: number): number => Math.round(ms * 100) / 100

/** The request for which one is chosen, or for which none can be. */
export interface ChoiceFacts {
  readonly now: number
  readonly tried?: readonly Endpoint[] | undefined
  /** It cannot be tried again. */
  readonly onlyOnce?: boolean | undefined
  /** Who was chosen, whatever speaks against it. */
  readonly chosen?: Endpoint | undefined
  /** Why an endpoint is not for this client. */
  readonly leftOut?: ((endpoint: Endpoint) => string | undefined) | undefined
}

/** Every endpoint of the service as the choice found it. */
export function describeCandidates(endpoints: readonly Endpoint[], choice: ChoiceFacts): readonly Candidate[] {
  const { now, onlyOnce, chosen } = choice
  const largest = largestWeight(endpoints)
  const spares = onlyOnce === true && chosen?.isDoubtful(now) === false
  return endpoints.slice(0, candidatesMax).map((endpoint) => {
    const { weight, reasons } = endpoint.explainWeight(now, largest)
    const out = reasons.filter(({ value }) => value === 0).map(({ why }) => why)
    if (endpoint.full) out.push(`full: ${endpoint.active} requests are under way, as many as this worker may have there`)
    if (out.length === 0 && spares && endpoint.isDoubtful(now)) out.push('it has just failed others, and this request cannot be tried again')
    const skipped = endpoint === chosen ? undefined : (whyNotForIt(endpoint, choice) ?? (out.length > 0 ? out.join('; ') : undefined))
    return {
      endpoint: endpoint.id,
      weight,
      less: skipped === undefined && reasons.length > 0 ? reasons.map(({ why }) => why).join('; ') : undefined,
      active: endpoint.active,
      responseMs: endpoint.ewmaMs > 0 ? rounded(endpoint.ewmaMs) : undefined,
      skipped,
    }
  })
}

const whyNotForIt = (endpoint: Endpoint, { tried, leftOut }: ChoiceFacts): string | undefined =>
  tried?.includes(endpoint) === true ? 'tried before by this request' : leftOut?.(endpoint)
