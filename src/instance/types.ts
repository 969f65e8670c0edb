/** What an instance tells of itself, twice a second: one JSON document per line, over the socket `instances` of the data directory. */

export interface InstanceReport {
  /** `$HOLDFAST_INSTANCE`. */
  readonly instance: string
  /** How long the event loop kept others waiting since the last report: 99th percentile, in milliseconds. */
  readonly lagMs: number
  /** Share of the time in which the event loop was busy, 0 to 1. */
  readonly utilization: number
  readonly heapUsedBytes: number
  readonly heapLimitBytes: number
  /** It wants requests. */
  readonly ready: boolean
  /** Why it does not. */
  readonly reason?: string | undefined
  /** What it asks for, in the words of `core/asked-state.ts`, all of it; undefined: nothing. */
  readonly state?: string | undefined
}

/** Between two reports: an instance that begins to lag has told so three times within two seconds. */
export const reportIntervalMs = 500
/** A line that is longer is no report. */
export const reportBytesMax = 4_096
