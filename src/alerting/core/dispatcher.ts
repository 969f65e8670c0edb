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
import { alertLimits, isResolved, joined, ordered, received, type Alert } from './alerts.ts'
import { whyNotify, type NotifiedEntry, type WhyNotify } from './dedup.ts'
import { Inhibitor, type InhibitRule } from './inhibition.ts'
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
  readonly why: WhyNotify | 'escalated'
  /** Oldest names first; what fires has `endsAt` 0. */
  readonly alerts: readonly Alert[]
  /** Nothing of it is worth sending; it counts as sent. */
  readonly silent: boolean
  readonly at: number
  /** Retrying ends here. */
  readonly deadline: number
  readonly entry: NotifiedEntry
}

export interface Group {
  readonly id: string
  /** `{}/{severity="page"}:{alertname="Down"}`, as Alertmanager writes it. */
  readonly key: string
  readonly route: AlertRoute
  readonly labels: Labels
  readonly alerts: Set<string>
  nextFlushAt: number
  lastFlushAt: number | undefined
  /** Orders under way. */
  open: number
  /** All orders of this flush were sent so far. */
  intact: boolean
  /** As they were at the last flush: fingerprint → updatedAt. */
  flushed: Map<string, number>
  /** Kept quiet at the last flush. */
  quiet: Set<string>
  /** Flushes ahead of the interval, the newest last. */
  early: number[]
  /** When it was first told of, since when it climbs; undefined: nothing fires. */
  toldAt: number | undefined
  /** Steps of the escalation taken. */
  steps: number
  /** Since when all that fires is acknowledged. */
  heldSince: number | undefined
  emptySince: number | undefined
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
    if (held === undefined && this.#alerts.size >= alertLimits.alertsMax) throw new TooManyAlerts()
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
    const labels = groupLabels(route, alert.labels)
    const id = groupId(route, labels)
    let group = this.#groups.get(id)
    if (group === undefined) {
      group = newGroup(id, route, labels, now)
      this.#groups.set(id, group)
      this.dirtyGroups.add(id)
    }
    group.alerts.add(alert.fingerprint)
    group.emptySince = undefined
    if (group.lastFlushAt === undefined) {
      if (alert.startsAt + route.options.groupWaitMs < now) group.nextFlushAt = Math.min(group.nextFlushAt, now)
    } else if (route.options.urgent) this.#hurry(group, alert, now)
  }

  /** Ours: what is new is told after the group's wait, and that all is well again a little later, as long as the group does not overdo it. */
  #hurry(group: Group, alert: Alert, now: number): void {
    const { groupWaitMs } = group.route.options
    if (!isResolved(alert, now)) {
      if (!this.#isKnown(group, alert.fingerprint)) this.#flushEarly(group, now + groupWaitMs, now)
    } else if (this.#isKnown(group, alert.fingerprint) && [...group.alerts].every((each) => this.#isOver(each, now)))
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
      for (const group of this.#groups.values()) {
        if (group.open === 0 && group.nextFlushAt <= now) orders.push(...this.#flush(group, now))
        const step = this.#climb(group, now)
        if (step === undefined) continue
        escalated.push({ group, receiver: step.receiver, step: group.steps })
        orders.push(...this.#ordersFor(group, [step.receiver], this.#told(group, now), now, true))
      }
    }
    for (const order of orders) if (order.silent) this.sent(order, true, now)
    return { orders: orders.filter(({ silent }) => !silent), resolved, ended, expiring, unacked, escalated }
  }

  /** When the next group is due; never later than the next look at everything else should be. */
  nextAt(now: number, longestMs: number): number {
    let at = now + longestMs
    for (const group of this.#groups.values()) if (group.open === 0) at = Math.min(at, group.nextFlushAt)
    return Math.max(at, this.notBefore, now)
  }

  #expire(now: number): Alert[] {
    const resolved: Alert[] = []
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
        this.dirtyAlerts.add(fingerprint)
      }
    }
    for (const [key, { until }] of this.#log) if (until <= now) this.#log.delete(key)
    for (const [id, group] of this.#groups) {
      if (group.emptySince === undefined || group.open > 0 || now - group.emptySince < dispatchLimits.emptyGroupMs) continue
      this.#groups.delete(id)
      this.dirtyGroups.add(id)
    }
    return resolved
  }

  #isGrouped({ alert, routes }: Held): boolean {
    return routes.some((route) => this.#groups.get(groupId(route, groupLabels(route, alert.labels)))?.alerts.has(alert.fingerprint))
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
    const receivers = [group.route.options.receiver, ...group.route.options.escalate.slice(0, group.steps).map(({ receiver }) => receiver)]
    const orders = this.mutedNow(group.route, now) ? [] : this.#ordersFor(group, [...new Set(receivers)], told, now, false)
    if (orders.length === 0) this.#settle(group, now)
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
        if (quiet.by === 'silenced') for (const id of quiet.ids) this.silences.count(id, alert.fingerprint)
        return []
      }
      return [isResolved(alert, now) ? alert : { ...alert, endsAt: 0 }]
    })
  }

  #ordersFor(group: Group, receivers: readonly string[], alerts: readonly Alert[], now: number, climbs: boolean): Order[] {
    if (alerts.length === 0) return []
    const { repeatIntervalMs, groupIntervalMs } = group.route.options
    const firing = alerts.filter(({ endsAt }) => endsAt === 0)
    const names = (some: readonly Alert[]): ReadonlySet<string> => new Set(some.map(({ fingerprint }) => fingerprint))
    const present = { firing: names(firing), resolved: names(alerts.filter(({ endsAt }) => endsAt !== 0)) }
    if (climbs && firing.length === 0) return []
    if (firing.length > 0) group.toldAt ??= now
    const orders: Order[] = []
    for (const receiver of receivers) {
      for (const { id, sendResolved } of this.#policy.receivers[receiver] ?? []) {
        const last = this.#log.get(logKey(group, receiver, id))
        const found = whyNotify(last, present, { now, repeatMs: repeatIntervalMs, sendResolved })
        const why = climbs ? 'escalated' : found
        if (why === undefined || (why === 'repeat' && this.#allAcked(present.firing))) continue
        const shown = sendResolved ? alerts : firing
        const entry: NotifiedEntry = { at: now, ...present }
        orders.push({
          group,
          receiver,
          integration: id,
          why,
          alerts: shown,
          silent: shown.length === 0,
          at: now,
          deadline: now + Math.max(groupIntervalMs, 10_000),
          entry,
        })
      }
    }
    group.open += orders.length
    return orders
  }

  /** Told of each order what came of it. */
  sent(order: Order, done: boolean, now: number): void {
    const { group, receiver, integration, entry } = order
    const keptMs = Math.max(2 * group.route.options.repeatIntervalMs, dispatchLimits.toldKeptMs)
    if (done) this.#log.set(logKey(group, receiver, integration), { ...entry, until: now + keptMs })
    else group.intact = false
    this.dirtyGroups.add(group.id)
    group.open--
    if (group.open === 0) this.#settle(group, now)
  }

  /** What is resolved and was told of leaves the group, unless something newer has been heard of it. */
  #settle(group: Group, now: number): void {
    if (!group.intact) return
    for (const [fingerprint, updatedAt] of group.flushed) {
      const alert = this.#alerts.get(fingerprint)?.alert
      if (alert === undefined || (isResolved(alert, group.lastFlushAt ?? now) && alert.updatedAt === updatedAt)) group.alerts.delete(fingerprint)
    }
    if (group.alerts.size === 0) group.emptySince ??= now
    if ([...group.alerts].every((fingerprint) => this.#isOver(fingerprint, now))) {
      group.toldAt = undefined
      group.steps = 0
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
    const firing = [...group.alerts].filter((fingerprint) => !this.#isOver(fingerprint, now) && !group.quiet.has(fingerprint))
    if (firing.length === 0) return undefined
    if (firing.every((fingerprint) => this.#acks.has(fingerprint))) {
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

  /** A receiver of the group cannot be reached: the next one is told at once. Returns false when there is none. */
  moveOn(groupId: string, now: number): boolean {
    const group = this.#groups.get(groupId)
    const step = group?.route.options.escalate[group.steps]
    if (group === undefined || step === undefined) return false
    group.toldAt = Math.min(group.toldAt ?? now, now - step.afterMs)
    return true
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
    return held?.routes.flatMap((route) => this.#groups.get(groupId(route, groupLabels(route, held.alert.labels))) ?? []) ?? []
  }

  /** When this receiver last heard of the group, and of what. */
  lastTold(group: Group, receiver: string): NotifiedEntry | undefined {
    const entries = (this.#policy.receivers[receiver] ?? []).flatMap(({ id }) => this.#log.get(logKey(group, receiver, id)) ?? [])
    return entries.toSorted((a, b) => b.at - a.at)[0]
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
        const group = this.#groups.get(id) ?? taken(old, newGroup(id, route, labels, now))
        if (old) this.#rename(old, group)
        group.alerts.add(held.alert.fingerprint)
        this.#groups.set(id, group)
        this.dirtyGroups.add(id)
      }
    }
  }

  #rename(old: Group, group: Group): void {
    const { receiver } = group.route.options
    for (const { id } of this.#policy.receivers[receiver] ?? []) {
      const entry = this.#log.get(logKey(old, receiver, id))
      if (entry) this.#log.set(logKey(group, receiver, id), entry)
    }
  }

  snapshotGroup(id: string): GroupRecord | undefined {
    const group = this.#groups.get(id)
    if (group === undefined || group.alerts.size > dispatchLimits.groupKeptMax) return undefined
    const { nextFlushAt, lastFlushAt, toldAt, steps, heldSince, route } = group
    const receivers = [route.options.receiver, ...route.options.escalate.map(({ receiver }) => receiver)]
    const log = receivers.flatMap((receiver) =>
      (this.#policy.receivers[receiver] ?? []).flatMap((integration) => {
        const entry = this.#log.get(logKey(group, receiver, integration.id))
        if (entry === undefined) return []
        return [{ receiver, integration: integration.id, at: entry.at, until: entry.until, firing: [...entry.firing], resolved: [...entry.resolved] }]
      }),
    )
    return { content: contentOf(group), alerts: [...group.alerts], nextFlushAt, lastFlushAt, toldAt, steps, heldSince, log }
  }

  /** What was written down before; alerts are believed for another resolve timeout. */
  restore(alerts: readonly Alert[], groups: readonly GroupRecord[], acks: readonly Ack[], now: number): void {
    const records = new Map(groups.map((record) => [record.content, record]))
    for (const ack of acks) this.#acks.set(ack.fingerprint, ack)
    for (const alert of alerts) {
      const over = isResolved(alert, alert.updatedAt) || (!alert.timesOut && isResolved(alert, now))
      const endsAt = over ? alert.endsAt : Math.max(alert.endsAt, now + this.#policy.resolveTimeoutMs)
      const held: Held = { alert: { ...alert, endsAt, timesOut: alert.timesOut || !over }, routes: routesFor(this.#policy.root, alert.labels), over }
      this.#alerts.set(alert.fingerprint, held)
      if (!over) this.#inhibitor.add(held.alert)
      for (const route of held.routes) this.#restoreGroup(route, held, records, now)
    }
  }

  #restoreGroup(route: AlertRoute, { alert, over }: Held, records: ReadonlyMap<string, GroupRecord>, now: number): void {
    const labels = groupLabels(route, alert.labels)
    const record = records.get(contentOf({ route, labels }))
    if (over && record?.alerts.includes(alert.fingerprint) !== true) return
    const id = groupId(route, labels)
    const group = this.#groups.get(id) ?? newGroup(id, route, labels, now)
    if (!this.#groups.has(id) && record !== undefined) {
      const { nextFlushAt, lastFlushAt, toldAt, steps, heldSince } = record
      Object.assign(group, { nextFlushAt, lastFlushAt, toldAt, steps, heldSince })
      for (const { receiver, integration, at, until, firing, resolved } of record.log)
        this.#log.set(logKey(group, receiver, integration), { at, until, firing: new Set(firing), resolved: new Set(resolved) })
    }
    group.alerts.add(alert.fingerprint)
    this.#groups.set(id, group)
    // What came to be in the moment of the end has not been told.
    if (route.options.urgent && !over && group.lastFlushAt !== undefined && !this.#isKnown(group, alert.fingerprint))
      this.#flushEarly(group, now, now)
  }
}

/** What a group is known by after a restart. */
export interface GroupRecord {
  readonly content: string
  readonly alerts: readonly string[]
  readonly nextFlushAt: number
  readonly lastFlushAt: number | undefined
  readonly toldAt: number | undefined
  readonly steps: number
  readonly heldSince: number | undefined
  readonly log: readonly {
    readonly receiver: string
    readonly integration: string
    readonly at: number
    readonly until: number
    readonly firing: readonly string[]
    readonly resolved: readonly string[]
  }[]
}

/** There is no room for another alert. */
export class TooManyAlerts extends Error {
  constructor() {
    super(`there are ${alertLimits.alertsMax} alerts already`)
  }
}

const groupId = (route: AlertRoute, labels: Labels): string => `${route.id}:${labelsKey(labels)}`
const contentOf = ({ route, labels }: Pick<Group, 'route' | 'labels'>): string => `${route.options.receiver}:${route.key}:${labelsKey(labels)}`
const logKey = (group: Group, receiver: string, integration: string): string => `${group.id}\n${receiver}\n${integration}`

/** `{a="b", c="d"}` */
export const labelsText = (labels: Labels): string =>
  `{${Object.keys(labels)
    .sort()
    .map((name) => `${name}=${JSON.stringify(labels[name])}`)
    .join(', ')}}`

function newGroup(id: string, route: AlertRoute, labels: Labels, now: number): Group {
  return {
    id,
    key: `${route.key}:${labelsText(labels)}`,
    route,
    labels,
    alerts: new Set(),
    nextFlushAt: now + route.options.groupWaitMs,
    lastFlushAt: undefined,
    open: 0,
    intact: true,
    flushed: new Map(),
    quiet: new Set(),
    early: [],
    toldAt: undefined,
    steps: 0,
    heldSince: undefined,
    emptySince: undefined,
  }
}

function taken(old: Group | undefined, group: Group): Group {
  if (old === undefined) return group
  const { nextFlushAt, lastFlushAt, toldAt, heldSince } = old
  return { ...group, nextFlushAt, lastFlushAt, toldAt, heldSince, steps: Math.min(old.steps, group.route.options.escalate.length) }
}

function isNews(a: Alert, b: Alert): boolean {
  return a.startsAt !== b.startsAt || a.timesOut !== b.timesOut || labelsKey(a.annotations) !== labelsKey(b.annotations)
}
