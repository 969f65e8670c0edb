/**
 * When to ask again. One question at a time: a look that is due while one is under way waits for its answer instead of cutting it off, so that an API that is slower than
 * the page asks is seen late, and not never; and what happens often (events) leads to no more questions than somebody can read the answers of.
 *
 *   idle ──look──▶ asking ──look──▶ asking, again wanted ──answer──▶ waiting ──so long after the last one began──▶ asking
 */

/** Between the beginnings of two questions. */
export const leastMs = 500

export interface AskingHands {
  readonly ask: (signal: AbortSignal) => Promise<void>
  readonly now: () => number
  /** Calls later; what it returns takes that back. */
  readonly later: (act: () => void, ms: number) => () => void
}

export class Asking {
  readonly #hands: AskingHands
  #running: AbortController | undefined
  #again = false
  #startedAt = -Infinity
  #takeBack: (() => void) | undefined

  constructor(hands: AskingHands) {
    this.#hands = hands
  }

  /** Something has changed: what is answered from now on must have been asked for after this. */
  look(): void {
    if (this.#running) {
      this.#again = true
      return
    }
    if (this.#takeBack) return
    const wait = this.#startedAt + leastMs - this.#hands.now()
    if (wait > 0) {
      this.#takeBack = this.#hands.later(() => {
        this.#takeBack = undefined
        this.#begin()
      }, wait)
    } else this.#begin()
  }

  /** Time has passed: only if nothing is under way. */
  tick(): void {
    if (!this.#running) this.look()
  }

  /** Something else is asked for: what is under way is of no use. */
  restart(): void {
    this.stop()
    this.#begin()
  }

  stop(): void {
    this.#takeBack?.()
    this.#takeBack = undefined
    this.#again = false
    this.#running?.abort()
    this.#running = undefined
  }

  #begin(): void {
    const mine = (this.#running = new AbortController())
    this.#startedAt = this.#hands.now()
    const over = (): void => {
      if (this.#running !== mine) return
      this.#running = undefined
      if (!this.#again) return
      this.#again = false
      this.look()
    }
    this.#hands.ask(mine.signal).then(over, over)
  }
}
