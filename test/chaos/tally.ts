/** Counts what a chaos run did to its requests: what clients were told against what the origin executed. */
import { quantileOf } from '../../bench/lib/statistics.ts'
import type { Exchange } from './load.ts'

export interface Tally {
  readonly requests: number
  readonly failedGet: number
  readonly failedPost: number
  /** Of the failed POSTs: answered 502 with a Proxy-Status that names the reason. */
  readonly failedPostExplained: number
  /** Failed with a connection error and not with an answer, GET and POST. */
  readonly cut: number
  /** Failures by what the client saw: `GET 503 (parked queue full)`, `POST ECONNRESET`. */
  readonly failures: Readonly<Record<string, number>>
  /** POSTs that ran more than once. */
  readonly executedTwice: number
  /** POSTs that ran although the client was told that they failed: unavoidable when an instance is killed after the effect. */
  readonly executedButFailed: number
  /** POSTs that the client was told had succeeded and that never ran. */
  readonly acknowledgedNotExecuted: number
  /** Of the answered requests, in milliseconds. */
  readonly p50Ms: number
  readonly p99Ms: number
  /** The longest time without any successful answer. */
  readonly longestGapMs: number
}

/** `executed`: the id of each POST as often as it ran. */
export function tally(exchanges: readonly Exchange[], executed: readonly string[]): Tally {
  const runs = new Map<string, number>()
  for (const id of executed) runs.set(id, (runs.get(id) ?? 0) + 1)
  const succeeded = exchanges.filter(({ outcome }) => outcome.type === 'ok')
  const failed = exchanges.filter(({ outcome }) => outcome.type !== 'ok')
  const failedPosts = failed.filter(({ method }) => method === 'POST')
  const latencies = succeeded.map(({ startedAt, endedAt }) => endedAt - startedAt)
  return {
    requests: exchanges.length,
    failedGet: failed.length - failedPosts.length,
    failedPost: failedPosts.length,
    failedPostExplained: failedPosts.filter(isExplained).length,
    cut: failed.filter(({ outcome }) => outcome.type === 'connection').length,
    failures: countBy(failed, seenAs),
    executedTwice: [...runs.values()].filter((times) => times > 1).length,
    executedButFailed: failedPosts.filter(({ id }) => runs.has(id)).length,
    acknowledgedNotExecuted: succeeded.filter(({ method, id }) => method === 'POST' && !runs.has(id)).length,
    p50Ms: quantileOf(latencies, 0.5),
    p99Ms: quantileOf(latencies, 0.99),
    longestGapMs: longestGap(succeeded.map(({ endedAt }) => endedAt)),
  }
}

/** From SIGKILL until the kernel has closed the sockets of a process: it may first have to get a core. Until then requests still reach it. */
const dyingMs = 20

/** POSTs that were on their way while something died: what a kill may cost at most. */
export function postsInFlightAt(killedAt: readonly number[], exchanges: readonly Exchange[]): number {
  const caught = exchanges.filter(
    ({ method, startedAt, endedAt }) => method === 'POST' && killedAt.some((at) => startedAt <= at + dyingMs && endedAt >= at),
  )
  return caught.length
}

function isExplained({ outcome }: Exchange): boolean {
  return outcome.type === 'status' && outcome.status === 502 && outcome.reason?.includes('error=') === true
}

function seenAs({ method, outcome }: Exchange): string {
  if (outcome.type === 'status') {
    const why = /details="([^"]*)"/.exec(outcome.reason ?? '')?.[1]
    return why === undefined ? `${method} ${outcome.status}` : `${method} ${outcome.status} (${why})`
  }
  return `${method} ${outcome.type === 'connection' ? outcome.code : outcome.type}`
}

function countBy<T>(items: readonly T[], name: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const item of items) counts[name(item)] = (counts[name(item)] ?? 0) + 1
  return counts
}

function longestGap(instants: readonly number[]): number {
  const sorted = instants.toSorted((a, b) => a - b)
  return sorted.reduce((longest, at, i) => (i === 0 ? 0 : Math.max(longest, at - (sorted[i - 1] ?? at))), 0)
}
