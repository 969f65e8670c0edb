/** The trail of a request: what was decided for it, on what grounds, and how each step ended. Plain data, made by a worker, shown to people. */
import { largestWeight, type Endpoint } from './endpoint.ts'

export interface TrailStep {
  /** Milliseconds since the head of the request. */
  readonly at: number
  readonly step: 'picked' | 'parked' | 'released' | 'queued' | 'refused' | 'sent' | 'failed' | 'answered' | 'ended'
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

/** Every endpoint of the service as the choice found it. */
export function describeCandidates(endpoints: readonly Endpoint[], tried: readonly Endpoint[], now: number): readonly Candidate[] {
  const largest = largestWeight(endpoints)
  return endpoints.slice(0, candidatesMax).map((endpoint) => {
    const { weight, reasons } = endpoint.explainWeight(now, largest)
    const out = reasons.filter(({ value }) => value === 0).map(({ why }) => why)
    if (endpoint.full) out.push(`full: ${endpoint.active} requests are under way, as many as this worker may have there`)
    const skipped = tried.includes(endpoint) ? 'tried before by this request' : out.length > 0 ? out.join('; ') : undefined
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
