/** Incidents as the API shows them. */
import { Status } from '../../ui/status.tsx'
import type { Labels } from './alert-words.tsx'

type IncidentStatus = 'investigating' | 'identified' | 'monitoring' | 'resolved' | 'postmortem'

export interface Incident {
  readonly id: string
  readonly title: string
  readonly status: IncidentStatus
  readonly impact: 'none' | 'minor' | 'major' | 'critical'
  readonly openedAt: string
  readonly resolvedAt: string | null
  readonly services: readonly string[]
  readonly cause: { readonly event: string; readonly type: string; readonly at: string; readonly text: string } | null
  readonly published: boolean
  readonly alerts: readonly {
    readonly id: string
    readonly labels: Labels
    readonly severity: string
    readonly summary: string
    readonly startsAt: string
    readonly endsAt: string | null
  }[]
}

export interface IncidentDetail extends Incident {
  readonly timeline: readonly {
    readonly at: string
    readonly kind: 'alert' | 'event' | 'ack' | 'notification' | 'update'
    readonly text: string
    readonly event: string | null
  }[]
  readonly updates: readonly { readonly at: string; readonly status: IncidentStatus; readonly text: string; readonly by: string }[]
}

export const incidentHref = (id: string): string => `/incidents/${encodeURIComponent(id)}`

export const IncidentState = ({ status, resolvedAt, impact }: Pick<Incident, 'status' | 'resolvedAt' | 'impact'>) => (
  <Status tone={resolvedAt !== null ? 'ok' : impact === 'minor' || impact === 'none' ? 'warn' : 'bad'} title={`impact: ${impact}`}>
    {status}
  </Status>
)
