/**
 * Who may run now. A burst of checks must not become a burst of work, and no host gets more than a few questions at a time; but whoever only waits for an answer
 * holds nobody: it gives its place back after a moment and waits on without one.
 *
 *   waiting ──a place, and its address has room──▶ running ──holdMs, or done──▶ the place is free again; its address when it is done
 */
import { after, ms, type Clock } from '../kernel/time.ts'

/** Source of both: the handbook of health, 1. */
export const runsMax = 50
export const runsPerAddressMax = 4
/** Longer than that a run is waiting, not working. */
export const holdMs = 250

interface Waiting {
  readonly address: string | undefined
  readonly begin: () => void
}

export class RunSlots {
  readonly #clock: Clock
  #taken = 0
  readonly #byAddress = new Map<string, number>()
  #line: Waiting[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Those that wait for a place. */
  get waiting(): number {
    return this.#line.length
  }

  /** Calls `begin` when there is a place, at once or later; `done` must be called when the run is over. Disposing ends the wait. */
  enter(address: string | undefined, begin: (done: () => void) => void): Disposable {
    const entry: Waiting = {
      address,
      begin: () => {
        begin(this.#take(address))
      },
    }
    if (this.#hasRoom(address)) entry.begin()
    else this.#line.push(entry)
    return {
      [Symbol.dispose]: () => {
        this.#line = this.#line.filter((one) => one !== entry)
      },
    }
  }

  #hasRoom(address: string | undefined): boolean {
    return this.#taken < runsMax && (address === undefined || (this.#byAddress.get(address) ?? 0) < runsPerAddressMax)
  }

  #take(address: string | undefined): () => void {
    this.#taken++
    if (address !== undefined) this.#byAddress.set(address, (this.#byAddress.get(address) ?? 0) + 1)
    let holds = true
    let running = true
    const release = (): void => {
      if (!holds) return
      holds = false
      this.#taken--
      this.#next()
    }
    const timer = this.#clock.schedule(after(this.#clock.now(), ms(holdMs)), release)
    return () => {
      if (!running) return
      running = false
      timer[Symbol.dispose]()
      if (address !== undefined) {
        const left = (this.#byAddress.get(address) ?? 1) - 1
        if (left === 0) this.#byAddress.delete(address)
        else this.#byAddress.set(address, left)
      }
      if (holds) release()
      else this.#next()
    }
  }

  #next(): void {
    for (let at = 0; at < this.#line.length && this.#taken < runsMax;) {
      const entry = this.#line[at]
      if (entry && this.#hasRoom(entry.address)) {
        this.#line.splice(at, 1)
        entry.begin()
      } else at++
    }
  }
}
