/**
 * The dispatcher with a clock, a store and channels: takes alerts, tells receivers, and knows after a restart what it knew before.
 *
 *   put ─▶ Dispatcher ─▶ orders ─▶ Sender ─▶ channel
 *             │  ▲ restored at the start           └─ dead letters
 *             └──┴── Book (store)
 */
import type { AlertingConfig } from '../config/types.ts'
import { HoldfastError, messageOf } from '../kernel/errors.ts'
import type { EventSink } from '../kernel/events.ts'
import type { Random } from '../kernel/random.ts'
import { after, instant, ms, type Clock } from '../kernel/time.ts'
import type { StateStore } from '../store/port.ts'
import { Announcer } from './announcer.ts'
import { Book, gatherMs } from './book.ts'
import { failingName, isResolved, type Alert } from './core/alerts.ts'
import { ClockWatch } from './core/clock-watch.ts'
import { Dispatcher, dispatchLimits, type Ack, type Changes, type Order, type Quieter, type Ticked } from './core/dispatcher.ts'
import { wayOf, type GroupRecord } from './core/groups.ts'
import type { Notification } from './core/notification.ts'
import { silenceState, type Silence, type SilenceDraft, type SilenceRecord } from './core/silences.ts'
import { DeadLetters, type DeadLetter } from './dead-letters.ts'
import { policyOf } from './policy.ts'
import { isAlertRecord, isGroupRecord, isSilenceRecord } from './records.ts'
import { channelsOf } from './receivers/index.ts'
import type { Channel } from './receivers/port.ts'
import { Relay } from './relay.ts'
import { Sender } from './sender.ts'
import type { AlertSink, Labels, MaintenanceReader, PutAlert, Suppressor } from './types.ts'

export interface NotifierDeps {
  readonly clock: Clock
  readonly random: Random
  readonly store: StateStore
  readonly events: EventSink
  readonly newId: () => string
  /** Where people look: the address of the API. */
  readonly externalUrl: () => string
  readonly config: AlertingConfig
  readonly suppressor?: Suppressor | undefined
  readonly maintenance?: MaintenanceReader | undefined
  readonly onProblem: (error: unknown) => void
}

/** What happens to alerts, for whoever keeps incidents or counts. */
export interface NotifierListener {
  changed?(changes: Changes): void
  ticked?(now: number): void
  /** The clock on the wall was set by so much. */
  clockSet?(by: number): void
  notified?(notification: Notification, integration: string, arrived: boolean, event: string): void
  acked?(alert: Alert, ack: Ack): void
}

interface OpenChannel {
  readonly channel: Channel
  readonly settings: string
  /** The configuration has another now, or all ends. */
  readonly abort: AbortController
}

/** After a start: until rules have spoken once, or this is over. */
const settleMs = 10_000
/** Ends of alerts, silences and acknowledgements are seen so late at most. */
const lookMs = 1_000
/** Between two looks: thousands of groups that are due one after the other are not looked for one by one. */
const tickGapMs = 25
const sentCountsMax = 1_000

export class Notifier implements AlertSink {
  readonly #deps: NotifierDeps
  readonly #dispatcher: Dispatcher
  readonly #announcer: Announcer
  readonly #book: Book
  readonly #sender: Sender
  readonly #relay: Relay
  readonly deadLetters: DeadLetters
  readonly #listeners = new Set<NotifierListener>()
  readonly #stop = new AbortController()
  readonly #watch = new ClockWatch()
  readonly #sending = new Set<Promise<void>>()
  readonly #suppressed = new Set<string>()
  /** By receiver, integration and outcome. */
  readonly counts = new Map<string, { readonly receiver: string; readonly integration: string; sent: number; failed: number }>()
  #channels = new Map<string, OpenChannel>()
  /** Receivers of which an alert says that they cannot be told. */
  readonly #failing = new Set<string>()
  #config: AlertingConfig
  #timer: Disposable | undefined
  #timerAt = Infinity
  #tickedAt = -Infinity
  #writeTimer: Disposable | undefined
  #listening: Disposable | undefined
  #running = false

  constructor(deps: NotifierDeps) {
    this.#deps = deps
    this.#config = deps.config
    const { suppressor, maintenance } = deps
    const quieter: Quieter = {
      ...(suppressor && { suppression: (labels, startsAt) => suppressor.suppression(labels, startsAt) }),
      ...(maintenance && { inMaintenance: (labels) => maintenance.inMaintenance(labels) }),
    }
    this.#dispatcher = new Dispatcher(policyOf(deps.config), quieter)
    this.#announcer = new Announcer(deps.events)
    this.#book = new Book(deps.store, deps.onProblem)
    this.#sender = new Sender(deps.clock, deps.random)
    this.deadLetters = new DeadLetters(this.#book)
    this.#relay = new Relay({
      clock: deps.clock,
      dispatcher: this.#dispatcher,
      onOutcome: (receiver, error) => {
        this.#count(receiver, 'alertmanager', error === undefined)
        if (error !== undefined) deps.onProblem(new HoldfastError('send_failed', error))
      },
    })
    this.#setChannels()
  }

  get dispatcher(): Dispatcher {
    return this.#dispatcher
  }

  get config(): AlertingConfig {
    return this.#config
  }

  get #now(): number {
    return this.#deps.clock.wallTime()
  }

  /** The store must have started. */
  async start(): Promise<void> {
    const [alerts, groups, silences, acks] = await Promise.all([
      this.#book.load<Alert>('alert', isAlertRecord),
      this.#book.load<GroupRecord>('group', isGroupRecord),
      this.#book.load<SilenceRecord>('silence', isSilenceRecord),
      this.#book.load<Ack>('ack', ({ fingerprint, until }) => typeof fingerprint === 'string' && Number.isFinite(until)),
    ])
    await this.deadLetters.load()
    this.#dispatcher.silences.restore(silences)
    this.#dispatcher.restore(alerts, groups, acks, this.#now)
    this.#book.keepOnly(
      'group',
      this.#dispatcher.groups().map(({ id }) => id),
    )
    if (alerts.length > 0) this.#dispatcher.notBefore = this.#now + settleMs
    this.#listening = this.#deps.suppressor?.onChange(() => {
      this.#dispatcher.recheckSoon()
      this.#tick()
    })
    this.#running = true
    this.#tick()
  }

  /** Rules have been evaluated once since the start: what inhibits is known. */
  settled(): void {
    if (this.#dispatcher.notBefore === 0) return
    this.#dispatcher.notBefore = 0
    this.#tick()
  }

  /** Ends attempts that are under way; what has not arrived is told after the next start. */
  async stop(): Promise<void> {
    this.#running = false
    this.#listening?.[Symbol.dispose]()
    this.#timer?.[Symbol.dispose]()
    this.#writeTimer?.[Symbol.dispose]()
    this.#relay.stop()
    this.#stop.abort()
    for (const { abort } of this.#channels.values()) abort.abort()
    await Promise.allSettled(this.#sending)
    this.#announcer.rest()
    this.#noteDirty()
    await this.#book.writeQuietly()
  }

  listen(listener: NotifierListener): void {
    this.#listeners.add(listener)
  }

  /** Another configuration: groups that stay keep their timers. */
  adopt(config: AlertingConfig): void {
    this.#config = config
    this.#setChannels()
    this.#dispatcher.adopt(policyOf(config), this.#now)
    this.#tick()
  }

  #setChannels(): void {
    const before = this.#channels
    this.#channels = new Map()
    for (const [name, receiver] of Object.entries(this.#config.receivers))
      for (const channel of channelsOf(receiver, () => this.#deps.clock.wallTime())) {
        const key = wayOf(name, channel.kind)
        const settings = JSON.stringify(receiver[channel.kind])
        const known = before.get(key)
        this.#channels.set(key, known?.settings === settings ? known : { channel, settings, abort: new AbortController() })
      }
    // What goes to where nobody is any more is cut off, and goes to the new place at once.
    for (const [key, known] of before) if (this.#channels.get(key) !== known) known.abort.abort()
    this.#relay.configure(this.#config.receivers)
  }

  // --- alerts -------------------------------------------------------------------------------------------------------

  /** What no alert can be is left out, and told of in an event. */
  put(alerts: readonly PutAlert[]): void {
    const errors = this.tryPut(alerts)
    if (errors.length > 0) this.#announcer.refused(messageOf(errors[0]), errors.length)
  }

  /** The same; returns why each that was left out was. */
  tryPut(alerts: readonly PutAlert[]): readonly unknown[] {
    const errors: unknown[] = []
    const now = this.#look()
    const changes = this.#dispatcher.put(alerts, now, (error) => errors.push(error))
    this.#changed(changes, now)
    this.#soon()
    this.#writeSoon()
    return errors
  }

  #changed(changes: Changes, now: number): void {
    if (changes.fired.length + changes.resolved.length === 0) return
    this.#announcer.changes(changes, now)
    for (const { fingerprint } of changes.resolved) this.#suppressed.delete(fingerprint)
    for (const listener of this.#listeners) listener.changed?.(changes)
    this.#relay.soon()
  }

  // --- the clock ----------------------------------------------------------------------------------------------------

  /** What the clock on the wall says, once everything is set that goes by it. */
  #look(): number {
    const now = this.#now
    const by = this.#watch.jumped(now, this.#deps.clock.now())
    if (by === 0) return now
    this.#dispatcher.shift(by)
    for (const listener of this.#listeners) listener.clockSet?.(by)
    return now
  }

  /** Something has come: a look, but not one for each. */
  #soon(): void {
    this.#schedule(Math.max(this.#deps.clock.now(), this.#tickedAt + tickGapMs))
  }

  #arm(): void {
    const wall = this.#now
    this.#schedule(this.#deps.clock.now() + Math.max(tickGapMs, this.#dispatcher.nextAt(wall, lookMs) - wall))
  }

  #schedule(at: number): void {
    if (!this.#running || (this.#timer !== undefined && at >= this.#timerAt)) return
    this.#timer?.[Symbol.dispose]()
    this.#timerAt = at
    this.#timer = this.#deps.clock.schedule(instant(at), () => {
      this.#timer = undefined
      this.#tick()
    })
  }

  #tick(): void {
    if (!this.#running) return
    const now = this.#look()
    this.#tickedAt = this.#deps.clock.now()
    const { orders, resolved, ended, expiring, unacked, suppressed, escalated } = this.#dispatcher.tick(now)
    this.#announcer.rest()
    this.#changed({ fired: [], resolved }, now)
    for (const silence of ended) this.#announcer.silence('silence.ended', silence)
    for (const silence of expiring) this.#remind(silence)
    for (const ack of unacked) {
      const alert = this.#dispatcher.alert(ack.fingerprint)
      if (alert && !isResolved(alert, now)) this.#announcer.unacknowledged(alert, ack)
    }
    for (const { group, receiver, step } of escalated) this.#announcer.escalated(group, receiver, step)
    for (const each of suppressed) this.#tellSuppressed(each)
    for (const order of orders) this.#deliver(order)
    for (const listener of this.#listeners) listener.ticked?.(now)
    this.#writeSoon()
    this.#arm()
  }

  /** One event for each alert that is kept quiet because of what it needs. */
  #tellSuppressed({ alert, quiet: { ids, reason } }: Ticked['suppressed'][number]): void {
    if (this.#suppressed.has(alert.fingerprint)) return
    this.#suppressed.add(alert.fingerprint)
    this.#announcer.suppressed(alert, { cause: ids[0] ?? '', reason })
  }

  /** Whoever would have been told of what it keeps quiet hears that it ends soon. */
  #remind(silence: Silence): void {
    this.#announcer.silence('silence.expiring', silence)
    const labels = Object.fromEntries(silence.matchers.filter(({ isEqual, isRegex }) => isEqual && !isRegex).map(({ name, value }) => [name, value]))
    const summary = `the silence "${silence.comment}" of ${silence.createdBy} ends at ${new Date(silence.endsAt).toISOString()}`
    const { service } = labels
    this.put([
      {
        labels: { alertname: 'SilenceExpiring', severity: 'warning', silence: silence.id, ...(service !== undefined && { service }) },
        annotations: { summary },
        endsAt: silence.endsAt,
      },
    ])
  }

  // --- telling ------------------------------------------------------------------------------------------------------

  #deliver(order: Order): void {
    const sending = this.#send(order)
      .catch((error: unknown) => {
        this.#deps.onProblem(error)
      })
      .finally(() => {
        this.#sending.delete(sending)
        this.#soon()
      })
    this.#sending.add(sending)
  }

  async #send(order: Order): Promise<void> {
    const { group, receiver, integration, why, alerts, at, deadline } = order
    const open = this.#channels.get(wayOf(receiver, integration))
    const notification = {
      id: this.#deps.newId(),
      receiver,
      groupKey: group.key,
      groupLabels: group.labels,
      why,
      alerts,
      externalUrl: this.#deps.externalUrl(),
      at,
    }
    if (open === undefined) {
      this.#dispatcher.sent(order, true, this.#now)
      return
    }
    const { channel, abort } = open
    const delivery = await this.#sender.send({
      notification,
      channel,
      forMs: deadline - at,
      signal: abort.signal,
      onTrouble: (error) => {
        this.#onTrouble(order, error)
      },
    })
    // What an end has cut off is told after the next start.
    if (this.#stop.signal.aborted && !delivery.arrived) return
    if (abort.signal.aborted && !delivery.arrived) {
      this.#dispatcher.sent(order, false, this.#now, true)
      return
    }
    this.#dispatcher.sent(order, delivery.arrived, this.#now)
    if (delivery.arrived) this.#worksAgain(receiver)
    this.#count(receiver, integration, delivery.arrived)
    const event = this.#announcer.delivered(notification, integration, delivery)
    for (const listener of this.#listeners) listener.notified?.(notification, integration, delivery.arrived, event)
    if (!delivery.arrived)
      this.deadLetters.add({
        id: notification.id,
        integration,
        notification,
        error: delivery.error ?? '',
        attempts: delivery.attempts,
        at: this.#now,
      })
    this.#writeSoon()
  }

  #count(receiver: string, integration: string, arrived: boolean): void {
    const key = `${receiver}\n${integration}`
    const counts = this.counts.get(key) ?? { receiver, integration, sent: 0, failed: 0 }
    if (arrived) counts.sent++
    else counts.failed++
    if (this.counts.size < sentCountsMax) this.counts.set(key, counts)
  }

  /** The next step is told at once; where there is none, the fallback. */
  #onTrouble({ group, receiver, alerts, at, deadline }: Order, error: string): void {
    const now = this.#now
    if (this.#stop.signal.aborted) return
    if (this.#dispatcher.moveOn(group.id, now)) {
      this.#tick()
      return
    }
    // That this itself could not be told would hide what it is about.
    if (alerts.some((alert) => alert.labels.alertname !== failingName)) {
      const summary = `nobody could be told of ${group.key}: ${receiver} failed (${error})`
      this.#failing.add(receiver)
      // Until it has been tried once more, at least.
      this.put([{ labels: failingLabels(receiver), annotations: { summary }, endsAt: now + 2 * (deadline - at) }])
    }
    const fallback = this.#config.fallback ?? this.#config.root.receiver
    if (fallback === '' || fallback === receiver) return
    for (const order of this.#dispatcher.fallBack(group, fallback, now)) this.#deliver(order)
  }

  #worksAgain(receiver: string): void {
    if (!this.#failing.delete(receiver)) return
    this.put([{ labels: failingLabels(receiver), annotations: { summary: `${receiver} can be told again` }, endsAt: this.#now }])
  }

  /** Sends a made-up alert, once. Rejects with `unknown_receiver`, or with what the receiver says. */
  async test(receiver: string): Promise<readonly string[]> {
    const config = this.#config.receivers[receiver]
    if (config === undefined) throw unknownReceiver(receiver, Object.keys(this.#config.receivers))
    const now = this.#now
    const labels = { alertname: 'Test', severity: 'warning', receiver }
    const alert: Alert = {
      fingerprint: '0'.repeat(16),
      labels,
      annotations: { summary: 'this is a test of the receiver; nothing is wrong' },
      startsAt: now,
      endsAt: 0,
      updatedAt: now,
      timesOut: true,
      generatorUrl: undefined,
    }
    const notification = {
      id: this.#deps.newId(),
      receiver,
      groupKey: `{}:{alertname="Test"}`,
      groupLabels: { alertname: 'Test' },
      why: 'test',
      alerts: [alert],
      externalUrl: this.#deps.externalUrl(),
      at: now,
    }
    const channels = [...this.#channels].filter(([key]) => key.startsWith(wayOf(receiver, ''))).map(([, { channel }]) => channel)
    await Promise.all(channels.map((channel) => channel.send(notification, this.#stop.signal)))
    const relayed = await this.#relay.test(receiver, alert)
    return [...channels.map(({ kind }) => kind), ...relayed]
  }

  /** Rejects with `unknown_id`, or with what the receiver says; it is then kept. */
  async resend(id: string): Promise<DeadLetter> {
    const letter = this.deadLetters.get(id)
    if (letter === undefined) throw new HoldfastError('unknown_id', `looked for the dead letter ${id}, found no such letter`)
    const { receiver } = letter.notification
    const channel = this.#channels.get(wayOf(receiver, letter.integration))?.channel
    if (channel === undefined) throw unknownReceiver(receiver, Object.keys(this.#config.receivers))
    await channel.send(letter.notification, this.#stop.signal)
    this.#count(receiver, letter.integration, true)
    this.deadLetters.remove(id)
    this.#writeSoon()
    return letter
  }

  // --- silences and acknowledgements --------------------------------------------------------------------------------

  /** In the store when it resolves. */
  async setSilence(draft: SilenceDraft, actor: string, cause?: string): Promise<Silence> {
    const before = draft.id === undefined ? undefined : this.#dispatcher.silences.get(draft.id)
    const silence = this.#dispatcher.silences.set(draft, this.#now, this.#deps.newId)
    if (silence.id !== before?.id) this.#announcer.silence('silence.created', silence, actor, cause)
    this.#noteDirty()
    await this.#book.write()
    this.#tick()
    return silence
  }

  async expireSilence(id: string): Promise<Silence> {
    const silence = this.#dispatcher.silences.expire(id, this.#now)
    this.#noteDirty()
    await this.#book.write()
    this.#tick()
    return silence
  }

  /** Throws `unknown_alert`, or `conflict` when it does not fire. */
  ack(
    fingerprint: string,
    { by, comment, forMs = dispatchLimits.ackMs, cause }: { by: string; comment: string; forMs?: number | undefined; cause?: string | undefined },
  ): Ack {
    const alert = this.#dispatcher.alert(fingerprint)
    const now = this.#now
    if (alert === undefined) throw new HoldfastError('unknown_alert', `looked for alert ${fingerprint}, found no such alert`)
    if (isResolved(alert, now)) throw new HoldfastError('conflict', `tried to acknowledge ${fingerprint}, which is over`)
    const ack = this.#dispatcher.ack(fingerprint, { by, comment, at: now, until: now + forMs })
    this.#announcer.acknowledged(alert, ack, cause)
    for (const listener of this.#listeners) listener.acked?.(alert, ack)
    this.#writeSoon()
    return ack
  }

  // --- writing down -------------------------------------------------------------------------------------------------

  #noteDirty(): void {
    const { dirtyAlerts, dirtyGroups, dirtyAcks, silences } = this.#dispatcher
    for (const id of dirtyAlerts) this.#book.note('alert', id, this.#dispatcher.alert(id))
    for (const id of dirtyGroups) this.#book.note('group', id, this.#dispatcher.snapshotGroup(id))
    for (const id of dirtyAcks) this.#book.note('ack', id, this.#dispatcher.acked(id))
    for (const id of silences.dirty) this.#book.note('silence', id, silences.record(id))
    for (const dirty of [dirtyAlerts, dirtyGroups, dirtyAcks, silences.dirty]) dirty.clear()
  }

  #writeSoon(): void {
    if (!this.#running || this.#writeTimer !== undefined) return
    const { clock } = this.#deps
    this.#writeTimer = clock.schedule(after(clock.now(), ms(gatherMs)), () => {
      this.#writeTimer = undefined
      this.#noteDirty()
      if (!this.#book.isClean) void this.#book.writeQuietly()
    })
  }

  /** Others who keep something in the same book. */
  get book(): Book {
    return this.#book
  }

  /** Active silences that hold for an alert, for whoever shows it. */
  activeSilences(): readonly Silence[] {
    const now = this.#now
    return this.#dispatcher.silences.all().filter((silence) => silenceState(silence, now) === 'active')
  }
}

const failingLabels = (receiver: string): Labels => ({ alertname: failingName, severity: 'critical', receiver })

function unknownReceiver(name: string, known: readonly string[]): HoldfastError {
  return new HoldfastError('unknown_receiver', `looked for receiver ${name}, found no such receiver`, {
    hint: known.length === 0 ? 'there are none' : `there are: ${known.join(', ')}`,
  })
}
