/** What becomes of the requests of a service that caches. */
export interface CacheCounts {
  /** Answered from the store, fresh. */
  readonly hit: number
  /** Answered from the store, stale: while it was validated, or in place of a failure. */
  readonly stale: number
  /** Nothing stored suited: asked for. */
  readonly miss: number
  /** Answered from the store after the origin had said that it is right still. */
  readonly revalidated: number
  /** They could not be answered from any store. */
  readonly bypass: number
  /** Of the hits: they waited for what somebody else asked for. */
  readonly collapsed: number
  /** Answers that were stored. */
  readonly stored: number
  /** Answers that were not stored because they had been invalidated meanwhile. */
  readonly fenced: number
}

export type CacheCounters = { -readonly [Name in keyof CacheCounts]: number }

export const newCacheCounts = (): CacheCounters => ({ hit: 0, stale: 0, miss: 0, revalidated: 0, bypass: 0, collapsed: 0, stored: 0, fenced: 0 })

export const addCacheCounts = (sum: CacheCounts | undefined, more: CacheCounts): CacheCounts => {
  const counts = { ...(sum ?? newCacheCounts()) }
  for (const name of Object.keys(counts) as (keyof CacheCounts)[]) counts[name] += more[name]
  return counts
}

/** The stores of a node, as of now. */
export interface CacheStoreStatus {
  /** In the store that all workers share. */
  readonly entries: number
  readonly bytes: number
  readonly maxBytes: number
  /** Taken out for want of room, since the proxy started. */
  readonly evicted: number
  /** In the workers, together. */
  readonly workerEntries: number
  readonly workerBytes: number
  /** Invalidations that not every worker has acknowledged in time: it was cut off, and begins anew. */
  readonly cutOff: number
  /** Times that a worker went on without the shared store, which did not answer in time. */
  readonly unanswered: number
  /** The second tier; undefined: there is none. */
  readonly redis?: { readonly up: boolean; readonly reason: string | undefined } | undefined
}
