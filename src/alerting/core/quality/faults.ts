/**
 * What may go wrong, as it would be measured: from a world in which all is well, each fault changes some series and brings some events. How soon it is to be told, and how
 * gravely, is part of it.
 */
import type { Labels } from '../../../kernel/labels.ts'
import type { Severity } from '../../types.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

export interface Fault {
  readonly name: string
  /** What happens, in words. */
  readonly what: string
  readonly of: 'service' | 'check' | 'machine'
  /** Less is not enough. */
  readonly severity: Severity
  readonly withinMs: number
  /** From one evaluation to the next. */
  readonly stepMs: number
  /** Values while it lasts, `since` its beginning; what is not named stays as it was. Keys: metrics. */
  readonly series: Readonly<Record<string, (since: number) => number | undefined>>
  readonly events?: readonly { readonly type: string; readonly after: number; readonly data?: Labels }[]
}

const constant = (value: number) => () => value

/** Requests a second of a service that is well; the share that fails is that of the fault. */
export const imaginedRate = 50
const failing = (share: number): Fault['series'] => ({
  error_rate: constant(share),
  requests_good: constant(imaginedRate * (1 - share)),
  requests_bad: constant(imaginedRate * share),
})

export const faults: readonly Fault[] = [
  {
    ...{ name: 'kill one', of: 'service', what: 'one of its instances is killed', severity: 'warning', withinMs: 5 * second, stepMs: second },
    series: { ready: (since) => (since < 2 * second ? 1 : 2) },
    events: [{ type: 'instance.exited', after: 0, data: { class: 'killed', instance: 'imagined-1' } }],
  },
  {
    ...{ name: 'kill all', of: 'service', what: 'nothing of it is ready', severity: 'critical', withinMs: 5 * second, stepMs: second },
    series: { ready: constant(0), unavailable: constant(1) },
    events: [{ type: 'instance.exited', after: 0, data: { class: 'killed', instance: 'imagined-1' } }],
  },
  {
    ...{
      name: 'crash loop',
      of: 'service',
      what: 'one of its instances ends again and again',
      severity: 'critical',
      withinMs: 30 * second,
      stepMs: second,
    },
    series: { ready: constant(1), crash_looping: constant(1) },
  },
  {
    ...{
      name: 'too few',
      of: 'service',
      what: 'one of its instances does not become ready',
      severity: 'warning',
      withinMs: 6 * minute,
      stepMs: 10 * second,
    },
    series: { ready: constant(1) },
  },
  {
    ...{
      name: 'black hole',
      of: 'service',
      what: 'an endpoint takes connections and does not answer',
      severity: 'warning',
      withinMs: 20 * second,
      stepMs: second,
    },
    series: { endpoint_healthy: (since) => (since < 6 * second ? 1 : 0) },
  },
  {
    ...{ name: '5xx', of: 'service', what: 'one request in five fails', severity: 'critical', withinMs: 2 * minute, stepMs: second },
    series: failing(0.2),
  },
  {
    ...{ name: 'some 5xx', of: 'service', what: 'two requests in a hundred fail', severity: 'critical', withinMs: hour, stepMs: minute },
    series: failing(0.02),
  },
  {
    ...{
      name: 'few 5xx',
      of: 'service',
      what: 'one request in two hundred fails, for a day',
      severity: 'warning',
      withinMs: day,
      stepMs: 15 * minute,
    },
    series: failing(0.005),
  },
  {
    ...{ name: 'latency', of: 'service', what: 'it answers ten times slower', severity: 'warning', withinMs: 5 * minute, stepMs: 5 * second },
    series: { p50: constant(200), p95: constant(1_000), p99: constant(3_000) },
  },
  {
    ...{
      name: 'memory leak',
      of: 'service',
      what: 'an instance takes more memory than it may',
      severity: 'warning',
      withinMs: 5 * second,
      stepMs: second,
    },
    series: {},
    events: [{ type: 'instance.memoryExceeded', after: 0, data: { instance: 'imagined-1' } }],
  },
  {
    ...{ name: 'check down', of: 'check', what: 'it fails until it is taken for down', severity: 'warning', withinMs: 5 * second, stepMs: second },
    series: { check_up: constant(0) },
  },
  {
    ...{
      name: 'threshold',
      of: 'check',
      what: 'what it measures crosses its first threshold',
      severity: 'warning',
      withinMs: 5 * second,
      stepMs: second,
    },
    series: { check_level: constant(1) },
  },
  {
    ...{ name: 'flaky', of: 'check', what: 'it fails now and then', severity: 'warning', withinMs: hour, stepMs: minute },
    series: {},
    events: Array.from({ length: 20 }, (_, i) => ({ type: 'check.suspected', after: i * 3 * minute, data: { cause: 'probe' } })),
  },
  {
    ...{ name: 'disk filling', of: 'machine', what: 'the disk is 88 % full', severity: 'warning', withinMs: 5 * second, stepMs: second },
    series: { machine_disk: constant(88) },
  },
  {
    ...{ name: 'disk full', of: 'machine', what: 'the disk is 97 % full', severity: 'critical', withinMs: 5 * second, stepMs: second },
    series: { machine_disk: constant(97) },
  },
  {
    ...{ name: 'memory', of: 'machine', what: '95 % of the memory is in use', severity: 'warning', withinMs: 5 * minute, stepMs: 5 * second },
    series: { machine_memory: constant(95) },
  },
  {
    ...{ name: 'certificate', of: 'machine', what: 'a certificate expires in two weeks', severity: 'warning', withinMs: 5 * second, stepMs: second },
    series: { certificate_days: constant(14) },
  },
  {
    ...{
      name: 'certificate soon',
      of: 'machine',
      what: 'a certificate expires in three days',
      severity: 'critical',
      withinMs: 5 * second,
      stepMs: second,
    },
    series: { certificate_days: constant(3) },
  },
  {
    ...{
      name: 'no balancer',
      of: 'machine',
      what: 'the control process does not reach the balancer',
      severity: 'critical',
      withinMs: 30 * second,
      stepMs: second,
    },
    series: { proxy_connected: constant(0) },
  },
  {
    ...{
      name: 'dying workers',
      of: 'machine',
      what: 'workers of the balancer end again and again',
      severity: 'warning',
      withinMs: 5 * minute,
      stepMs: 5 * second,
    },
    series: {},
    events: [0, 1, 2, 3].map((n) => ({ type: 'proxy.workerExited', after: n * 30 * second })),
  },
  {
    ...{ name: 'damaged store', of: 'machine', what: 'the state store is damaged', severity: 'critical', withinMs: 5 * second, stepMs: second },
    series: {},
    events: [{ type: 'store.setAside', after: 0 }],
  },
]
