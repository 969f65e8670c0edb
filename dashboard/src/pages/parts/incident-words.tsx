/** Incidents as the API shows them. */
import type { Incident } from '../../../../src/api/types.ts'
import { Status } from '../../ui/status.tsx'

export const incidentHref = (id: string): string => `/incidents/${encodeURIComponent(id)}`

export const IncidentState = ({ status, resolvedAt, impact }: Pick<Incident, 'status' | 'resolvedAt' | 'impact'>) => (
  <Status tone={resolvedAt !== null ? 'ok' : impact === 'minor' || impact === 'none' ? 'warn' : 'bad'} title={`impact: ${impact}`}>
    {status}
  </Status>
)
