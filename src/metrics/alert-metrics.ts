/** Alerts and notifications, for Prometheus. */
import type { CacheMetric } from './cache-metrics.ts'

export interface AlertReadings {
  /** Of what fires. */
  readonly alerts: readonly { readonly severity: string; readonly status: 'active' | 'acknowledged' | 'suppressed' }[]
  readonly notifications: readonly { readonly receiver: string; readonly integration: string; readonly sent: number; readonly failed: number }[]
  readonly silences: number
  readonly deadLetters: number
}

const severities = ['warning', 'critical', 'emergency']
const statuses = ['active', 'acknowledged', 'suppressed']

export function alertMetrics(readings: () => AlertReadings | undefined): readonly CacheMetric[] {
  const perReceiver = (read: (each: AlertReadings['notifications'][number]) => number): CacheMetric['read'] => {
    return () => (readings()?.notifications ?? []).map((each) => [{ receiver: each.receiver, integration: each.integration }, read(each)] as const)
  }
  const one = (read: (now: AlertReadings) => number): CacheMetric['read'] => {
    return () => {
      const now = readings()
      return now === undefined ? [] : [[{}, read(now)]]
    }
  }
  const labels = ['receiver', 'integration']
  return [
    { kind: 'gauge', name: 'holdfast_alerts', help: 'Alerts that fire.', labels: ['severity', 'status'], read: () => counted(readings()) },
    { kind: 'gauge', name: 'holdfast_silences', help: 'Silences that are active.', labels: [], read: one(({ silences }) => silences) },
    {
      kind: 'gauge',
      name: 'holdfast_notifications_dead',
      help: 'Notifications that never arrived and are kept.',
      labels: [],
      read: one(({ deadLetters }) => deadLetters),
    },
    { kind: 'counter', name: 'holdfast_notifications_total', help: 'Notifications that arrived.', labels, read: perReceiver(({ sent }) => sent) },
    {
      kind: 'counter',
      name: 'holdfast_notifications_failed_total',
      help: 'Notifications given up.',
      labels,
      read: perReceiver(({ failed }) => failed),
    },
  ]
}

/** Also those of which there are none, so that a rule sees a zero. */
function counted(now: AlertReadings | undefined): ReturnType<CacheMetric['read']> {
  if (now === undefined) return []
  return severities.flatMap((severity) =>
    statuses.map(
      (status) => [{ severity, status }, now.alerts.filter((each) => each.severity === severity && each.status === status).length] as const,
    ),
  )
}
