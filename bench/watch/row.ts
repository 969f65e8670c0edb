/** One promise of the part that watches: what was measured, and what it must be. */
export interface WatchRow {
  readonly what: string
  /** `7.1 %`, `p99 1.2 s`. */
  readonly measured: string
  /** `under 20 %`. */
  readonly target: string
  readonly holds: boolean
  /** How it was measured, in one sentence. */
  readonly how: string
}

export interface WatchOptions {
  /** Of measurements that take as long as one lets them. */
  readonly seconds: number
}

/** One measurement gives one row or several. */
export type Measurement = (options: WatchOptions) => Promise<readonly WatchRow[]>
