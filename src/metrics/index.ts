/** The metrics room: what is measured, for others to read; what was measured, kept and rolled up. */
export { PrometheusMetrics, type MetricsSource } from './prometheus.ts'
export { History, type HistoryOptions } from './history.ts'
export { Sampler, type SamplerOptions } from './sampler.ts'
export { ServiceReader } from './readers/services.ts'
export { TrafficReader } from './readers/traffic.ts'
export { MachineReader, type MachineReaderOptions } from './readers/machine.ts'
export { ControlReader } from './readers/control.ts'
export { PrometheusReader, type PrometheusReaderOptions } from './prometheus-reader.ts'
