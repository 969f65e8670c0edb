/**
 * Who is told what, and when (Alertmanager, dispatch and notify; our own differences are marked). Alerts are put; each goes down the tree of routes into groups; a group
 * is looked at after its wait, then at each interval; what is left of it after everything that keeps alerts quiet goes to the receivers, unless they know it already.
 *
 *   put ─▶ alert ─▶ routes ─▶ group ──due──▶ inhibited? cause down? maintenance? muted time? silenced? ─▶ known already? ─▶ order ──sent──▶ log of what each knows
 *
 * Pure: `tick` says what is to be sent, and `sent` is told what came of it.
 *
 * Ours: an urgent route does not let what is new wait for the interval; who is told climbs (`escalate`) until somebody acknowledges; what is quiet is looked at again as
 * soon as what keeps it so ends.
 */
import { labelsKey, type Labels } from '../../kernel/labels.ts'
import type { PutAlert, Suppression } from '../types.ts'
import { alertLimits, charactersOf, failingName, isResolved, joined, ordered, received, type Alert } from './alerts.ts'
import { whyNotify, type NotifiedEntry, type WhyNotify } from './dedup.ts'
import { Inhibitor, type InhibitRule } from './inhibition.ts'
import { contentOf, groupId, logKey, newGroup, taken, wayOf, type Group, type GroupRecord } from './groups.ts'
import { groupLabels, routesFor, type AlertRoute } from './routes.ts'
import { SilenceBook, type Silence } from './silences.ts'
import { holds, type TimeInterval } from './time-intervals.ts'

export interface Integration {
  /** Its place in the receiver: `webhook`. */
  readonly id: string
  readonly sendResolved: boolean
}

export interface Policy {
  readonly root: AlertRoute
  readonly inhibit: readonly InhibitRule[]
  readonly intervals: Readonly<Record<string, readonly TimeInterval[]>>
  readonly receivers: Readonly<Record<string, readonly Integration[]>>
  readonly resolveTimeoutMs: number
}

/** What others know that keeps an alert quiet. */
export interface Quieter {
  suppression?(labels: Labels, startsAt: number): Suppression | undefined
  inMaintenance?(labels: Labels): boolean
}

export interface Quiet {
  readonly by: 'inhibited' | 'suppressed' | 'maintenance' | 'silenced'
  /** Fingerprint of the alert that inhibits, ids of silences, or the name of the cause. */
  readonly ids: readonly string[]
  readonly reason: string
}

export interface Ack {
  readonly fingerprint: string
  readonly by: string
  readonly comment: string
  readonly at: number
  readonly until: number
}

export interface Order {
  readonly group: Group
  readonly receiver: string
  readonly integration: string
  readonly why: WhyNotify | 'escalated' | 'fallback'
  /** Oldest names first; what fires has `endsAt` 0. */
  readonly alerts: readonly Alert[]
  /** Nothing of it is worth sending; it counts as sent. */
  readonly silent: boolean
  readonly at: number
  /** Retrying ends here. */
  readonly deadline: number
  readonly entry: NotifiedEntry
}

interface Held {
  alert: Alert
  routes: readonly AlertRoute[]
  /** It has been seen to be resolved. */
  over: boolean
}

export interface Changes {
  readonly fired: readonly Alert[]
  readonly resolved: readonly Alert[]
}

export interface Ticked {
  readonly orders: readonly Order[]
  /** Nobody said anything of them in time. */
  readonly resolved: readonly Alert[]
  readonly ended: readonly Silence[]
  readonly expiring: readonly Silence[]
  readonly unacked: readonly Ack[]
  /** Kept quiet by what they need. */
  readonly suppressed: readonly { readonly alert: Alert; readonly quiet: Quiet }[]
  readonly escalated: readonly { readonly group: Group; readonly receiver: string; readonly step: number }[]
}

export const dispatchLimits = {
  /** Flushes of one group ahead of its interval, within that interval; then new alerts wait for it: a storm becomes a letter. */
  earlyFlushesMax: 60,
  /** Between two flushes of one group. */
  earlyGapMs: 2_000,
  /** A group that is all resolved is told so after this, if it lasts. */
  earlyResolveMs: 10_000,
  /** An empty group is forgotten with its timer. */
  emptyGroupMs: 30_000,
  /** Resolved alerts nobody holds are forgotten. */
  resolvedKeptMs: 15 * 60_000,
  /** An acknowledgement holds the escalation for so long. */
  ackMs: 30 * 60_000,
  /** Alerts of a group whose state outlives this process; a larger one is told again. */
  groupKeptMax: 5_000,
  /** What a receiver was told is known for two repeats, and for so long at least: the end of what it knows may come late, after a silence. */
  toldKeptMs: 15 * 60_000,
  /** What is kept quiet by others is looked at again. */
  recheckMs: 5_000,
  /** Ends that only time brings are looked for so often: a look goes through all alerts. */
  expireMs: 250,
  /** Groups at once; what would make one more goes into one group of its route. */
  groupsMax: 20_000,
  /** Groups looked at in one tick; the others follow in the next. */
  flushesMax: 200,
} as const

export class Dispatcher {
  #policy: Policy
  #inhibitor: Inhibitor
  #quieter: Quieter
  readonly #alerts = new Map<string, Held>()
  readonly #groups = new Map<string, Group>()
  readonly #log = new Map<string, NotifiedEntry & { readonly until: number }>()
  readonly #acks = new Map<string, Ack>()
  readonly silences = new SilenceBook()
  #recheckedAt = 0
  #expiredAt = 0
  #characters = 0
  #suppressed: { readonly alert: Alert; readonly quiet: Quiet }[] = []
  /** Groups of the policy before: their orders are still under way. */
  readonly #successors = new WeakMap<Group, Group>()
  /** Nothing is told before: after a start, until what inhibits is known again. */
  notBefore = 0
  /** Not yet written down: fingerprints, ids of groups. */
  readonly dirtyAlerts = new Set<string>()
  readonly dirtyGroups = new Set<string>()
  readonly dirtyAcks = new Set<string>()

  constructor(policy: Policy, quieter: Quieter = {}) {
    this.#policy = policy
    this.#inhibitor = new Inhibitor(policy.inhibit)
    this.#quieter = quieter
  }

  get policy(): Policy {
    return this.#policy
  }

  // --- alerts -------------------------------------------------------------------------------------------------------

  /** Takes what it can; `refused` is called with the error of each that it cannot. */
  put(alerts: readonly PutAlert[], now: number, refused: (error: unknown, put: PutAlert) => void): Changes {
    const [fired, resolved]: [Alert[], Alert[]] = [[], []]
    for (const put of alerts) {
      try {
        const { alert, before } = this.#take(received(put, now, this.#policy.resolveTimeoutMs), now)
        const fires = !isResolved(alert, now)
        if (fires && before !== 'firing') fired.push(alert)
        if (!fires && before === 'firing') resolved.push(alert)
      } catch (error) {
        refused(error, put)
      }
    }
    return { fired, resolved }
  }

  #take(newer: Alert, now: number): { readonly alert: Alert; readonly before: 'firing' | 'resolved' | undefined } {
    const held = this.#alerts.get(newer.fingerprint)
    if (held === undefined && this.#alerts.size >= alertLimits.alertsMax) throw new TooManyAlerts(`${alertLimits.alertsMax} alerts`)
    const characters = this.#characters + charactersOf(newer) - (held ? charactersOf(held.alert) : 0)
    if (characters > Math.max(alertLimits.heldCharactersMax, this.#characters))
      throw new TooManyAlerts(`alerts with ${alertLimits.heldCharactersMax} characters`)
    this.#characters = characters
    const alert = joined(held?.alert, newer, now)
    const over = isResolved(alert, now)
    const before = held === undefined ? undefined : held.over ? 'resolved' : 'firing'
    const next: Held = { alert, routes: held?.routes ?? routesFor(this.#policy.root, alert.labels), over }
    this.#alerts.set(alert.fingerprint, next)
    if (held === undefined || isNews(held.alert, alert) || held.over !== over) this.dirtyAlerts.add(alert.fingerprint)
    if (over) this.#resolve(alert)
    else this.#inhibitor.add(alert)
    for (const route of next.routes) this.#insert(route, alert, now)
    return { alert, before }
  }

  #resolve(alert: Alert): void {
    this.#inhibitor.remove(alert)
    if (this.#acks.delete(alert.fingerprint)) this.dirtyAcks.add(alert.fingerprint)
    // Something may have been quiet because of it.
    this.#recheckedAt = 0
  }

  #insert(route: AlertRoute, alert: Alert, now: number): void {
    const group = this.#groupFor(route, groupLabels(route, alert.labels), now)
    if (route.options.urgent && isResolved(alert, now) && !group.alerts.has(alert.fingerprint) && !this.#isAwaited(group, alert.fingerprint)) return
    put(group, alert.fingerprint, !isResolved(alert, now))
    group.emptySince = undefined
    if (group.lastFlushAt === undefined) {
      if (alert.startsAt + route.options.groupWaitMs < now) group.nextFlushAt = Math.min(group.nextFlushAt, now)
    } else if (route.options.urgent) this.#hurry(group, alert, now)
  }

  #groupFor(route: AlertRoute, labels: Labels, now: number): Group {
    const id = groupId(route, labels)
    const known = this.#groups.get(id)
    if (known) return known
    // Nothing is lost when there are too many: it is told together with the others.
    if (this.#groups.size >= dispatchLimits.groupsMax && Object.keys(labels).length > 0) return this.#groupFor(route, {}, now)
    const group = newGroup(id, route, labels, now)
    this.#groups.set(id, group)
    this.dirtyGroups.add(id)
    return group
  }

  /** Those that it is in. */
  #groupsWith({ alert, routes }: Held): readonly Group[] {
    return routes.flatMap((route) => {
      const own = this.#groups.get(groupId(route, groupLabels(route, alert.labels)))
      if (own?.alerts.has(alert.fingerprint) === true) return [own]
      const shared = this.#groups.get(groupId(route, {}))
      return shared?.alerts.has(alert.fingerprint) === true ? [shared] : []
    })
  }

  /** Ours: what is new is told after the group's wait, and that all is well again a little later, as long as the group does not overdo it. */
  #hurry(group: Group, alert: Alert, now: number): void {
    const { groupWaitMs } = group.route.options
    if (!isResolved(alert, now)) {
      if (!this.#isKnown(group, alert.fingerprint)) this.#flushEarly(group, now + groupWaitMs, now)
    } else if (group.live.size === 0 && this.#isKnown(group, alert.fingerprint))
      this.#flushEarly(group, now + Math.max(groupWaitMs, dispatchLimits.earlyResolveMs), now)
  }

  #flushEarly(group: Group, at: number, now: number): void {
    const { earlyFlushesMax, earlyGapMs } = dispatchLimits
    const when = Math.max(at, (group.lastFlushAt ?? 0) + earlyGapMs)
    if (when >= group.nextFlushAt) return
    group.early = group.early.filter((each) => each > now - group.route.options.groupIntervalMs)
    if (group.early.length >= earlyFlushesMax) return
    group.early.push(now)
    group.nextFlushAt = when
  }

  /** Some integration of its receiver has been told that it fires. */
  #isKnown(group: Group, fingerprint: string): boolean {
    const { receiver } = group.route.options
    const integrations = this.#policy.receivers[receiver] ?? []
    return integrations.some(({ id }) => this.#log.get(logKey(group, receiver, id))?.firing.has(fingerprint))
  }

  /** Ours: somebody was told that it fires, and not yet that it is over. Whoever keeps saying that it is over makes nobody hear it again. */
  #isAwaited(group: Group, fingerprint: string): boolean {
    return this.#receiversOf(group).some((receiver) =>
      (this.#policy.receivers[receiver] ?? []).some(({ id }) => this.#log.get(logKey(group, receiver, id))?.firing.has(fingerprint)),
    )
  }

  #isOver(fingerprint: string, now: number): boolean {
    const held = this.#alerts.get(fingerprint)
    return held === undefined || isResolved(held.alert, now)
  }

  // --- the clock ----------------------------------------------------------------------------------------------------

  /** What is to be sent now, and what time alone has changed. */
  tick(now: number): Ticked {
    const resolved = this.#expire(now)
    const unacked = this.#unack(now)
    const { ended, expiring } = this.silences.look(now, (fingerprint) => !this.#isOver(fingerprint, now))
    if (ended.length > 0) this.#recheckedAt = 0
    const orders: Order[] = []
    const escalated: Ticked['escalated'][number][] = []
    if (now >= this.notBefore) {
      this.#recheck(now)
      let flushes = 0
      for (const group of this.#groups.values()) {
        if (group.nextFlushAt <= now && flushes < dispatchLimits.flushesMax && !this.#isBusy(group)) {
          orders.push(...this.#flush(group, now))
          flushes++
        }
        const step = this.#climb(group, now)
        if (step === undefined) continue
        escalated.push({ group, receiver: step.receiver, step: group.steps })
        orders.push(...this.#ordersFor(group, [step.receiver], this.#told(group, now), now, 'escalated'))
      }
    }
    for (const order of orders) if (order.silent) this.sent(order, true, now)
    const suppressed = this.#suppressed.splice(0)
    return { orders: orders.filter(({ silent }) => !silent), resolved, ended, expiring, unacked, suppressed, escalated }
  }

  /** When the next group is due; never later than the next look at everything else should be. */
  nextAt(now: number, longestMs: number): number {
    let at = now + longestMs
    for (const group of this.#groups.values()) if (group.nextFlushAt < at && !this.#isBusy(group)) at = group.nextFlushAt
    return Math.max(at, this.notBefore, now)
  }

  /** All whom it tells are being told something now. */
  #isBusy(group: Group): boolean {
    if (group.busy.size === 0) return false
    return this.#receiversOf(group).every((receiver) =>
      (this.#policy.receivers[receiver] ?? []).every(({ id }) => group.busy.has(wayOf(receiver, id))),
    )
  }

  #receiversOf({ route: { options }, steps, fallback }: Group): readonly string[] {
    const receivers = [options.receiver, ...options.escalate.slice(0, steps).map(({ receiver }) => receiver)]
    return [...new Set(fallback === undefined ? receivers : [...receivers, fallback])]
  }

  #expire(now: number): Alert[] {
    const resolved: Alert[] = []
    if (now - this.#expiredAt < dispatchLimits.expireMs && now >= this.#expiredAt) return resolved
    this.#expiredAt = now
    for (const [fingerprint, held] of this.#alerts) {
      if (!isResolved(held.alert, now)) continue
      if (!held.over) {
        held.over = true
        this.dirtyAlerts.add(fingerprint)
        this.#resolve(held.alert)
        for (const route of held.routes) this.#insert(route, held.alert, now)
        resolved.push(held.alert)
      } else if (now - held.alert.endsAt > dispatchLimits.resolvedKeptMs && !this.#isGrouped(held)) {
        this.#alerts.delete(fingerprint)
        this.#characters -= charactersOf(held.alert)
        this.dirtyAlerts.add(fingerprint)
      }
    }
    for (const [key, { until }] of this.#log) if (until <= now) this.#log.delete(key)
    for (const [id, group] of this.#groups) {
      if (group.emptySince === undefined || group.busy.size > 0 || now - group.emptySince < dispatchLimits.emptyGroupMs) continue
      this.#groups.delete(id)
      this.dirtyGroups.add(id)
    }
    return resolved
  }

  #isGrouped(held: Held): boolean {
    return this.#groupsWith(held).length > 0
  }

  /** Ours: groups whose alerts were quiet and no longer are do not wait for their interval. */
  #recheck(now: number): void {
    if (now - this.#recheckedAt < dispatchLimits.recheckMs) return
    this.#recheckedAt = now
    for (const group of this.#groups.values()) {
      if (group.quiet.size === 0 || !group.route.options.urgent) continue
      for (const fingerprint of group.quiet) {
        const alert = this.#alerts.get(fingerprint)?.alert
        if (alert === undefined || isResolved(alert, now) || this.quiet(alert, now) !== undefined) continue
        group.quiet.delete(fingerprint)
        this.#flushEarly(group, now, now)
      }
    }
  }

  // --- a flush ------------------------------------------------------------------------------------------------------

  #flush(group: Group, now: number): readonly Order[] {
    group.nextFlushAt = now + group.route.options.groupIntervalMs
    group.lastFlushAt = now
    this.dirtyGroups.add(group.id)
    if (group.alerts.size === 0) {
      group.emptySince ??= now
      return []
    }
    const alerts = this.#held(group)
    group.flushed = new Map(alerts.map(({ fingerprint, updatedAt }) => [fingerprint, updatedAt]))
    group.intact = true
    const told = this.#told(group, now)
    const orders = this.mutedNow(group.route, now) ? [] : this.#ordersFor(group, this.#receiversOf(group), told, now, undefined)
    if (orders.length === 0 && group.busy.size === 0) this.#settle(group, now)
    return orders
  }

  #held(group: Group): Alert[] {
    return ordered([...group.alerts].flatMap((fingerprint) => this.#alerts.get(fingerprint)?.alert ?? []))
  }

  /** What is not kept quiet, with the ends that are not known yet taken away. */
  #told(group: Group, now: number): readonly Alert[] {
    group.quiet = new Set()
    return this.#held(group).flatMap((alert) => {
      const quiet = this.quiet(alert, now)
      if (quiet !== undefined) {
        group.quiet.add(alert.fingerprint)
        if (quiet.by === 'suppressed') this.#suppressed.push({ alert, quiet })
        if (quiet.by === 'silenced') for (const id of quiet.ids) this.silences.count(id, alert.fingerprint)
        return []
      }
      return [isResolved(alert, now) ? alert : { ...alert, endsAt: 0 }]
    })
  }

  #ordersFor(group: Group, receivers: readonly string[], alerts: readonly Alert[], now: number, asks: 'escalated' | 'fallback' | undefined): Order[] {
    if (alerts.length === 0) return []
    const isOfFailures = alerts.some(({ labels }) => labels.alertname === failingName)
    if (asks === 'escalated' && alerts.every(({ endsAt }) => endsAt !== 0)) return []
    if (alerts.some(({ endsAt }) => endsAt === 0)) group.toldAt ??= now
    return receivers.flatMap((receiver) => {
      // Whoever cannot be told need not be told of that.
      const heard = isOfFailures ? alerts.filter(({ labels }) => labels.alertname !== failingName || labels.receiver !== receiver) : alerts
      return heard.length === 0 ? [] : this.#ordersTo(group, receiver, heard, now, asks)
    })
  }

  #ordersTo(group: Group, receiver: string, alerts: readonly Alert[], now: number, asks: 'escalated' | 'fallback' | undefined): Order[] {
    const { repeatIntervalMs, groupIntervalMs } = group.route.options
    const firing = alerts.filter(({ endsAt }) => endsAt === 0)
    const names = (some: readonly Alert[]): ReadonlySet<string> => new Set(some.map(({ fingerprint }) => fingerprint))
    const present = { firing: names(firing), resolved: names(alerts.filter(({ endsAt }) => endsAt !== 0)) }
    const orders: Order[] = []
    for (const { id, sendResolved } of this.#policy.receivers[receiver] ?? []) {
      const way = wayOf(receiver, id)
      if (group.busy.has(way)) {
        group.missed = true
        group.intact = false
        continue
      }
      const last = this.#log.get(logKey(group, receiver, id))
      const found = whyNotify(last, present, { now, repeatMs: repeatIntervalMs, sendResolved })
      const why = asks === 'escalated' ? asks : found && (asks ?? found)
      if (why === undefined || (why === 'repeat' && this.#allAcked(present.firing))) continue
      const shown = sendResolved ? alerts : firing
      const deadline = now + Math.max(groupIntervalMs, 10_000)
      const entry: NotifiedEntry = { at: now, ...present }
      orders.push({ group, receiver, integration: id, why, alerts: shown, silent: shown.length === 0, at: now, deadline, entry })
      group.busy.add(way)
    }
    return orders
  }

  /** Told of each order what came of it; one that was cut off is made again at once. */
  sent(order: Order, done: boolean, now: number, cutOff = false): void {
    const { receiver, integration, entry } = order
    const group = this.#current(order.group)
    const keptMs = Math.max(2 * group.route.options.repeatIntervalMs, dispatchLimits.toldKeptMs)
    if (done) this.#log.set(logKey(group, receiver, integration), { ...entry, until: now + keptMs })
    else group.intact = false
    this.dirtyGroups.add(group.id)
    group.busy.delete(wayOf(receiver, integration))
    if (group.missed || cutOff) {
      // What came meanwhile has waited long enough.
      group.missed = false
      group.nextFlushAt = Math.min(group.nextFlushAt, now)
    }
    if (group.busy.size === 0) this.#settle(group, now)
  }

  /** As it is in the policy in force. */
  #current(group: Group): Group {
    let current = group
    for (let next = this.#successors.get(current); next !== undefined; next = this.#successors.get(current)) current = next
    return current
  }

  /** What is resolved and was told of leaves the group, unless something newer has been heard of it. */
  #settle(group: Group, now: number): void {
    if (!group.intact) return
    for (const [fingerprint, updatedAt] of group.flushed) {
      const alert = this.#alerts.get(fingerprint)?.alert
      if (alert === undefined || (isResolved(alert, group.lastFlushAt ?? now) && alert.updatedAt === updatedAt)) drop(group, fingerprint)
    }
    if (group.alerts.size === 0) group.emptySince ??= now
    if (group.live.size === 0) {
      group.toldAt = undefined
      group.steps = 0
      group.fallback = undefined
      group.heldSince = undefined
    }
  }

  // --- quiet --------------------------------------------------------------------------------------------------------

  /** Why nobody is told of it now; undefined: they are. */
  quiet(alert: Alert, now: number): Quiet | undefined {
    const source = this.#inhibitor.inhibitedBy(alert)
    if (source) return { by: 'inhibited', ids: [source.fingerprint], reason: `${source.labels.alertname ?? source.fingerprint} fires` }
    // What is resolved was told of, or never: its end is not held back by what is down now.
    const suppression = isResolved(alert, now) ? undefined : this.#quieter.suppression?.(alert.labels, alert.startsAt)
    if (suppression) return { by: 'suppressed', ids: [suppression.cause], reason: suppression.reason }
    if (this.#quieter.inMaintenance?.(alert.labels) === true) return { by: 'maintenance', ids: [], reason: 'it is in maintenance' }
    const ids = this.silences.by(alert.labels, now)
    return ids.length > 0 ? { by: 'silenced', ids, reason: `silenced by ${ids.join(', ')}` } : undefined
  }

  /** The name of the time that mutes the route; undefined: none. */
  mutedNow({ options }: AlertRoute, now: number): string | undefined {
    const held = (name: string): boolean => (this.#policy.intervals[name] ?? []).some((interval) => holds(interval, now))
    if (options.activeTimes.length > 0 && !options.activeTimes.some(held)) return `outside ${options.activeTimes.join(', ')}`
    return options.muteTimes.find(held)
  }

  /** What others said may hold no longer. */
  recheckSoon(): void {
    this.#recheckedAt = 0
  }

  // --- acknowledgement and escalation -------------------------------------------------------------------------------

  ack(fingerprint: string, ack: Omit<Ack, 'fingerprint'>): Ack {
    const made = { fingerprint, ...ack }
    this.#acks.set(fingerprint, made)
    this.dirtyAcks.add(fingerprint)
    return made
  }

  acked(fingerprint: string): Ack | undefined {
    return this.#acks.get(fingerprint)
  }

  #unack(now: number): Ack[] {
    const ended = [...this.#acks.values()].filter(({ until }) => until <= now)
    for (const { fingerprint } of ended) {
      this.#acks.delete(fingerprint)
      this.dirtyAcks.add(fingerprint)
    }
    return ended
  }

  #allAcked(firing: ReadonlySet<string>): boolean {
    for (const fingerprint of firing) if (!this.#acks.has(fingerprint)) return false
    return firing.size > 0
  }

  /** The next step, when its time has come. The time in which all was acknowledged does not count. */
  #climb(group: Group, now: number): { readonly receiver: string } | undefined {
    const step = group.route.options.escalate[group.steps]
    if (step === undefined || group.toldAt === undefined) return undefined
    const held = this.#isTakenUp(group)
    if (held === undefined) return undefined
    if (held) {
      group.heldSince ??= now
      return undefined
    }
    if (group.heldSince !== undefined) group.toldAt += now - group.heldSince
    group.heldSince = undefined
    if (now < group.toldAt + step.afterMs || this.mutedNow(group.route, now) !== undefined) return undefined
    group.steps++
    this.dirtyGroups.add(group.id)
    return step
  }

  /** Somebody has acknowledged all that fires and is told; undefined: there is nothing of the kind. */
  #isTakenUp({ live, quiet }: Group): boolean | undefined {
    let any: true | undefined
    for (const fingerprint of live) {
      if (quiet.has(fingerprint)) continue
      if (!this.#acks.has(fingerprint)) return false
      any = true
    }
    return any
  }

  /** A receiver of the group cannot be reached: the next one is told at once. Returns false when there is none. */
  moveOn(groupId: string, now: number): boolean {
    const group = this.#groups.get(groupId)
    const step = group?.route.options.escalate[group.steps]
    if (group === undefined || step === undefined) return false
    group.toldAt = Math.min(group.toldAt ?? now, now - step.afterMs)
    return true
  }

  /** Its receivers cannot be reached: this one is told instead, and hears of it until it is over. What it knows already is not said again. */
  fallBack(given: Group, receiver: string, now: number): readonly Order[] {
    const group = this.#current(given)
    group.fallback = receiver
    this.dirtyGroups.add(group.id)
    return this.#ordersFor(group, [receiver], this.#told(group, now), now, 'fallback').filter(({ silent }) => !silent)
  }

  // --- questions ----------------------------------------------------------------------------------------------------

  alerts(): readonly Alert[] {
    return [...this.#alerts.values()].map(({ alert }) => alert)
  }

  alert(fingerprint: string): Alert | undefined {
    return this.#alerts.get(fingerprint)?.alert
  }

  routesOf(fingerprint: string): readonly AlertRoute[] {
    return this.#alerts.get(fingerprint)?.routes ?? []
  }

  groups(): readonly Group[] {
    return [...this.#groups.values()]
  }

  groupsOf(fingerprint: string): readonly Group[] {
    const held = this.#alerts.get(fingerprint)
    return held === undefined ? [] : this.#groupsWith(held)
  }

  /** When this receiver last heard of the group, and of what. */
  lastTold(group: Group, receiver: string): NotifiedEntry | undefined {
    const entries = (this.#policy.receivers[receiver] ?? []).flatMap(({ id }) => this.#log.get(logKey(group, receiver, id)) ?? [])
    return entries.toSorted((a, b) => b.at - a.at)[0]
  }

  // --- a clock that was set --------------------------------------------------------------------------------------------

  /** The clock was set by so much: what waits goes on waiting as long as it would have, and what is believed goes on being believed. */
  shift(by: number): void {
    const moved = (at: number | undefined): number | undefined => (at === undefined ? undefined : at + by)
    for (const [fingerprint, held] of this.#alerts) {
      held.alert = shifted(held.alert, by)
      this.dirtyAlerts.add(fingerprint)
    }
    for (const group of this.#groups.values()) {
      group.nextFlushAt += by
      group.early = group.early.map((at) => at + by)
      for (const name of ['lastFlushAt', 'toldAt', 'heldSince', 'emptySince'] as const) group[name] = moved(group[name])
      group.flushed = new Map([...group.flushed].map(([fingerprint, updatedAt]) => [fingerprint, updatedAt + by]))
      this.dirtyGroups.add(group.id)
    }
    for (const [key, entry] of this.#log) this.#log.set(key, { ...entry, at: entry.at + by, until: entry.until + by })
    for (const [fingerprint, ack] of this.#acks) {
      this.#acks.set(fingerprint, { ...ack, at: ack.at + by, until: ack.until + by })
      this.dirtyAcks.add(fingerprint)
    }
    this.#recheckedAt = 0
    this.#expiredAt = 0
  }

  // --- another policy, and what was written down --------------------------------------------------------------------

  /** Everything goes down the new tree. A group that stays (same receiver, same labels) keeps its timer and what was told of it. */
  adopt(policy: Policy, now: number): void {
    const before = new Map([...this.#groups.values()].map((group) => [contentOf(group), group]))
    this.#policy = policy
    this.#inhibitor = new Inhibitor(policy.inhibit)
    for (const id of this.#groups.keys()) this.dirtyGroups.add(id)
    this.#groups.clear()
    for (const held of this.#alerts.values()) {
      held.routes = routesFor(policy.root, held.alert.labels)
      if (!held.over) this.#inhibitor.add(held.alert)
      for (const route of held.routes) {
        const labels = groupLabels(route, held.alert.labels)
        const old = before.get(contentOf({ route, labels }))
        const holdsOn = old?.alerts.has(held.alert.fingerprint) ?? false
        if (held.over && !holdsOn) continue
        const id = groupId(route, labels)
        const known = this.#groups.get(id)
        const group = known ?? (old ? taken(old, newGroup(id, route, labels, now)) : this.#groupFor(route, labels, now))
        if (old && !known) this.#succeed(old, group)
        put(group, held.alert.fingerprint, !held.over)
        this.#groups.set(group.id, group)
        this.dirtyGroups.add(group.id)
      }
    }
  }

  #succeed(old: Group, group: Group): void {
    this.#successors.set(old, group)
    if (old.id === group.id) return
    for (const receiver of this.#receiversOf(group))
      for (const { id } of this.#policy.receivers[receiver] ?? []) {
        const entry = this.#log.get(logKey(old, receiver, id))
        if (entry) this.#log.set(logKey(group, receiver, id), entry)
      }
  }

  snapshotGroup(id: string): GroupRecord | undefined {
    const group = this.#groups.get(id)
    if (group === undefined || group.alerts.size > dispatchLimits.groupKeptMax) return undefined
    const { nextFlushAt, lastFlushAt, toldAt, steps, heldSince, fallback } = group
    const receivers = this.#receiversOf(group)
    const log = receivers.flatMap((receiver) =>
      (this.#policy.receivers[receiver] ?? []).flatMap((integration) => {
        const entry = this.#log.get(logKey(group, receiver, integration.id))
        if (entry === undefined) return []
        return [{ receiver, integration: integration.id, at: entry.at, until: entry.until, firing: [...entry.firing], resolved: [...entry.resolved] }]
      }),
    )
    return { content: contentOf(group), alerts: [...group.alerts], nextFlushAt, lastFlushAt, toldAt, steps, heldSince, fallback, log }
  }

  /** What was written down before; alerts are believed for another resolve timeout. */
  restore(alerts: readonly Alert[], groups: readonly GroupRecord[], acks: readonly Ack[], now: number): void {
    const records = new Map(groups.map((record) => [record.content, record]))
    for (const ack of acks) this.#acks.set(ack.fingerprint, ack)
    for (const written of alerts) {
      // It was written by a clock that went ahead of this one.
      const alert = written.updatedAt > now ? shifted(written, now - written.updatedAt) : written
      const over = isResolved(alert, alert.updatedAt) || (!alert.timesOut && isResolved(alert, now))
      const endsAt = over ? alert.endsAt : Math.max(alert.endsAt, now + this.#policy.resolveTimeoutMs)
      const held: Held = { alert: { ...alert, endsAt, timesOut: alert.timesOut || !over }, routes: routesFor(this.#policy.root, alert.labels), over }
      this.#alerts.set(alert.fingerprint, held)
      this.#characters += charactersOf(alert)
      if (!over) this.#inhibitor.add(held.alert)
      for (const route of held.routes) this.#restoreGroup(route, held, records, now)
    }
  }

  #restoreGroup(route: AlertRoute, { alert, over }: Held, records: ReadonlyMap<string, GroupRecord>, now: number): void {
    const labels = groupLabels(route, alert.labels)
    const record = records.get(contentOf({ route, labels }))
    if (over && record?.alerts.includes(alert.fingerprint) !== true) return
    const isNew = !this.#groups.has(groupId(route, labels))
    const group = this.#groupFor(route, labels, now)
    if (isNew && record !== undefined && labelsKey(group.labels) === labelsKey(labels)) this.#recall(group, record, now)
    put(group, alert.fingerprint, !over)
    // What came to be in the moment of the end has not been told, or not to all.
    if (route.options.urgent && !over && group.lastFlushAt !== undefined && !this.#isKnownToAll(group, alert.fingerprint))
      this.#flushEarly(group, now, now)
  }

  /** A clock that went back meanwhile lets nobody wait for what is far ahead now. */
  #recall(group: Group, { nextFlushAt, lastFlushAt, toldAt, steps, heldSince, fallback, log }: GroupRecord, now: number): void {
    const past = (at: number | undefined): number | undefined => (at === undefined ? undefined : Math.min(at, now))
    const { groupIntervalMs, groupWaitMs } = group.route.options
    Object.assign(group, {
      nextFlushAt: Math.min(nextFlushAt, now + Math.max(groupIntervalMs, groupWaitMs)),
      lastFlushAt: past(lastFlushAt),
      toldAt: past(toldAt),
      heldSince: past(heldSince),
      steps: Math.min(steps, group.route.options.escalate.length),
      fallback,
    })
    for (const { receiver, integration, at, until, firing, resolved } of log) {
      const back = Math.max(0, at - now)
      this.#log.set(logKey(group, receiver, integration), {
        at: at - back,
        until: until - back,
        firing: new Set(firing),
        resolved: new Set(resolved),
      })
    }
  }

  #isKnownToAll(group: Group, fingerprint: string): boolean {
    return this.#receiversOf(group).every((receiver) =>
      (this.#policy.receivers[receiver] ?? []).every(({ id }) => this.#log.get(logKey(group, receiver, id))?.firing.has(fingerprint) === true),
    )
  }
}

/** There is no room for another alert. */
export class TooManyAlerts extends Error {
  constructor(what: string) {
    super(`there are ${what} already`)
  }
}

const shifted = (alert: Alert, by: number): Alert => ({
  ...alert,
  startsAt: alert.startsAt + by,
  endsAt: alert.endsAt + by,
  updatedAt: alert.updatedAt + by,
})

function put(group: Group, fingerprint: string, fires: boolean): void {
  group.alerts.add(fingerprint)
  if (fires) group.live.add(fingerprint)
  else group.live.delete(fingerprint)
}

function drop(group: Group, fingerprint: string): void {
  group.alerts.delete(fingerprint)
  group.live.delete(fingerprint)
}

function isNews(a: Alert, b: Alert): boolean {
  return a.startsAt !== b.startsAt || a.timesOut !== b.timesOut || labelsKey(a.annotations) !== labelsKey(b.annotations)
}
