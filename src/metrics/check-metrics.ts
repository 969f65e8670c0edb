/** What checks found, for Prometheus: those of the configuration and of programs. Services by their own probes have metrics of their own. */
import type { CheckStatus, NetworkView } from '../health/types.ts'
import type { CacheMetric } from './cache-metrics.ts'
import type { Sample } from './histograms.ts'

export interface CheckReadings {
  readonly checks: readonly CheckStatus[]
  readonly network: NetworkView
}

const levels = { ok: 0, warning: 1, critical: 2 } as const

export function checkMetrics(readings: () => CheckReadings | undefined): readonly CacheMetric[] {
  const perCheck = (read: (check: CheckStatus) => number | undefined): (() => readonly Sample[]) => {
    return () =>
      (readings()?.checks ?? []).flatMap((check) => {
        const value = check.kind === 'service' ? undefined : read(check)
        return value === undefined ? [] : [[{ check: check.name, kind: check.kind }, value] as const]
      })
  }
  const gauge = (name: string, help: string, read: (check: CheckStatus) => number | undefined): CacheMetric => ({
    kind: 'gauge',
    name,
    help,
    labels: ['check', 'kind'],
    read: perCheck(read),
  })
  return [
    gauge('holdfast_check_up', '1 while the check is up or only suspect, 0 while it is down. Nothing while nothing is known.', upOf),
    gauge('holdfast_check_level', 'What it measures: 0 within its thresholds, 1 beyond the first, 2 beyond the second.', (check) =>
      upOf(check) === undefined ? undefined : levels[check.level],
    ),
    gauge('holdfast_check_duration_seconds', 'How long the last run took.', ({ last }) => last && last.latencyMs / 1_000),
    gauge('holdfast_check_certificate_seconds', 'How long the certificate that an https or tls check was served is still valid.', ({ last }) =>
      last?.certificateMs === undefined ? undefined : last.certificateMs / 1_000,
    ),
    gauge(
      'holdfast_check_value',
      'What the last run measured: percent, a number, bytes a second, or milliseconds, by the kind of check.',
      ({ last }) => last?.value,
    ),
    gauge('holdfast_check_last_run_timestamp_seconds', 'When the last run began, in seconds since 1970.', ({ last }) => last && last.at / 1_000),
    {
      kind: 'counter',
      name: 'holdfast_check_blips_total',
      help: 'Suspicions that came to nothing.',
      labels: ['check', 'kind'],
      read: perCheck(({ blips }) => blips),
    },
    {
      kind: 'gauge',
      name: 'holdfast_network_blind',
      help: '1 while this node itself does not see the network.',
      labels: [],
      read: () => {
        const now = readings()
        return now === undefined ? [] : [[{}, now.network.blind ? 1 : 0]]
      },
    },
  ]
}

function upOf({ state }: CheckStatus): number | undefined {
  if (state === 'up' || state === 'suspect') return 1
  return state === 'down' || state === 'recovering' ? 0 : undefined
}
