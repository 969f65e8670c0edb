/** Alerts as the API shows them, and how they look. */
import type { Alert } from '../../../../src/api/types.ts'
import type { Tone } from '../../ui/icon.tsx'
import { Badge, Status } from '../../ui/status.tsx'

export type Labels = Alert['labels']
type Severity = Alert['type']

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
