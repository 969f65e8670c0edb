/** What the supervisor needs from the parts around it; `app` hands these in. */
import type { Instant } from '../kernel/time.ts'

/** An instance as the routing knows it. */
export interface RoutedInstance {
  readonly id: string
  readonly service: string
  readonly host: string
  readonly port: number
  /** The user's own label on its revision. */
  readonly version?: string | undefined
  /** What runs there, on this machine. */
  readonly process?: { readonly pid: number; readonly startTicks: number } | undefined
  /** Failures of its slot of late. */
  readonly restarts?: number | undefined
}

/** The supervisor tells the router before it signals a process and in the tick of its exit. */
export interface Router {
  /** It is ready: send it traffic. Resolves when every proxy worker does. */
  admit(instance: RoutedInstance): Promise<void>
  /**
   * No new work for it. Resolves when every worker has stopped picking it and what was in flight has finished,
   * or when `deadlineMs` has passed, with the number of requests still in flight.
   */
  drain(instance: RoutedInstance, deadlineMs: number): Promise<{ readonly remaining: number }>
  /** Its process has exited: out of the routing at once. Never waits. */
  gone(instance: RoutedInstance, reason: string): void
  /** When endpoints of the service can be expected. */
  expect(service: string, expectation: Expectation): void
}

/** What may be hoped for of a service that has nobody to serve it. */
export interface Expectation {
  /** An endpoint is on its way (park), or none is (refuse). */
  readonly coming: boolean
  /** Middle of the latest boots. */
  readonly bootMs: number | undefined
  /** Nearly all of the latest boots took no longer; undefined: there were too few. */
  readonly bootP95Ms: number | undefined
  /** None is ready; the next one will be about then, as far as can be told. */
  readonly readyAt: Instant | undefined
}
