/** Alerts as the API shows them, and how they look. */
import type { Tone } from '../../ui/icon.tsx'
import { Badge, Status } from '../../ui/status.tsx'

export type Labels = Readonly<Record<string, string>>
export type Severity = 'warning' | 'critical' | 'emergency'

export interface Alert {
  readonly id: string
  readonly type: Severity
  readonly title: string
  readonly message: string
  readonly service: string | null
  readonly status: 'active' | 'acknowledged' | 'suppressed' | 'resolved'
  readonly labels: Labels
  readonly annotations: Labels
  readonly startsAt: string
  readonly endsAt: string | null
  readonly receivers: readonly string[]
  readonly quiet: { readonly by: string; readonly ids: readonly string[]; readonly reason: string } | null
  readonly acknowledged: { readonly by: string; readonly comment: string; readonly at: string; readonly until: string } | null
  readonly url: string | null
}

export interface Silence {
  readonly id: string
  readonly state: 'pending' | 'active' | 'expired'
  readonly matchers: readonly string[]
  readonly startsAt: string
  readonly endsAt: string
  readonly createdBy: string
  readonly comment: string
  readonly endOnResolve: boolean
  readonly matched: number
}

export const severityTones: Readonly<Record<Severity, Tone>> = { warning: 'warn', critical: 'bad', emergency: 'bad' }

export const AlertState = ({ type, status }: Pick<Alert, 'type' | 'status'>) => (
  <Status tone={status === 'resolved' ? 'ok' : severityTones[type]}>{status === 'resolved' ? 'resolved' : type}</Status>
)

export const Standing = ({ alert: { status, acknowledged, quiet } }: { alert: Alert }) => {
  if (status === 'resolved') return null
  if (quiet)
    return (
      <Badge tone="info" title={quiet.reason}>
        {quiet.by}
      </Badge>
    )
  return acknowledged ? <Badge tone="accent" title={acknowledged.comment}>{`taken up by ${acknowledged.by}`}</Badge> : null
}

/** Those that the row does not say anyway. */
export const LabelList = ({ labels, without = [] }: { labels: Labels; without?: readonly string[] }) => (
  <span class="labels">
    {Object.entries(labels)
      .filter(([name]) => !without.includes(name))
      .map(([name, value]) => (
        <code key={name}>
          {name}={value}
        </code>
      ))}
  </span>
)
