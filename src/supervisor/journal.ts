/**
 * Writes what must survive us, without anybody waiting: the latest value of each key goes to the store in the order
 * of asking, one transaction at a time. A store that fails is tried again, and keys written meanwhile simply replace
 * their older values, so what waits is bounded by the number of keys.
 */
import { after, seconds, type Clock, type Duration } from '../kernel/time.ts'
import { storeLimits, type StateStore, type Write } from '../store/port.ts'

const retryAfter: Duration = seconds(1)

export class Journal {
  readonly #clock: Clock
  readonly #store: StateStore
  readonly #onProblem: (error: unknown) => void
  /** undefined: to be deleted. */
  #waiting = new Map<string, unknown>()
  #writing: Promise<void> | undefined
  #retry: Disposable | undefined
  #closed = false

  constructor(clock: Clock, store: StateStore, onProblem: (error: unknown) => void) {
    this.#clock = clock
    this.#store = store
    this.#onProblem = onProblem
  }

  put(key: string, value: unknown): void {
    this.#waiting.set(key, value)
    this.#begin()
  }

  delete(key: string): void {
    this.put(key, undefined)
  }

  /** Resolves when all that was written before is durable, or could not be written. */
  async flush(): Promise<void> {
    this.#begin()
    while (this.#writing) await this.#writing
  }

  /** Writes what is left, then nothing more. */
  async close(): Promise<void> {
    await this.flush()
    this.#closed = true
    this.#retry?.[Symbol.dispose]()
  }

  #begin(): void {
    if (this.#writing || this.#closed || this.#waiting.size === 0) return
    this.#retry?.[Symbol.dispose]()
    this.#writing = this.#write().then((written) => {
      this.#writing = undefined
      // What was asked for between the end of the last transaction and now.
      if (written) this.#begin()
    })
  }

  /** Resolves with whether all that waited is written; if not, it is tried again later. */
  async #write(): Promise<boolean> {
    while (this.#waiting.size > 0) {
      const batch = new Map([...this.#waiting].slice(0, storeLimits.writesMax))
      for (const key of batch.keys()) this.#waiting.delete(key)
      try {
        await this.#store.commit({ writes: [...batch].map(toWrite) })
      } catch (error) {
        // What has been asked for since is newer and wins.
        this.#waiting = new Map([...batch, ...this.#waiting])
        this.#onProblem(error)
        this.#retry = this.#clock.schedule(after(this.#clock.now(), retryAfter), () => this.#begin())
        return false
      }
    }
    return true
  }
}

const toWrite = ([key, value]: [string, unknown]): Write => (value === undefined ? { delete: key } : { put: key, value })
