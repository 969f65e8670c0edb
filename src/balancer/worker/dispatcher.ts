/**
 * Sends requests on when everything that the kernel had to tell has been heard.
 *
 *   poll: requests are read, and wait here ──▶ poll again: ends of connections and exits are heard ──▶ endpoints are chosen
 *
 * Sent at once, a request could go to a process that is already dead: the end of the connection may stand later in the list of the
 * same poll, or have come after that list was made, while the processor was somebody else's. A kernel closes the sockets of a process
 * before it tells its parent of the exit; so a poll that began less than `freshMs` before the sending has shown every death that anybody
 * could know of longer than that. The second poll finds its answer ready and costs about a microsecond, for all that wait together.
 */

/** How old the beginning of the last poll may be when a request is sent. */
const freshMs = 0.5
/** Polls in a row that were too old at their end; then requests are sent all the same: on a machine that busy none may be short enough. */
const stalePollsMax = 8

export interface Dispatched {
  /** It waits for its turn, once. The dispatcher's own mark: false at the beginning. */
  awaitsTurn: boolean
  /** `now`: on the worker's clock. */
  dispatch(now: number): void
}

export class Dispatcher {
  #waiting: Dispatched[] = []
  #next = 0
  #scheduled = false
  /** When the poll before this turn began; -Infinity: nobody looked at the clock then. */
  #polledAt = -Infinity
  #stalePolls = 0
  readonly #run = (): void => {
    this.#turn()
  }

  /** Nothing is done for who waits already. */
  add(request: Dispatched): void {
    if (request.awaitsTurn) return
    request.awaitsTurn = true
    this.#waiting.push(request)
    if (this.#scheduled) return
    this.#scheduled = true
    this.#polledAt = -Infinity
    setImmediate(this.#run)
  }

  #turn(): void {
    while (this.#next < this.#waiting.length) {
      const now = performance.now()
      if (now - this.#polledAt > freshMs) {
        if (this.#stalePolls < stalePollsMax) {
          this.#stalePolls++
          this.#polledAt = now
          setImmediate(this.#run)
          return
        }
        this.#polledAt = now
      }
      this.#stalePolls = 0
      const request = this.#waiting[this.#next++]!
      request.awaitsTurn = false
      request.dispatch(now)
    }
    this.#waiting.length = 0
    this.#next = 0
    this.#scheduled = false
  }
}
