import { instant, wallTime, type Clock, type Duration, type Instant, type WallTime } from '../time.ts'

interface Timer {
  readonly at: Instant
  readonly order: number
  readonly task: () => void
}

/** Time that moves only when the test says so, one timer at a time. A test ends with `pending === 0`. */
export class VirtualClock implements Clock {
  #now = instant(0)
  #order = 0
  #timers: Timer[] = []
  /** Added to wall time: a stepped system clock. */
  wallOffsetMs = 1_700_000_000_000

  now(): Instant {
    return this.#now
  }

  wallTime(): WallTime {
    return wallTime(this.wallOffsetMs + this.#now)
  }

  schedule(at: Instant, task: () => void): Disposable {
    const timer: Timer = { at, order: this.#order++, task }
    this.#timers.push(timer)
    return {
      [Symbol.dispose]: () => {
        this.#timers = this.#timers.filter((t) => t !== timer)
      },
    }
  }

  get pending(): number {
    return this.#timers.length
  }

  /** Moves to the next timer, runs it, and lets the promises it woke settle. */
  async advanceToNext(): Promise<boolean> {
    const next = this.#timers.toSorted((a, b) => a.at - b.at || a.order - b.order)[0]
    if (!next) return false
    this.#timers = this.#timers.filter((t) => t !== next)
    this.#now = instant(Math.max(this.#now, next.at))
    next.task()
    await new Promise<void>((resolve) => setImmediate(resolve))
    return true
  }

  async advance(by: Duration): Promise<void> {
    const end = instant(this.#now + by)
    await new Promise<void>((resolve) => setImmediate(resolve))
    while (this.#timers.some((t) => t.at <= end)) await this.advanceToNext()
    this.#now = end
  }
}
