import type { FarStatus } from './ports.ts'

/** What a cache has done since it was made. A layer that did not answer is an error, never a miss. */
export interface CacheStats {
  /** Asked and given, fresh. */
  readonly hits: number
  /** Given although stale: while a new one was made, or because it could not be. */
  readonly staleHits: number
  /** Not in memory, but in the far layer. */
  readonly remoteHits: number
  readonly misses: number
  /** Hits of all kinds, of all that was asked, in percent; 0 before anything was asked. */
  readonly hitRate: number
  /** Callers who waited for what somebody else was making already. */
  readonly collapsed: number
  readonly factoryCalls: number
  readonly factoryFailures: number
  /** How long factories took, all together. */
  readonly factoryMs: number
  /** Made, but invalidated meanwhile: given to those who waited for it, and not stored. */
  readonly fenced: number
  /** Times that the far layer did not answer, or not in time. */
  readonly remoteErrors: number
  readonly evictions: number
  readonly keys: number
  /** Of the values in memory, as far as their size is counted (`memory.maxBytes`). */
  readonly bytes: number
  /** The layer that processes share; undefined: there is none. */
  readonly far: FarStatus | undefined
}

export class Counters {
  hits = 0
  staleHits = 0
  remoteHits = 0
  misses = 0
  collapsed = 0
  factoryCalls = 0
  factoryFailures = 0
  factoryMs = 0
  fenced = 0
  remoteErrors = 0
  evictions = 0

  stats(keys: number, bytes: number, far: FarStatus | undefined): CacheStats {
    const { hits, staleHits, remoteHits, misses, collapsed, factoryCalls, factoryFailures, factoryMs, fenced, remoteErrors, evictions } = this
    const given = hits + staleHits + remoteHits
    const hitRate = given + misses === 0 ? 0 : Math.round((given / (given + misses)) * 10_000) / 100
    return {
      hits,
      staleHits,
      remoteHits,
      misses,
      hitRate,
      collapsed,
      factoryCalls,
      factoryFailures,
      factoryMs,
      fenced,
      remoteErrors,
      evictions,
      keys,
      bytes,
      far,
    }
  }
}
