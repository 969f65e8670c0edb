/**
 * Real requests know better than a probe. So many of them that did well outweigh a probe that fails: the probe is broken. So many that failed outweigh one that passes.
 * Source: the handbook of health, 1.
 */
import type { TrafficCause } from '../types.ts'

/** Fewer say nothing. */
export const requestsMin = 20
/** Of all requests. */
export const failedShareMin = 0.5

/** Of the last interval. */
export interface RecentTraffic {
  readonly requests: number
  readonly failed: number
}

export function trafficSays(probePasses: boolean, { requests, failed }: RecentTraffic): TrafficCause | undefined {
  if (requests < requestsMin) return undefined
  if (probePasses) return failed / requests >= failedShareMin ? 'traffic' : undefined
  return requests - failed >= requestsMin && failed / requests < failedShareMin ? 'probe broken' : undefined
}
