/** What was measured, as the API tells it. */
export interface MetricDescription {
  readonly name: string
  readonly unit: string
  readonly subject: string
  readonly help: string
  readonly series: number
}

export interface MetricQuery {
  readonly metric: string
  readonly service?: string | undefined
  readonly instance?: string | undefined
  readonly check?: string | undefined
  /** Wall time in milliseconds. */
  readonly from: number
  /** `1m`. */
  readonly step?: string | undefined
  readonly by?: string | undefined
}

export interface MetricSeries {
  readonly metric: string
  readonly unit: string | null
  readonly step: number
  readonly series: readonly {
    readonly labels: Readonly<Record<string, string>>
    readonly points: readonly (readonly [at: number, mean: number, min: number, max: number])[]
  }[]
  readonly leftOff: number
}
