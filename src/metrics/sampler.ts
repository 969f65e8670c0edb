/**
 * Once a second it asks every source what holds now, and hands the whole on as one reading: first to the history, then to whoever listens. A tick that
 * comes late (the machine slept, the process was busy) is one tick: what was missed stays a gap.
 */
import type { Clock } from '../kernel/time.ts'
import { after, ms } from '../kernel/time.ts'
import type { Reading, Sample, SampleSource } from './types.ts'

export const sampleMs = 1_000

export interface SamplerOptions {
  readonly clock: Clock
  /** A source or a listener failed; the others go on. */
  readonly onError: (error: unknown) => void
}

export class Sampler {
  readonly #options: SamplerOptions
  readonly #sources = new Set<SampleSource>()
  readonly #listeners = new Set<(reading: Reading) => void>()
  #timer: Disposable | undefined

  constructor(options: SamplerOptions) {
    this.#options = options
  }

  register(source: SampleSource): Disposable {
    this.#sources.add(source)
    return { [Symbol.dispose]: () => void this.#sources.delete(source) }
  }

  /** In the order in which they came. */
  onReading(listener: (reading: Reading) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  start(): void {
    this.#timer ??= this.#next(this.#options.clock.now())
  }

  stop(): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
  }

  #next(due: number): Disposable {
    const { clock } = this.#options
    const now = clock.now()
    const wait = sampleMs - (Math.max(0, now - due) % sampleMs)
    const at = after(now, ms(wait))
    return clock.schedule(at, () => {
      this.#timer = this.#next(at)
      this.tick()
    })
  }

  /** One reading, now. */
  tick(): Reading {
    const samples: Sample[] = []
    for (const source of this.#sources)
      this.#guard(() => {
        // One after the other: 125,000 and more as arguments of one call are more than the stack takes.
        for (const sample of source.samples()) samples.push(sample)
      })
    const reading = { at: Math.round(this.#options.clock.wallTime()), samples }
    for (const listener of this.#listeners) {
      this.#guard(() => {
        listener(reading)
      })
    }
    return reading
  }

  #guard(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#options.onError(error)
    }
  }
}
