/**
 * One making of a value, for all who wait for it. It goes on as long as somebody waits, or its result is wanted anyhow (a refresh of what is stale); the
 * signal of the factory aborts when neither is so. What is invalidated meanwhile is given to those who waited, and not stored (`fenced`).
 */
export class Flight {
  fenced = false
  /** The logical time at which the making began; Infinity before that. */
  mark = Infinity
  /** Of what was made. */
  tags: readonly string[] = []
  #wake: (() => void) | undefined
  readonly #controller = new AbortController()
  #waiting = 0
  #wanted = false
  #settled = false
  result!: Promise<unknown>

  get signal(): AbortSignal {
    return this.#controller.signal
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
    this.result = make().finally(() => {
      this.#settled = true
    })
    // Those who wait are told; when nobody waits there is nobody to tell.
    this.result.catch(() => undefined)
  }

  /** Waits for the result, at most until `signal` aborts. */
  join(signal: AbortSignal | undefined): Promise<unknown> {
    if (signal === undefined) {
      // Somebody waits to the end.
      this.#wanted = true
      return this.result
    }
    signal.throwIfAborted()
    this.#waiting++
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        signal.removeEventListener('abort', onAbort)
        this.#waiting--
        if (this.#waiting === 0 && !this.#wanted && !this.#settled) this.#controller.abort(signal.reason)
      }
      const onAbort = (): void => {
        leave()
        reject(signal.reason as Error)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.result.then(resolve, reject).finally(() => {
        if (!signal.aborted) leave()
      })
    })
  }
}

/** Those under way. Whoever comes after an invalidation is not given what was begun before it: a fenced one is not found any more. */
export class Flights {
  readonly #flights = new Map<string, Flight>()

  get(key: string): Flight | undefined {
    return this.#flights.get(key)
  }

  has(key: string): boolean {
    return this.#flights.has(key)
  }

  add(key: string, flight: Flight): void {
    this.#flights.set(key, flight)
  }

  over(key: string, flight: Flight): void {
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
