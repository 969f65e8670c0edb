/**
 * Which of the incidents that there were a rule should have told of: those of the services that it names, and those that it has told of itself. What has nothing to do
 * with it, it cannot miss.
 */
import type { Incident } from '../alerting/core/incidents.ts'
import type { TimeWindow } from '../alerting/core/backtest/backtest.ts'

/** An incident is opened when the first alert of it fires; what a rule would have told a little before is told of it. */
const earlierMs = 120_000

/** undefined: there is none that it should have told of, and nothing is said of any. */
export function incidentsOf(
  rule: { readonly name: string; readonly services: readonly string[] },
  incidents: readonly Incident[],
  { from, to }: { readonly from: number; readonly to: number },
): readonly TimeWindow[] | undefined {
  const concerned = incidents.filter(
    ({ services, alerts, openedAt, resolvedAt }) =>
      openedAt < to &&
      (resolvedAt ?? to) > from &&
      (services.some((name) => rule.services.includes(name)) || alerts.some(({ labels }) => labels.alertname === rule.name)),
  )
  if (concerned.length === 0) return undefined
  return concerned.map(({ id, openedAt, resolvedAt }) => ({ name: `incident ${id}`, from: openedAt - earlierMs, to: resolvedAt ?? to }))
}
