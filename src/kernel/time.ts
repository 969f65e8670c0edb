/**
 * Time as values. Cores never read a clock: `now` is an argument. Monotonic time (for durations and
 * deadlines) and wall time (for people, logs and other machines) have different types, so that a
 * step of the system clock cannot shorten a timeout.
 */

/** A point on the monotonic clock, in milliseconds. Never a date; never stored. */
export type Instant = number & { readonly __unit: 'instant-ms' }
/** A length of time, in milliseconds. */
export type Duration = number & { readonly __unit: 'duration-ms' }
/** Wall-clock time, in milliseconds since 1970-01-01 UTC. It may jump. */
export type WallTime = number & { readonly __unit: 'wall-ms' }

export const instant = (ms: number): Instant => ms as Instant
export const ms = (n: number): Duration => n as Duration
export const seconds = (n: number): Duration => (n * 1_000) as Duration
export const minutes = (n: number): Duration => (n * 60_000) as Duration
export const hours = (n: number): Duration => (n * 3_600_000) as Duration
export const days = (n: number): Duration => (n * 86_400_000) as Duration
export const wallTime = (ms: number): WallTime => ms as WallTime
export const elapsed = (from: Instant, to: Instant): Duration => (to - from) as Duration
export const after = (at: Instant, wait: Duration): Instant => (at + wait) as Instant

/** The only source of time outside a core. */
export interface Clock {
  /** Monotonic time: for intervals, timeouts and deadlines. */
  now(): Instant
  /** Wall-clock time: for people, logs and other machines. It may jump. */
  wallTime(): WallTime
  /** Runs `task` once, at or after `at`. Disposing the timer cancels it. */
  schedule(at: Instant, task: () => void): Disposable
}

/** Waits on `clock`; rejects with the signal's reason when `signal` aborts first. */
export function sleep(clock: Clock, wait: Duration, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error)
      return
    }
    const onAbort = (): void => {
      timer[Symbol.dispose]()
      reject(signal?.reason as Error)
    }
    const timer = clock.schedule(after(clock.now(), wait), () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
