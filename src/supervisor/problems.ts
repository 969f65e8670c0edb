/** Tells what went wrong and was worked around. A broken disk says the same five times a second; once in a while is enough. */
import { HoldfastError } from '../kernel/errors.ts'
import { elapsed, seconds, type Clock, type Duration, type Instant } from '../kernel/time.ts'

/** The same problem is not told again before this. */
const sayAgainAfter: Duration = seconds(10)
const problemsRemembered = 1_000

export class Problems {
  readonly #clock: Clock
  readonly #onProblem: (problem: HoldfastError) => void
  /** When which problem was told. */
  readonly #saidAt = new Map<string, Instant>()

  constructor(clock: Clock, onProblem: (problem: HoldfastError) => void) {
    this.#clock = clock
    this.#onProblem = onProblem
  }

  tell(code: string, message: string, cause: unknown): void {
    const now = this.#clock.now()
    const said = this.#saidAt.get(message)
    if (said !== undefined && elapsed(said, now) < sayAgainAfter) return
    if (this.#saidAt.size >= problemsRemembered) this.#saidAt.clear()
    this.#saidAt.set(message, now)
    this.#onProblem(new HoldfastError(code, message, { cause }))
  }
}
