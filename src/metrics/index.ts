/** The metrics room: what is measured, for others to read. */
export { PrometheusMetrics, type MetricsSource } from './prometheus.ts'
