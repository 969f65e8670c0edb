/** Looks that are repeated for as long as there is something to look at; one of a name at a time. */
import { after, type Clock, type Duration } from '../../../kernel/time.ts'

export class Rounds {
  readonly #clock: Clock
  readonly #timers = new Map<string, Disposable>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Runs the task after each interval until it returns false; nothing when one of this name is running. */
  every(name: string, interval: Duration, task: () => boolean): void {
    if (this.#timers.has(name)) return
    const again = (): void => {
      const timer = this.#clock.schedule(after(this.#clock.now(), interval), () => {
        const wanted = task() && this.#timers.get(name) === timer
        if (this.#timers.get(name) === timer) this.#timers.delete(name)
        if (wanted) again()
      })
      this.#timers.set(name, timer)
    }
    again()
  }

  stop(): void {
    for (const timer of this.#timers.values()) timer[Symbol.dispose]()
    this.#timers.clear()
  }
}
