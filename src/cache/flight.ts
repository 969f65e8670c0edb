/**
 * One making of a value, for all who wait for it. It goes on as long as somebody waits, or its result is wanted anyhow (a refresh of what is stale); the
 * signal of the factory aborts when neither is so. What is invalidated meanwhile is given to those who waited, and not stored (`fenced`).
 */
export class Flight {
  fenced = false
  /** The logical time at which the making began; Infinity before that. */
  mark = Infinity
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

  /** Somebody else has stored, changed or removed the value, at this time. */
  changedElsewhere(at: number): void {
    if (at > this.mark) this.fenced = true
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
