/** What other rooms may ask of metrics that somebody else keeps. */
import type { Sample, Series } from './types.ts'

/** A Prometheus server, or what speaks as one (Thanos, Mimir, VictoriaMetrics). */
export interface PrometheusQueries {
  /**
   * What the expression is now, or at `at` (wall time in milliseconds): one sample for each label set; a scalar has no labels. Samples that are no number are left out.
   * Rejects with `prometheus_query` (the expression is wrong: `details.reason` is Prometheus's own word), or `prometheus_unreachable`.
   */
  query(expression: string, at?: number): Promise<readonly Sample[]>
  /** Its values from `from` to `to`, both inclusive, every `step` milliseconds. */
  range(expression: string, times: { readonly from: number; readonly to: number; readonly step: number }): Promise<readonly Series[]>
}
