/** What the supervisor needs from the parts around it; `app` hands these in. */

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
  /** Whether an endpoint of the service is on its way (park) or not (refuse), and the learned boot time. */
  expect(service: string, expectation: { readonly coming: boolean; readonly bootMs: number | undefined }): void
}
