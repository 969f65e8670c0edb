/** Alerts, silences and incidents as the API tells of them. */
import type { Incident, IncidentDetail } from '../api/types.ts'

export type { Alert as AlertDescription, AlertExplanation as AlertExplanationDescription, Silence as SilenceDescription } from '../api/types.ts'

/** What the list leaves out is there of a single one. */
export type IncidentDescription = Incident & Partial<IncidentDetail>

export interface NewSilence {
  readonly matchers: readonly string[]
  readonly comment: string
  readonly for: number
  readonly endOnResolve?: true | undefined
  readonly force?: true | undefined
}

export interface RouteDescription {
  readonly receiver: string | null
  readonly route: string
}
