/**
 * Requests that have ended, by class of status, and how long they took: of a service, or of one of its routes. Counts since they were last
 * taken; what several workers count adds up exactly.
 */
import { emptyHistogram, Histogram, type HistogramData } from '../../kernel/histogram.ts'

const classes = ['aborted', '1xx', '2xx', '3xx', '4xx', '5xx'] as const

export interface TallyData {
  /** Finished requests by class of status, `1xx` … `5xx`, and `aborted` for those the client left or that were cut. */
  readonly responses: Readonly<Record<string, number>>
  /** From the request head to the end of the answer, in microseconds. */
  readonly duration: HistogramData
}

/** Of one service, routes beyond so many are counted with the service alone. */
export const routesCountedMax = 1_000

export class Tally {
  readonly #counts = new Float64Array(classes.length)
  /** Made when it is needed first: most of a thousand routes are quiet. */
  #times: Histogram | undefined
  #any = false

  /** With a status, or 0 when it was cut or the client left. Without a duration: it became a tunnel. */
  finished(status: number, durationUs?: number): void {
    const index = status < 100 ? 0 : Math.floor(status / 100)
    this.#counts[index] = (this.#counts[index] ?? 0) + 1
    this.#any = true
    if (durationUs !== undefined) this.took(durationUs)
  }

  took(durationUs: number): void {
    this.#times ??= new Histogram()
    this.#times.record(durationUs)
    this.#any = true
  }

  /** Something was counted since the last `take`. */
  get any(): boolean {
    return this.#any
  }

  take(): TallyData {
    const duration = this.#times === undefined || this.#times.count === 0 ? emptyHistogram : this.#times.data()
    const responses = this.takeResponses()
    this.#times?.reset()
    this.#any = false
    return { responses, duration }
  }

  takeResponses(): Record<string, number> {
    const responses: Record<string, number> = {}
    classes.forEach((name, index) => {
      const count = this.#counts[index] ?? 0
      if (count > 0) responses[name] = count
    })
    this.#counts.fill(0)
    return responses
  }
}
