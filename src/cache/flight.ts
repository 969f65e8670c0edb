/**
 * One making of a value, for all who wait for it. It goes on as long as somebody waits, or its result is wanted anyhow (a refresh of what is stale); the
 * signal of the factory aborts when neither is so. What is invalidated meanwhile is given to those who waited before that, and not stored (`fenced`).
 *
 * A thousand may wait for one, so a waiter is one object and one promise, and all of them share a timer.
 */
import { instant, type Clock } from '../kernel/time.ts'

/** One who asks, and what for. `C` is his business. */
export class Waiter<C> {
  readonly promise: Promise<unknown>
  readonly call: C
  readonly until: number
  readonly signal: AbortSignal | undefined
  /** What was invalidated by when he came. */
  mark = 0
  resolve!: (value: unknown) => void
  reject!: (error: unknown) => void
  onAbort: (() => void) | undefined

  constructor(call: C, until: number, signal: AbortSignal | undefined) {
    this.call = call
    this.until = until
    this.signal = signal
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }
}

/** Whose flights they are. */
export interface Airline<C> {
  readonly clock: Clock
  /** Somebody has waited for as long as he wants to. */
  late(waiter: Waiter<C>): void
  /** Whether it was begun before an invalidation that this waiter came after: it is not for him. */
  outdated(flight: Flight<C>, waiter: Waiter<C>): boolean
  /** Then he asks anew. */
  again(waiter: Waiter<C>): void
}

export class Flight<C> {
  fenced = false
  /** The logical time at which the making began; Infinity before that. */
  mark = Infinity
  /** Of what was made. */
  tags: readonly string[] = []
  readonly #airline: Airline<C>
  readonly #waiters = new Set<Waiter<C>>()
  /** Most factories never look at it. */
  #controller: AbortController | undefined
  #wake: (() => void) | undefined
  #timer: Disposable | undefined
  #timerAt = Infinity
  #wanted = false
  #settled = false
  #aborted = false
  result!: Promise<unknown>

  constructor(airline: Airline<C>) {
    this.#airline = airline
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#aborted) this.#controller.abort()
    }
    return this.#controller.signal
  }

  get aborted(): boolean {
    return this.#aborted
  }

  /** Whoever waits for it or not: the result is wanted. */
  keep(): void {
    this.#wanted = true
  }

  fence(): void {
    this.fenced = true
  }

  /** Whoever waits for somebody else to make it looks now whether it is there. */
  wake(): void {
    this.#wake?.()
  }

  /** Resolves after `wait`, or earlier when somebody else has changed the value. */
  async pause(wait: Promise<void>): Promise<void> {
    await Promise.race([wait, new Promise<void>((resolve) => (this.#wake = resolve))])
    this.#wake = undefined
  }

  run(make: () => Promise<unknown>): void {
    this.result = make()
    this.result.then(
      (value) =>
        this.#settle((waiter) => {
          if (this.#airline.outdated(this, waiter)) this.#airline.again(waiter)
          else waiter.resolve(value)
        }),
      // Those who wait are told; when nobody waits there is nobody to tell.
      (error: unknown) => this.#settle((waiter) => waiter.reject(error)),
    )
  }

  #settle(give: (waiter: Waiter<C>) => void): void {
    this.#settled = true
    this.#timer?.[Symbol.dispose]()
    for (const waiter of this.#waiters) {
      this.#leave(waiter)
      give(waiter)
    }
  }

  /** Waits for the result, until it takes too long or the signal aborts. */
  join(waiter: Waiter<C>): void {
    const { signal, until } = waiter
    this.#waiters.add(waiter)
    if (until < this.#timerAt) this.#arm(until)
    if (signal === undefined) {
      // Somebody waits to the end.
      this.#wanted = true
      return
    }
    waiter.onAbort = () => {
      this.#leave(waiter)
      waiter.reject(signal.reason)
      if (this.#waiters.size === 0 && !this.#wanted && !this.#settled) this.#abort(signal.reason)
    }
    signal.addEventListener('abort', waiter.onAbort, { once: true })
  }

  #leave(waiter: Waiter<C>): void {
    this.#waiters.delete(waiter)
    if (waiter.onAbort !== undefined) waiter.signal?.removeEventListener('abort', waiter.onAbort)
  }

  #abort(reason: unknown): void {
    this.#aborted = true
    this.#controller?.abort(reason)
  }

  #arm(at: number): void {
    this.#timer?.[Symbol.dispose]()
    this.#timerAt = at
    this.#timer = this.#airline.clock.schedule(instant(at), () => {
      const now = this.#airline.clock.now()
      let next = Infinity
      for (const waiter of this.#waiters) {
        if (waiter.until > now) next = Math.min(next, waiter.until)
        else {
          // It goes on, and is stored: somebody wanted it.
          this.#wanted = true
          this.#leave(waiter)
          this.#airline.late(waiter)
        }
      }
      this.#timerAt = Infinity
      if (next !== Infinity) this.#arm(next)
    })
  }
}

/** Those under way. Whoever comes after an invalidation is not given what was begun before it: a fenced one is not found any more. */
export class Flights<C> {
  readonly #flights = new Map<string, Flight<C>>()

  get(key: string): Flight<C> | undefined {
    return this.#flights.get(key)
  }

  has(key: string): boolean {
    return this.#flights.has(key)
  }

  add(key: string, flight: Flight<C>): void {
    this.#flights.set(key, flight)
  }

  over(key: string, flight: Flight<C>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key)
  }

  fence(key: string): void {
    this.#flights.get(key)?.fence()
    this.#flights.delete(key)
  }

  fenceAll(): void {
    for (const flight of this.#flights.values()) flight.fence()
    this.#flights.clear()
  }

  /** Somebody else has stored, changed or removed the value, at this time. */
  changedElsewhere(key: string, at: number): void {
    const flight = this.#flights.get(key)
    if (flight === undefined) return
    if (at > flight.mark) this.fence(key)
    flight.wake()
  }
}
