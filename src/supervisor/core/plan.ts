/**
 * What to do next, from what is wanted and what is there. Level-based: it looks at the whole and never at what just
 * happened, so a lost message costs a step and not a service. The caller carries the actions out and asks again
 * until there are none.
 *
 * Each service in turn: a service on its way out stops (after those that depend on it); surplus slots go; a replacement
 * that takes traffic takes the place; slots that must change get a replacement; empty slots are filled. Starts are
 * handed out at the end, most urgent first, within the limit on starts at once. What takes a ready instance away asks
 * the last-healthy invariant first, with one exception: a service with a port of its own cannot have two instances.
 */
import { after, elapsed, type Instant } from '../../kernel/time.ts'
import { isLeaving, isServing, isStarting, isStopFirst, instancesOf, readyCount } from './fleet-state.ts'
import type { FleetLimits, FleetState, Instance, Service, Slot } from './fleet-state.ts'
import { mayStopOne } from './last-healthy.ts'
import { tooHeavyFrom } from './memory-limit.ts'

export type Action =
  | {
      readonly type: 'start'
      readonly service: string
      readonly slot: number
      readonly revision: number
      readonly replacement: boolean
      readonly trial: boolean
    }
  /** The replacement takes the place; the one before it is stopped. */
  | { readonly type: 'promote'; readonly service: string; readonly slot: number }
  | { readonly type: 'stop'; readonly instance: Instance; readonly reason: string }
  | { readonly type: 'addSlot'; readonly service: string }
  /** A slot too many; what is still in it retires. */
  | { readonly type: 'dropSlot'; readonly service: string; readonly slot: number; readonly reason: string }
  /** It may start; `missing`: what it waited for in vain. */
  | { readonly type: 'release'; readonly service: string; readonly missing: readonly string[] }
  /** Nothing of it is left. */
  | { readonly type: 'forget'; readonly service: string }

type Start = Extract<Action, { type: 'start' }>
type Stop = Extract<Action, { type: 'stop' }>

export interface Plan {
  readonly actions: readonly Action[]
  /** When to plan again if nothing happens before. */
  readonly wakeAt: Instant | undefined
}

/** Gathers the earliest of several times. */
class Alarm {
  at: Instant | undefined

  set(at: Instant): void {
    if (this.at === undefined || at < this.at) this.at = at
  }
}

/** Most urgent first: a service that was up and has nobody left, a place that lost its instance, a new place, a replacement of one that works. */
const urgency = { outage: 0, refill: 1, fill: 2, replace: 3 } as const
interface WantedStart {
  readonly urgency: number
  readonly start: Start
}

export function plan(fleet: FleetState, limits: FleetLimits, now: Instant): Plan {
  const actions: Action[] = []
  const wanted: WantedStart[] = []
  const alarm = new Alarm()
  for (const service of fleet.services.values()) {
    if (service.leaving) {
      actions.push(...planLeaving(service, fleet))
      continue
    }
    // What changes the slots comes first and alone; their contents are planned in the next round.
    const changes = planShape(service, fleet, limits, now, alarm)
    actions.push(...changes)
    if (changes.length > 0) continue
    planSlots(service, limits, now, { wanted, actions, alarm })
  }
  actions.push(...permitted(wanted, fleet, limits, now, alarm))
  return { actions, wakeAt: alarm.at }
}

function planShape(service: Service, fleet: FleetState, limits: FleetLimits, now: Instant, alarm: Alarm): Action[] {
  const missing = service.desired - service.slots.size
  if (missing > 0) return Array.from({ length: missing }, () => ({ type: 'addSlot', service: service.name }))
  const surplus = planSurplus(service)
  if (surplus.length > 0) return surplus
  return [...planPromotions(service), ...planRelease(service, fleet, limits, now, alarm)]
}

/** How many ready instances of one service this plan may still take away. */
class StopBudget {
  readonly #desired: number
  #ready: number

  constructor(service: Service) {
    this.#desired = service.desired
    this.#ready = readyCount(service)
  }

  /** Takes one; false: it must stay. What takes no traffic may always go. */
  take(instance: Instance): boolean {
    if (!isServing(instance)) return true
    if (!mayStopOne({ ready: this.#ready, desired: this.#desired })) return false
    this.#ready--
    return true
  }
}

function planLeaving(service: Service, fleet: FleetState): Action[] {
  const live = [...instancesOf(service)]
  if (live.length === 0) return [{ type: 'forget', service: service.name }]
  if (hasLiveDependants(service.name, fleet)) return []
  return live.filter((instance) => !isLeaving(instance)).map((instance) => stopOf(instance, `service ${service.name} is going away`))
}

function hasLiveDependants(name: string, fleet: FleetState): boolean {
  for (const other of fleet.services.values()) {
    if (!other.leaving || !other.config.dependsOn.includes(name)) continue
    if (!instancesOf(other).next().done) return true
  }
  return false
}

const stopOf = (instance: Instance, reason: string): Stop => ({ type: 'stop', instance, reason })

/** Scale-in: the slots that serve least go first. */
function planSurplus(service: Service): Action[] {
  const budget = new StopBudget(service)
  const surplus = service.slots.size - service.desired
  if (surplus <= 0) return []
  const byWorth = [...service.slots.values()].sort((a, b) => worth(a) - worth(b) || b.index - a.index)
  const going = byWorth
    .slice(0, surplus)
    .filter((slot) => (slot.serving ? budget.take(slot.serving) : true) && (slot.replacement ? budget.take(slot.replacement) : true))
  return going.map((slot) => ({ type: 'dropSlot', service: service.name, slot: slot.index, reason: `scaled in to ${service.desired}` }))
}

function worth({ serving, replacement, rest }: Slot): number {
  if (serving && isServing(serving)) return 4
  if (replacement) return 3
  if (serving) return serving.state.phase === 'unhealthy' ? 1 : 2
  return rest.phase === 'none' ? 1 : 0
}

function planPromotions(service: Service): Action[] {
  const budget = new StopBudget(service)
  const actions: Action[] = []
  for (const { index, serving, replacement } of service.slots.values()) {
    if (!replacement || !isServing(replacement)) continue
    if (serving === undefined || budget.take(serving)) actions.push({ type: 'promote', service: service.name, slot: index })
  }
  return actions
}

/** The first start of a service waits for what it depends on; later ones do not. */
function planRelease(service: Service, fleet: FleetState, limits: FleetLimits, now: Instant, alarm: Alarm): Action[] {
  if (service.released) return []
  const missing = service.config.dependsOn.filter((name) => !isAvailable(fleet.services.get(name)))
  const giveUpAt = after(service.waitingSince ?? now, limits.dependencyWait)
  if (missing.length === 0 || now >= giveUpAt) return [{ type: 'release', service: service.name, missing }]
  alarm.set(giveUpAt)
  return []
}

/** Services that we do not run (static ones) are not in the fleet and count as there. */
const isAvailable = (service: Service | undefined): boolean =>
  service === undefined || service.config.source.kind === 'static' || readyCount(service) > 0

interface Wishes {
  readonly wanted: WantedStart[]
  readonly actions: Action[]
  readonly alarm: Alarm
}

function planSlots(service: Service, limits: FleetLimits, now: Instant, { wanted, actions, alarm }: Wishes): void {
  if (!service.released) return
  let surge = surgeOf(service, limits)
  for (const slot of service.slots.values()) if (slot.replacement) surge--
  for (const slot of service.slots.values()) {
    if (slot.replacement) continue
    if (slot.serving) {
      const reason = surge > 0 ? replaceReason(service, slot, slot.serving, limits, now, alarm) : undefined
      if (reason === undefined) continue
      surge--
      if (isStopFirst(service)) actions.push(stopOf(slot.serving, reason))
      else wanted.push({ urgency: urgency.replace, start: startOf(service, slot, revisionToReplace(service, slot, now), true) })
    } else if (mayFill(service, slot, now, alarm)) {
      const start = startOf(service, slot, revisionToFill(service, slot, now), false)
      wanted.push({ urgency: urgencyToFill(service, slot), start })
    }
  }
}

function urgencyToFill(service: Service, slot: Slot): number {
  if (slot.revision === undefined) return urgency.fill
  return readyCount(service) === 0 ? urgency.outage : urgency.refill
}

/** One at a time until the first new one has worked, then a share. */
function surgeOf(service: Service, limits: FleetLimits): number {
  const proven = service.stable === service.revision && (service.restart === undefined || service.restart.replaced.length > 0)
  return proven ? Math.max(1, Math.ceil(service.desired * limits.surge)) : 1
}

function startOf(service: Service, slot: Slot, revision: number, replacement: boolean): Start {
  const trial = replacement || (service.stable !== undefined && revision !== service.stable)
  return { type: 'start', service: service.name, slot: slot.index, revision, replacement, trial }
}

/** Why the instance must make room for another; undefined: it stays. */
function replaceReason(service: Service, slot: Slot, serving: Instance, limits: FleetLimits, now: Instant, alarm: Alarm): string | undefined {
  if (isLeaving(serving)) return undefined
  if (service.restart?.pending.get(slot.index)?.from === serving.id) return 'restart'
  if (serving.revision !== service.revision && rolloutMayTry(service, now, alarm))
    return `revision ${service.revision} replaces revision ${serving.revision}`
  const heavyFrom = tooHeavyFrom(serving, service)
  if (heavyFrom !== undefined) {
    const replaceAt = Math.max(heavyFrom, slot.healAt ?? 0) as Instant
    if (now >= replaceAt) return 'over its memory limit'
    alarm.set(replaceAt)
  }
  if (serving.state.phase !== 'unhealthy') return undefined
  const replaceAt = Math.max(after(serving.state.since, limits.unhealthyAfter), slot.healAt ?? 0) as Instant
  if (now >= replaceAt) return `unhealthy for ${Math.round(elapsed(serving.state.since, now) / 1000)} s: ${serving.state.reason}`
  alarm.set(replaceAt)
  return undefined
}

/** An order to restart takes the wanted revision, come what may; healing takes it unless it has just failed. */
function revisionToReplace(service: Service, slot: Slot, now: Instant): number {
  if (service.restart?.pending.has(slot.index) || rolloutMayTry(service, now, new Alarm())) return service.revision
  return service.stable ?? service.revision
}

function rolloutMayTry({ failedRollout }: Service, now: Instant, alarm: Alarm): boolean {
  if (failedRollout === undefined) return true
  if (failedRollout.retryAt === undefined) return false
  if (now >= failedRollout.retryAt) return true
  alarm.set(failedRollout.retryAt)
  return false
}

function mayFill(service: Service, { rest }: Slot, now: Instant, alarm: Alarm): boolean {
  // Its one port is free only when the one before has ended.
  if (isStopFirst(service) && service.retiring.size > 0) return false
  switch (rest.phase) {
    case 'none':
      return true
    case 'done':
      return false
    default:
      if (now >= rest.until) return true
      alarm.set(rest.until)
      return false
  }
}

/**
 * Which revision an empty slot gets. A place that lost a working instance while a new revision is still unproven gets
 * the old one back: a deploy must not cost capacity. All else gets the new one, unless that has failed.
 */
function revisionToFill(service: Service, slot: Slot, now: Instant): number {
  const { revision, stable } = service
  if (stable === undefined || stable === revision) return revision
  if (!rolloutMayTry(service, now, new Alarm())) return stable
  const working = slot.revision === stable && slot.history.streak <= 1 && !isStopFirst(service)
  return working ? stable : revision
}

/**
 * The starts that the limit allows now. Those that have been starting for long do not count: they wait, they do not work.
 * A service that has nobody left does not queue behind the deploys and boots of others, up to a limit of its own.
 */
function permitted(wanted: readonly WantedStart[], fleet: FleetState, limits: FleetLimits, now: Instant, alarm: Alarm): Start[] {
  if (wanted.length === 0) return []
  let starting = 0
  let freeAt: Instant | undefined
  for (const service of fleet.services.values()) {
    for (const instance of instancesOf(service)) {
      const counts = isStarting(instance) && now < after(instance.bornAt, limits.startStorm)
      if (!counts) continue
      starting++
      freeAt = Math.min(freeAt ?? Infinity, after(instance.bornAt, limits.startStorm)) as Instant
    }
  }
  const starts: Start[] = []
  for (const { urgency: urgent, start } of [...wanted].sort((a, b) => a.urgency - b.urgency)) {
    const limit = urgent === urgency.outage ? limits.startingInOutage : limits.starting
    if (starting < limit) {
      starts.push(start)
      starting++
    } else if (freeAt !== undefined) alarm.set(freeAt)
  }
  return starts
}
