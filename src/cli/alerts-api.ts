/** Alerts, silences and incidents as the API tells of them. Times are ISO 8601, UTC. */
export interface AlertDescription {
  readonly id: string
  readonly type: 'warning' | 'critical' | 'emergency'
  readonly title: string
  readonly message: string
  readonly service: string | null
  readonly status: 'active' | 'acknowledged' | 'suppressed' | 'resolved'
  readonly labels: Readonly<Record<string, string>>
  readonly startsAt: string
  readonly receivers: readonly string[]
  readonly quiet: { readonly by: string; readonly reason: string } | null
  readonly acknowledged: { readonly by: string; readonly comment: string; readonly until: string } | null
}

export interface SilenceDescription {
  readonly id: string
  readonly state: 'pending' | 'active' | 'expired'
  readonly matchers: readonly string[]
  readonly startsAt: string
  readonly endsAt: string
  readonly createdBy: string
  readonly comment: string
  readonly matched: number
}

export interface NewSilence {
  readonly matchers: readonly string[]
  readonly comment: string
  readonly for: number
  readonly endOnResolve?: true | undefined
  readonly force?: true | undefined
}

export interface AlertExplanationDescription {
  readonly alert: AlertDescription
  readonly routes: readonly {
    readonly route: string
    readonly receiver: string | null
    readonly group: string
    readonly groupAlerts: number
    readonly escalation: readonly { readonly receiver: string; readonly afterMs: number; readonly at: string | null; readonly done: boolean }[]
    readonly lastTold: { readonly at: string; readonly firing: boolean } | null
    readonly mutedBy: string | null
    readonly next: string | null
    readonly reason: string
  }[]
}

export interface RouteDescription {
  readonly receiver: string | null
  readonly route: string
}

export interface IncidentDescription {
  readonly id: string
  readonly title: string
  readonly status: string
  readonly impact: string
  readonly openedAt: string
  readonly resolvedAt: string | null
  readonly services: readonly string[]
  readonly cause: { readonly text: string; readonly at: string } | null
  readonly alerts: readonly { readonly summary: string; readonly endsAt: string | null }[]
  /** Only of a single one. */
  readonly timeline?: readonly { readonly at: string; readonly kind: string; readonly text: string }[]
}
