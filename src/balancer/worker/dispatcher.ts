/**
 * Sends requests on at the end of a turn of the event loop, when everything the kernel had to tell has been heard.
 *
 *   poll phase: requests are read and wait here; closed connections and exits are heard ──▶ check phase: endpoints are chosen
 *
 * Sent at once, a request could go to a connection whose end the kernel reported in the same poll, only later in its
 * list: to a process that is already dead. When hearing took long (a busy machine took the processor away), the kernel is
 * asked once more before anything is sent.
 */

/** What was heard longer ago than this is asked for again. */
const freshMs = 0.5
/** Requests sent between two looks at the clock. */
const batch = 16

export interface Dispatched {
  dispatch(): void
}

export class Dispatcher {
  #waiting: Dispatched[] = []
  #next = 0
  /** When the first event of this turn was handled; 0: none has been. */
  #heardSince = 0
  #scheduled = false
  #askedAgain = false
  readonly #run = (): void => {
    this.#flush()
  }

  /** An event of this turn is being handled. */
  heard(now: number): void {
    if (this.#heardSince === 0) this.#heardSince = now
  }

  add(request: Dispatched): void {
    this.#waiting.push(request)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#run)
  }

  #flush(): void {
    const started = performance.now()
    const heardSince = this.#heardSince
    this.#heardSince = 0
    if (heardSince !== 0 && started - heardSince > freshMs && !this.#askedAgain) {
      this.#askedAgain = true
      setImmediate(this.#run)
      return
    }
    this.#askedAgain = false
    while (this.#next < this.#waiting.length) {
      this.#waiting[this.#next++]!.dispatch()
      if (this.#next % batch === 0 && performance.now() - started > freshMs) {
        setImmediate(this.#run)
        return
      }
    }
    this.#waiting.length = 0
    this.#next = 0
    this.#scheduled = false
  }
}
