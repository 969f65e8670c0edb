/**
 * How many calls at a time a callee bears, learned from its latency: while the recent latency is near the long-term one the limit rises by a
 * queue of 4, when it grows the limit falls in proportion. Gradient2 of Netflix' concurrency-limits, with a least limit of 4 instead of 20
 * (small fleets), and without the pinning of Envoy's probe for the least latency, which starves them.
 */
import { span, whole } from './options.ts'

export interface GradientOptions {
  /** Default 20. */
  readonly initial?: number
  /** Default 4. */
  readonly min?: number
  /** Default 200. */
  readonly max?: number
  /** The limit moves once in this time. Default 1 s. */
  readonly windowMs?: number
}

/** Calls of some time, put together. */
export interface LatencyWindow {
  readonly sumMs: number
  readonly samples: number
  readonly inFlightMax: number
  /** One timed out, or was refused for overload. */
  readonly dropped: boolean
}

const samplesMin = 10
/** Below this a sample says more about the clock than about the callee. */
const rttMsMin = 0.1
const warmupSamples = 10
const longSamples = 600
const tolerance = 1.5
const queueRoom = 4
const smoothing = 0.2
/** A limit that made calls time out falls by this. Source: Netflix AIMD. */
const dropFactor = 0.9

export class Gradient {
  readonly #min: number
  readonly #max: number
  readonly #windowMs: number
  #limit: number
  #long = 0
  #updates = 0
  #windowEnds = -Infinity
  #sum = 0
  #samples = 0
  #inFlightMax = 0
  #dropped = false

  constructor(options: GradientOptions = {}) {
    this.#min = whole('adaptiveConcurrency', 'min', options.min ?? 4, 1)
    this.#max = whole('adaptiveConcurrency', 'max', options.max ?? 200, this.#min)
    this.#limit = Math.min(this.#max, Math.max(this.#min, whole('adaptiveConcurrency', 'initial', options.initial ?? 20, 1)))
    this.#windowMs = span('adaptiveConcurrency', 'windowMs', options.windowMs ?? 1_000, 1)
  }

  /** Calls at a time. */
  get limit(): number {
    return Math.floor(this.#limit)
  }

  /** A call that succeeded: its latency, and how many were under way with it. */
  record(now: number, rttMs: number, inFlight: number): void {
    if (rttMs >= rttMsMin) {
      this.#sum += rttMs
      this.#samples++
    }
    this.#seen(now, inFlight)
  }

  /** A call that timed out or was refused for overload. */
  drop(now: number, inFlight: number): void {
    this.#dropped = true
    this.#seen(now, inFlight)
  }

  /** Calls that others have counted. */
  observe({ sumMs, samples, inFlightMax, dropped }: LatencyWindow, now: number): void {
    if (samples > 0 && sumMs / samples >= rttMsMin) {
      this.#sum += sumMs
      this.#samples += samples
    }
    if (dropped) this.#dropped = true
    this.#seen(now, inFlightMax)
  }

  #seen(now: number, inFlight: number): void {
    this.#inFlightMax = Math.max(this.#inFlightMax, inFlight)
    if (this.#windowEnds === -Infinity) this.#windowEnds = now + this.#windowMs
    if (now < this.#windowEnds) return
    if (this.#dropped) this.#move(this.#limit * dropFactor)
    else if (this.#samples >= samplesMin) this.#update(this.#sum / this.#samples)
    else return
    this.#windowEnds = now + this.#windowMs
    this.#sum = 0
    this.#samples = 0
    this.#inFlightMax = 0
    this.#dropped = false
  }

  #update(short: number): void {
    this.#updates++
    const weight = this.#updates <= warmupSamples ? 1 / this.#updates : 2 / (longSamples + 1)
    this.#long += (short - this.#long) * weight
    // After a long bad time the memory of it fades faster than it came.
    if (this.#long / short > 2) this.#long *= 0.95
    // The callers did not use what they may: the latency says nothing about the limit.
    if (this.#inFlightMax < this.#limit / 2) return
    const gradient = Math.min(1, Math.max(0.5, (tolerance * this.#long) / short))
    this.#move((1 - smoothing) * this.#limit + smoothing * (this.#limit * gradient + queueRoom))
  }

  #move(to: number): void {
    this.#limit = Math.min(this.#max, Math.max(this.#min, to))
  }
}
