/** The data plane's histograms as Prometheus wants them: its own buckets merge exactly; here they are only laid out. */
import { countAtMost, type HistogramData } from '../kernel/histogram.ts'

export type Labels = Readonly<Record<string, string>>
export type Sample = readonly [Labels, number]

export interface HistogramValue {
  readonly metricName: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
}

/** Upper bounds of the buckets in seconds: the Prometheus client's own, with finer ones below. */
const durationBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** Microseconds as seconds. */
export function histogramValues(name: string, labels: Labels, data: HistogramData): HistogramValue[] {
  return [
    ...durationBounds.map((le) => ({ metricName: `${name}_bucket`, labels: { le, ...labels }, value: countAtMost(data, le * 1_000_000) })),
    { metricName: `${name}_bucket`, labels: { le: '+Inf', ...labels }, value: data.count },
    { metricName: `${name}_sum`, labels, value: data.sum / 1_000_000 },
    { metricName: `${name}_count`, labels, value: data.count },
  ]
}
