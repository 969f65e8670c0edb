/** What the cache needs of a far layer that processes share. None of it ever rejects or hangs: a layer that does not answer is `unknown`. */
import type { BreakerState } from '../resilience/core/breaker.ts'

export interface FarEntry {
  readonly value: unknown
  /** Until it is stale, from now on; 0 or less: it is. */
  readonly softInMs: number
  /** Until it is useless. */
  readonly hardInMs: number
  readonly madeInMs: number
  readonly tags: readonly string[]
  /** The logical time at which its making began. */
  readonly mark: number
}

export type FarReading =
  /** `mark`: what begins now carries this. */
  | { readonly kind: 'hit'; readonly entry: FarEntry; readonly mark: number }
  | { readonly kind: 'miss'; readonly mark: number }
  | { readonly kind: 'unknown' }

/** The right to make a value that others wait for. */
export interface Lease {
  release(): void
}

export interface FarListener {
  /** Their values have changed or are gone. */
  keysChanged(keys: readonly string[], at: number): void
  tagsInvalidated(tags: readonly string[], at: number): void
  allInvalidated(at: number): void
  /** Changes may have been missed: nothing that was kept before now is to be trusted. */
  missed(): void
  /** It is no longer up: changes may go unheard from now on. */
  deaf?(): void
}

/** How it does, for those who watch. */
export interface FarStatus {
  readonly up: boolean
  readonly breaker: BreakerState
  /** How long the last beat took from here to here over the bus. */
  readonly lagMs: number
  /** Times that messages were lost, or nothing was heard. */
  readonly gaps: number
}

export interface Far {
  readonly status?: FarStatus
  /** It answers, and changes are heard of. */
  readonly up: boolean
  listen(listener: FarListener): void
  read(key: string): Promise<FarReading>
  /** Stores it, unless it was set or deleted after `entry.mark`: then `fenced`. */
  write(key: string, entry: FarEntry): Promise<'stored' | 'fenced' | 'unknown'>
  /** Stores it, newer than whatever is being made. When it cannot be told now, the key is removed later. */
  put(key: string, entry: Omit<FarEntry, 'mark'>): Promise<number | undefined>
  /** How many there were, and when they were removed; undefined: unknown, and told later. */
  remove(keys: readonly string[]): Promise<{ readonly count: number; readonly at: number } | undefined>
  invalidate(tags: readonly string[]): Promise<number | undefined>
  clear(): Promise<number | undefined>
  /** When tags, and everything, were last invalidated; 0: never. undefined: unknown. */
  lastInvalidations(tags: readonly string[]): Promise<{ readonly all: number; readonly tags: readonly number[] } | undefined>
  /** From nobody, or instead of one who has it and takes too long. */
  lease(key: string, insteadOf?: string): Promise<Lease | { readonly takenBy: string } | 'unknown'>
  close(): Promise<void>
}
