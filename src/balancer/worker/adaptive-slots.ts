/** What one worker saw of an endpoint whose limit is learned, since it was told last: the primary puts the workers' readings together. */
import type { LatencyWindow } from '../../resilience/core/gradient.ts'

export class AdaptiveSlots {
  #sumMs = 0
  #samples = 0
  #inFlightMax = 0
  #dropped = false

  /** The head of an answer has come. Errors say nothing about how fast it is; "come back later" says that it is too much. */
  answered(status: number, backPressure: boolean, ms: number, inFlight: number): void {
    this.#inFlightMax = Math.max(this.#inFlightMax, inFlight)
    if (backPressure) this.#dropped = true
    else if (status < 500) {
      this.#sumMs += ms
      this.#samples++
    }
  }

  timedOut(): void {
    this.#dropped = true
  }

  take(): LatencyWindow {
    const window = { sumMs: this.#sumMs, samples: this.#samples, inFlightMax: this.#inFlightMax, dropped: this.#dropped }
    this.#sumMs = 0
    this.#samples = 0
    this.#inFlightMax = 0
    this.#dropped = false
    return window
  }
}
