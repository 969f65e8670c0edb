/** What a user can ask of alerts: which there are, who is told of them and why not, silences, acknowledgements, receivers. */
import type { Alert } from '../alerting/core/alerts.ts'
import type { Ack, Quiet } from '../alerting/core/dispatcher.ts'
import type { Incident, IncidentStatus } from '../alerting/core/incidents.ts'
import type { Silence, SilenceDraft, SilenceState } from '../alerting/core/silences.ts'
import type { DeadLetter, Labels, PutAlert } from '../alerting/index.ts'
import type { Actor } from './operations.ts'

export type { Ack, Alert, DeadLetter, Incident, PutAlert, Quiet, Silence, SilenceDraft, SilenceState }

export interface AlertView {
  /** The fingerprint of its labels. */
  readonly id: string
  readonly alert: Alert
  readonly severity: 'warning' | 'critical' | 'emergency'
  readonly isFiring: boolean
  /** Why nobody is told of it; undefined: they are. */
  readonly quiet: Quiet | undefined
  readonly ack: Ack | undefined
  /** Of its routes, escalation not among them. */
  readonly receivers: readonly string[]
}

export interface GroupView {
  readonly labels: Readonly<Record<string, string>>
  readonly receiver: string
  readonly alerts: readonly AlertView[]
}

export interface ReceiverView {
  readonly name: string
  readonly ways: readonly string[]
  readonly sent: number
  readonly failed: number
}

export interface SilenceView extends Silence {
  readonly state: SilenceState
}

/** How one route treats an alert. */
export interface AlertRouteExplanation {
  /** The places in the tree: `{}/{severity="critical"}`. */
  readonly route: string
  readonly receiver: string
  readonly group: string
  readonly groupAlerts: number
  /** Who is told too, and when, if nobody acknowledges. */
  readonly escalation: readonly { readonly receiver: string; readonly afterMs: number; readonly at: number | undefined; readonly done: boolean }[]
  readonly lastTold: { readonly at: number; readonly firing: boolean } | undefined
  readonly mutedBy: string | undefined
  /** undefined: nobody will be told as things stand. */
  readonly next: number | undefined
  readonly reason: string
}

export interface AlertExplanation {
  readonly view: AlertView
  readonly routes: readonly AlertRouteExplanation[]
}

export interface AlertOperations {
  /** Firing ones; with `all` also those that are over and not forgotten. */
  alerts(options?: { readonly all?: boolean }): readonly AlertView[]
  /** Throws `unknown_alert`. */
  alert(id: string): AlertView
  groups(): readonly GroupView[]
  /** Returns why those that were not taken were not. */
  put(alerts: readonly PutAlert[]): readonly unknown[]
  ack(id: string, options: { readonly comment: string; readonly forMs?: number | undefined; readonly actor: Actor }): Ack
  explainAlert(id: string): AlertExplanation
  silences(): readonly SilenceView[]
  /** Throws `unknown_silence`. */
  silence(id: string): SilenceView
  /** Rejects with `invalid_input`, `unknown_silence`, `conflict`. */
  setSilence(draft: SilenceDraft, options: { readonly actor: Actor }): Promise<SilenceView>
  expireSilence(id: string, options: { readonly actor: Actor }): Promise<SilenceView>
  receivers(): readonly ReceiverView[]
  /** The routes as YAML in the form of Alertmanager, for tools that read that; without secrets. */
  alertmanagerConfig(): string
  /** Sends a test; resolves with the ways in which it went. Rejects with `unknown_receiver`, `send_failed`. */
  testReceiver(name: string, options: { readonly actor: Actor }): Promise<readonly string[]>
  deadLetters(): readonly DeadLetter[]
  resend(id: string, options: { readonly actor: Actor }): Promise<void>
  /** Newest first. */
  incidents(): readonly Incident[]
  /** Throws `unknown_incident`. */
  incident(id: string): Incident
  /** Writes about one, for the status page unless told otherwise. */
  postIncident(
    id: string,
    post: { readonly text: string; readonly status?: IncidentStatus | undefined; readonly published?: boolean | undefined },
    options: { readonly actor: Actor },
  ): Incident
  /** Receivers of whoever would be told of such an alert, and the places of their routes. */
  routesOf(labels: Labels): readonly { readonly receiver: string; readonly route: string }[]
}
