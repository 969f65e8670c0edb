/** Every series of our own: its name, unit and what it is of. Rules, the API, the dashboard and the docs use these names. */
import type { Aggregate } from './combine.ts'

export type Unit = 'ratio' | 'per second' | 'ms' | 'bytes' | 'percent' | 'count' | 'bytes per second' | 'days'
export type Subject = 'service' | 'instance' | 'endpoint' | 'check' | 'machine' | 'control' | 'proxy' | 'cache' | 'other'

export interface MetricInfo {
  readonly name: string
  readonly unit: Unit
  /** What its series are told apart by: `service` has the label `service`; `instance` has `service` and `instance`; and so on. */
  readonly subject: Subject
  readonly help: string
}

const of =
  (subject: Subject) =>
  (name: string, unit: Unit, help: string): MetricInfo => ({ name, unit, subject, help })
const service = of('service')
const instance = of('instance')
const endpoint = of('endpoint')
const check = of('check')
const machine = of('machine')
const control = of('control')
const proxy = of('proxy')
const cache = of('cache')

export const catalogue: readonly MetricInfo[] = [
  service('request_rate', 'per second', 'Requests that came.'),
  service('error_rate', 'ratio', 'Answers of 5xx, of all answers. No series without requests.'),
  service(
    'requests_good',
    'count',
    'Answers since the reading before that are not 5xx. Their sums over a window are exact; what clients left is in neither.',
  ),
  service('requests_bad', 'count', 'Answers of 5xx since the reading before, those of the balancer for it (refused, parked too long) included.'),
  service(
    'p50',
    'ms',
    'Time to the last byte, median of a second. Of coarser steps the mean, smallest and largest of their seconds, not the quantile of all.',
  ),
  service('p95', 'ms', '95th percentile of it, in the same way.'),
  service('p99', 'ms', '99th percentile of it, in the same way.'),
  service('active', 'count', 'Requests in flight.'),
  service('parked', 'count', 'Requests that wait for an endpoint.'),
  service('queued', 'count', 'Requests that wait for a place.'),
  service('shed_rate', 'per second', 'Requests refused because nothing could serve them.'),
  service('limited_rate', 'per second', 'Requests refused by the rate limit.'),
  service('retry_rate', 'per second', 'Requests sent a second time.'),
  service('ready', 'count', 'Instances or endpoints that can take traffic.'),
  service('desired', 'count', 'Instances or endpoints wanted.'),
  service('unavailable', 'ratio', '1 while nothing of it is ready although something should be, else 0.'),
  service('crash_looping', 'count', 'Instances whose restarts are put off because they end again and again.'),
  service('maintenance', 'ratio', '1 while it is switched off by hand, else 0.'),
  service('restart_rate', 'per second', 'Unordered restarts.'),
  service('cache_hit_rate', 'ratio', 'Answers from the cache, of all that could come from there.'),
  instance('instance_cpu', 'percent', 'Percent of one core.'),
  instance('instance_memory', 'bytes', 'Resident memory.'),
  instance('instance_lag', 'ms', 'How long its event loop kept others waiting (99th percentile), of instances that report.'),
  instance('instance_heap', 'bytes', 'Heap in use, of instances that report.'),
  endpoint('endpoint_healthy', 'ratio', '1 while its probes pass, else 0.'),
  endpoint('endpoint_request_rate', 'per second', 'Requests sent to it.'),
  endpoint('endpoint_error_rate', 'ratio', 'Its answers of 5xx and attempts without an answer, of all.'),
  endpoint('endpoint_p95', 'ms', 'Time to the first byte of its answers.'),
  endpoint('endpoint_weight', 'percent', 'How much of the traffic it should get beside the others.'),
  check('check_up', 'ratio', '1 while the check is up, 0 while it is down; no series while nothing is known.'),
  check('check_latency', 'ms', 'How long the check took.'),
  check('check_value', 'count', 'What it measured, where it measures: percent in use, days left, entries, connections.'),
  check('check_certificate_days', 'days', 'How long the certificate that an https or tls check was served is still valid.'),
  check('check_level', 'count', 'How far what it measures is: 0 within its thresholds, 1 beyond the first, 2 beyond the second.'),
  machine('machine_cpu', 'percent', 'Percent of all cores.'),
  machine('machine_memory', 'percent', 'Memory that is not available, of all.'),
  machine('machine_load', 'count', 'Load average of a minute, by core.'),
  machine('machine_disk', 'percent', 'Space in use on the file system of the data directory.'),
  machine('machine_network_in', 'bytes per second', 'Received by all interfaces but loopback.'),
  machine('machine_network_out', 'bytes per second', 'Sent by all interfaces but loopback.'),
  machine('machine_processes', 'count', 'Processes.'),
  machine('machine_connections', 'count', 'TCP connections that are established.'),
  control('control_lag', 'ms', "How long the control process's event loop kept others waiting (99th percentile)."),
  control('control_memory', 'bytes', 'Resident memory of the control process.'),
  control('control_cpu', 'percent', 'Percent of one core.'),
  control('certificate_days', 'days', 'Until the certificate of a listener expires, by `listener` and `file`.'),
  control('control_gc', 'ms', 'How long collecting garbage took since the reading before.'),
  proxy('proxy_connected', 'ratio', '1 while the control process and the balancer speak with each other, else 0.'),
  proxy('proxy_connections', 'count', 'Open client connections.'),
  proxy('proxy_memory', 'bytes', 'Resident memory of all its workers.'),
  cache('cache_values_hit_rate', 'ratio', 'Values found, of those asked for since the reading before. No series without questions.'),
  cache('cache_values_keys', 'count', 'Values that are kept.'),
  cache('cache_values_bytes', 'bytes', 'Memory that values take.'),
]

const byName = new Map(catalogue.map((metric) => [metric.name, metric]))
/** How series of it are put together when nobody says how: a sum of shares or of times is nothing that anybody measured. */
export function usualAggregate(name: string): Aggregate {
  const unit = metricInfo(name)?.unit
  if (unit === 'ms') return 'max'
  if (unit === 'days') return 'min'
  return unit === 'ratio' ? 'mean' : 'sum'
}

export const metricInfo = (name: string): MetricInfo | undefined => byName.get(name)
