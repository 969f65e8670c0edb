/** Heartbeats that came, by check. Who beats is outside; a check only asks how long ago it was. */
import type { Clock } from '../kernel/time.ts'

/** What the one who beats may say of itself. */
export interface Beat {
  /** Default: true. */
  readonly ok?: boolean | undefined
  readonly message?: string | undefined
}

interface KeptBeat extends Beat {
  /** Wall time: it is kept over a restart. */
  readonly at: number
}

export class Heartbeats {
  readonly #clock: Clock
  readonly #beats = new Map<string, KeptBeat>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  beat(check: string, beat: Beat): void {
    this.#beats.set(check, { ...beat, at: this.#clock.wallTime() })
  }

  restore(check: string, at: number): void {
    this.#beats.set(check, { at })
  }

  last(check: string): KeptBeat | undefined {
    return this.#beats.get(check)
  }

  forget(check: string): void {
    this.#beats.delete(check)
  }
}
