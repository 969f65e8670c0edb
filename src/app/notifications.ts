/** `AlertOperations`: the notifier among the other parts. It tells of what rules and programs put, and follows the configuration. */
import { stringify } from 'yaml'
import { Incidents, Notifier, type Labels, type MaintenanceReader, type PutAlert, type Suppressor } from '../alerting/index.ts'
import { isResolved, type Alert } from '../alerting/core/alerts.ts'
import type { Group } from '../alerting/core/groups.ts'
import { alertmanagerForm } from '../alerting/core/alertmanager-config.ts'
import { severityOf } from '../alerting/core/notification.ts'
import { routesFor } from '../alerting/core/routes.ts'
import { silenceState, type Silence, type SilenceDraft } from '../alerting/core/silences.ts'
import type { Config } from '../config/types.ts'
import { HoldfastError } from '../kernel/errors.ts'
import type { AnyEvent, EventSink } from '../kernel/events.ts'
import type { Random } from '../kernel/random.ts'
import type { Clock } from '../kernel/time.ts'
import type { StateStore } from '../store/port.ts'
import type {
  Ack,
  AlertExplanation,
  AlertOperations,
  AlertRouteExplanation,
  AlertView,
  DeadLetter,
  GroupView,
  Incident,
  ReceiverView,
  SilenceView,
} from './alert-operations.ts'
import type { PublicIncident } from '../status/types.ts'
import type { EventBus } from './event-bus.ts'
import type { Actor } from './operations.ts'

export interface NotificationsDeps {
  readonly clock: Clock
  readonly random: Random
  readonly store: StateStore
  readonly events: EventSink & Pick<EventBus, 'on' | 'query'>
  readonly newId: () => string
  /** Address of the API; asked only when something is told. */
  readonly apiUrl: () => string
  /** In force now. */
  readonly config: () => Config
  readonly suppressor?: Suppressor | undefined
  readonly maintenance?: MaintenanceReader | undefined
  readonly onProblem: (error: unknown) => void
}

/** Before an outage, to find what led to it. */
const eventsLookedAtMax = 1_000

export class Notifications implements AlertOperations {
  readonly #deps: NotificationsDeps
  readonly notifier: Notifier
  readonly #incidents: Incidents
  #listening: Disposable | undefined
  #following: Disposable | undefined

  constructor(deps: NotificationsDeps) {
    this.#deps = deps
    const { clock, random, store, events, newId, apiUrl, config, suppressor, maintenance, onProblem } = deps
    this.notifier = new Notifier({
      clock,
      random,
      store,
      events,
      newId,
      externalUrl: apiUrl,
      config: config().alerting,
      suppressor,
      maintenance,
      onProblem,
    })
    const recentEvents = (since: number): readonly AnyEvent[] => events.query({ since, order: 'ascending', limit: eventsLookedAtMax })
    this.#incidents = new Incidents({ clock, notifier: this.notifier, events, newId, recentEvents })
  }

  /** The store must have started. */
  async start(): Promise<void> {
    await this.notifier.start()
    await this.#incidents.start()
    this.#following = this.#deps.events.on('*', (event) => {
      this.#incidents.onEvent(event)
    })
    this.#listening = this.#deps.events.on('config.applied', () => {
      const { alerting } = this.#deps.config()
      if (JSON.stringify(alerting) !== JSON.stringify(this.notifier.config)) this.notifier.adopt(alerting)
    })
  }

  async stop(): Promise<void> {
    this.#listening?.[Symbol.dispose]()
    this.#following?.[Symbol.dispose]()
    await this.notifier.stop()
  }

  get #now(): number {
    return this.#deps.clock.wallTime()
  }

  // --- alerts -------------------------------------------------------------------------------------------------------

  put(alerts: readonly PutAlert[]): readonly unknown[] {
    return this.notifier.tryPut(alerts)
  }

  alerts({ all = false }: { readonly all?: boolean } = {}): readonly AlertView[] {
    const now = this.#now
    return this.notifier.dispatcher
      .alerts()
      .filter((alert) => all || !isResolved(alert, now))
      .map((alert) => this.#view(alert, now))
  }

  alert(id: string): AlertView {
    const alert = this.notifier.dispatcher.alert(id)
    if (alert === undefined)
      throw new HoldfastError('unknown_alert', `looked for alert ${id}, found no such alert`, { hint: 'see: holdfast alerts --all' })
    return this.#view(alert, this.#now)
  }

  #view(alert: Alert, now: number): AlertView {
    const { dispatcher } = this.notifier
    const { fingerprint } = alert
    return {
      id: fingerprint,
      alert,
      severity: severityOf(alert),
      isFiring: !isResolved(alert, now),
      quiet: dispatcher.quiet(alert, now),
      ack: dispatcher.acked(fingerprint),
      receivers: [...new Set(dispatcher.routesOf(fingerprint).map(({ options }) => options.receiver))],
    }
  }

  groups(): readonly GroupView[] {
    const now = this.#now
    const { dispatcher } = this.notifier
    return dispatcher.groups().map((group) => {
      const alerts = [...group.alerts].flatMap((fingerprint) => dispatcher.alert(fingerprint) ?? []).filter((alert) => !isResolved(alert, now))
      return { labels: group.labels, receiver: group.route.options.receiver, alerts: alerts.map((alert) => this.#view(alert, now)) }
    })
  }

  ack(id: string, { comment, forMs, actor }: { readonly comment: string; readonly forMs?: number | undefined; readonly actor: Actor }): Ack {
    return this.notifier.ack(id, { by: actor.name, comment, forMs, cause: actor.cause })
  }

  // --- why ----------------------------------------------------------------------------------------------------------

  explainAlert(id: string): AlertExplanation {
    const view = this.alert(id)
    return { view, routes: this.notifier.dispatcher.groupsOf(id).map((group) => this.#explainGroup(view, group)) }
  }

  #explainGroup(view: AlertView, group: Group): AlertRouteExplanation {
    const { dispatcher } = this.notifier
    const { options, key } = group.route
    const last = dispatcher.lastTold(group, options.receiver)
    const mutedBy = dispatcher.mutedNow(group.route, this.#now)
    const escalation = options.escalate.map(({ receiver, afterMs }, i) => ({
      receiver,
      afterMs,
      at: group.toldAt === undefined ? undefined : group.toldAt + afterMs,
      done: i < group.steps,
    }))
    const isKnown = last?.firing.has(view.id) ?? false
    const lastTold = last && { at: last.at, firing: isKnown }
    return {
      route: key,
      receiver: options.receiver,
      group: group.key,
      groupAlerts: group.alerts.size,
      escalation,
      lastTold,
      mutedBy,
      ...this.#next(view, group, isKnown, mutedBy),
    }
  }

  #next(
    { quiet, isFiring, ack }: AlertView,
    group: Group,
    isKnown: boolean,
    mutedBy: string | undefined,
  ): Pick<AlertRouteExplanation, 'next' | 'reason'> {
    const { receiver, repeatIntervalMs, groupIntervalMs } = group.route.options
    const at = group.nextFlushAt
    if (this.notifier.config.receivers[receiver]?.alertmanager !== undefined && isFiring && !quiet && !isKnown)
      return { next: undefined, reason: 'its Alertmanager has it, and decides by itself' }
    if (receiver === '') return { next: undefined, reason: 'no receiver is configured for it: it is only shown' }
    if (!isFiring)
      return isKnown
        ? { next: at, reason: 'that it is over is told with the next look at its group' }
        : { next: undefined, reason: 'it is over, and was never told' }
    if (quiet) return { next: undefined, reason: `${quiet.by}: ${quiet.reason}` }
    if (mutedBy !== undefined) return { next: undefined, reason: `its route is silent now: ${mutedBy}` }
    if (group.busy.size > 0) return { next: this.#now, reason: 'it is being sent, or sent again, at this moment' }
    if (!isKnown) return { next: at, reason: group.lastFlushAt === undefined ? 'its group waits a moment for others' : 'new in its group' }
    if (ack) return { next: undefined, reason: `acknowledged by ${ack.by}` }
    const last = this.notifier.dispatcher.lastTold(group, receiver)?.at ?? at
    const waits = Math.max(1, Math.ceil((last + repeatIntervalMs - at) / groupIntervalMs))
    return {
      next: at + (last + repeatIntervalMs > at ? waits * groupIntervalMs : 0),
      reason: 'told already: said again when the repeat interval is over',
    }
  }

  // --- silences -----------------------------------------------------------------------------------------------------

  silences(): readonly SilenceView[] {
    return this.notifier.dispatcher.silences.all().map((silence) => this.#silenceView(silence))
  }

  silence(id: string): SilenceView {
    const silence = this.notifier.dispatcher.silences.get(id)
    if (silence === undefined) throw new HoldfastError('unknown_silence', `looked for silence ${id}, found no such silence`)
    return this.#silenceView(silence)
  }

  #silenceView(silence: Silence): SilenceView {
    return { ...silence, state: silenceState(silence, this.#now) }
  }

  async setSilence(draft: SilenceDraft, { actor }: { readonly actor: Actor }): Promise<SilenceView> {
    return this.#silenceView(await this.notifier.setSilence(draft, actor.name, actor.cause))
  }

  async expireSilence(id: string): Promise<SilenceView> {
    return this.#silenceView(await this.notifier.expireSilence(id))
  }

  // --- receivers ----------------------------------------------------------------------------------------------------

  receivers(): readonly ReceiverView[] {
    const counts = [...this.notifier.counts.values()]
    return Object.entries(this.notifier.config.receivers).map(([name, { sendResolved: _, ...ways }]) => {
      const own = counts.filter(({ receiver }) => receiver === name)
      const sum = (read: (each: (typeof counts)[number]) => number): number => own.reduce((total, each) => total + read(each), 0)
      return {
        name,
        ways: Object.entries(ways).flatMap(([way, settings]) => (settings === undefined ? [] : [way])),
        sent: sum(({ sent }) => sent),
        failed: sum(({ failed }) => failed),
      }
    })
  }

  alertmanagerConfig(): string {
    const { resolveTimeout, ...config } = this.notifier.config
    return stringify(alertmanagerForm({ ...config, resolveTimeoutMs: resolveTimeout }))
  }

  /** For the metrics. */
  readings(): {
    readonly alerts: readonly { readonly severity: string; readonly status: 'active' | 'acknowledged' | 'suppressed' }[]
    readonly notifications: readonly { readonly receiver: string; readonly integration: string; readonly sent: number; readonly failed: number }[]
    readonly silences: number
    readonly deadLetters: number
  } {
    const alerts = this.alerts().map(
      ({ severity, quiet, ack }) => ({ severity, status: quiet ? 'suppressed' : ack ? 'acknowledged' : 'active' }) as const,
    )
    const silences = this.notifier.activeSilences().length
    return { alerts, notifications: [...this.notifier.counts.values()], silences, deadLetters: this.notifier.deadLetters.all().length }
  }

  testReceiver(name: string): Promise<readonly string[]> {
    return this.notifier.test(name)
  }

  deadLetters(): readonly DeadLetter[] {
    return this.notifier.deadLetters.all()
  }

  async resend(id: string): Promise<void> {
    await this.notifier.resend(id)
  }

  routesOf(labels: Labels): readonly { readonly receiver: string; readonly route: string }[] {
    return routesFor(this.notifier.dispatcher.policy.root, labels).map(({ options, key }) => ({ receiver: options.receiver, route: key }))
  }

  // --- incidents ----------------------------------------------------------------------------------------------------

  incidents(): readonly Incident[] {
    return this.#incidents.book.all()
  }

  incident(id: string): Incident {
    return this.#incidents.book.get(id)
  }

  postIncident(id: string, post: Parameters<AlertOperations['postIncident']>[1], { actor }: { readonly actor: Actor }): Incident {
    return this.#incidents.post(id, { ...post, by: actor.name }, actor.cause)
  }

  /** For the public status page. */
  published(): readonly PublicIncident[] {
    return this.incidents()
      .filter(({ published }) => published)
      .map(({ id, impact, openedAt, resolvedAt, services, updates }) => ({
        ...{ id, impact, startedAt: openedAt, resolvedAt, services, byHand: updates.some(({ by }) => by !== 'holdfast') },
        updates: updates.map(({ at, status, text }) => ({ at, status, text })).toReversed(),
      }))
  }
}
