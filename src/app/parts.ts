/**
 * What has been started, and how each part of it is ended: last first, all of them, whatever becomes of one.
 *
 *   empty ──started, begun──▶ starting ──complete──▶ running ──stop──▶ empty
 *                                └──────────stop──────────────────────▶ empty
 */

/** Ends a part; it may take until the signal aborts. */
export type Stop = (deadline: AbortSignal) => unknown

interface Part {
  readonly name: string
  readonly stop: Stop
  /** It is ended only by a start that fails. */
  readonly undo: boolean
}

export class Parts {
  readonly #onProblem: (part: string, error: unknown) => void
  #parts: Part[] = []

  /** `onProblem`: a part could not be ended as it should be; the others are ended all the same. */
  constructor(onProblem: (part: string, error: unknown) => void) {
    this.#onProblem = onProblem
  }

  /** A part works: `stop` ends it. */
  started(name: string, stop: Stop): void {
    this.#parts.push({ name, stop, undo: false })
  }

  /** Something was done that only a start that fails takes back: `undo` does. */
  begun(name: string, undo: Stop): void {
    this.#parts.push({ name, stop: undo, undo: true })
  }

  /** The start has come to its end: what was begun is there to stay. */
  complete(): void {
    this.#parts = this.#parts.filter(({ undo }) => !undo)
  }

  /** Ends all of it within `withinMs`, as far as the parts go by their signal; never rejects. */
  async stop(withinMs: number): Promise<void> {
    const deadline = AbortSignal.timeout(withinMs)
    for (let part = this.#parts.pop(); part !== undefined; part = this.#parts.pop()) {
      try {
        await part.stop(deadline)
      } catch (error) {
        this.#onProblem(part.name, error)
      }
    }
  }
}
