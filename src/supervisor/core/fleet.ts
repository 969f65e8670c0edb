/**
 * The whole supervisor as one decision process: takes what happened, says what to do. It composes the instance
 * machine, the restart policy and the planner, and does no I/O: the controller carries its commands out, the model
 * check runs a million random steps through it.
 *
 * One step: the input goes to the instance or the services it concerns; ends of instances are booked on their slots;
 * then the planner is asked until it wants nothing more. State is kept in place rather than copied: two hundred
 * instances are stepped thousands of times a minute, and nobody else holds on to it.
 */
import { assert, InvariantError, unreachable } from '../../kernel/errors.ts'
import type { Machine, Step, Wake } from '../../kernel/machine.ts'
import { after, elapsed, instant, ms, type Duration, type Instant } from '../../kernel/time.ts'
import { isServing, isStopFirst } from './fleet-state.ts'
import type { FleetState, Instance, Service, Slot } from './fleet-state.ts'
import type { DesiredService, Fact, FleetCommand, FleetInput, FleetOptions, FoundInstance, KnownSlot } from './fleet-types.ts'
import { instanceMachine, readySinceOf } from './instance-machine.ts'
import type { InstanceCommand, InstanceEnd, InstanceInput, InstanceState, InstanceTimes } from './instance-machine.ts'
import { judge, type Ended } from './judge.ts'
import { newService, orphanConfig } from './new-service.ts'
import { plan, type Action } from './plan.ts'
import { cleanHistory, decideRestart } from './restart-policy.ts'

/** Rounds of planning in one step; more would mean that the planner undoes what it did. */
const planRoundsMax = 1_000
/** Before another try on a port that a stranger had, when it must be that port. */
const fixedPortRetry: Duration = ms(250)

export class Fleet implements FleetState, Machine<Fleet, FleetInput, FleetCommand> {
  readonly services = new Map<string, Service>()
  readonly #instances = new Map<string, Instance>()
  readonly #options: FleetOptions
  #outbox: FleetCommand[] = []

  constructor(options: FleetOptions) {
    this.#options = options
  }

  instance(id: string): Instance | undefined {
    return this.#instances.get(id)
  }

  start(): Step<Fleet, FleetCommand> {
    return { state: this, commands: [] }
  }

  step(_state: Fleet, input: FleetInput | Wake, now: Instant): Step<Fleet, FleetCommand> {
    this.#take(input, now)
    const planAt = this.#plan(now)
    let wakeAt = planAt
    for (const instance of this.#instances.values()) {
      if (instance.wakeAt !== undefined && (wakeAt === undefined || instance.wakeAt < wakeAt)) wakeAt = instance.wakeAt
    }
    const commands = this.#outbox
    this.#outbox = []
    return { state: this, commands, wakeAt }
  }

  #take(input: FleetInput | Wake, now: Instant): void {
    switch (input.type) {
      case 'apply':
        this.#apply(input, now)
        return
      case 'scale': {
        const service = this.services.get(input.service)
        if (service) service.desired = input.desired
        return
      }
      case 'restart':
        this.#orderRestart(input.service)
        return
      case 'stopAll':
        for (const service of this.services.values()) this.#leave(service)
        return
      case 'killAll':
        for (const instance of [...this.#instances.values()]) this.#send(instance, { type: 'kill', reason: 'no time left' }, now)
        return
      case 'bootTime': {
        const service = this.services.get(input.service)
        if (service) service.bootTime = input.bootTime
        return
      }
      case 'instance': {
        const instance = this.#instances.get(input.id)
        if (instance) this.#send(instance, input.input, now)
        return
      }
      case 'wake':
        for (const instance of [...this.#instances.values()]) {
          if (instance.wakeAt !== undefined && now >= instance.wakeAt) this.#send(instance, input, now)
        }
        return
      default:
        unreachable(input)
    }
  }

  // --- what shall be

  #apply({ services, slots = [], found = [] }: Extract<FleetInput, { type: 'apply' }>, now: Instant): void {
    const wanted = new Set(services.map(({ config }) => config.name))
    for (const desired of services) this.#want(desired, now)
    for (const slot of slots) this.#recallSlot(slot)
    for (const instance of found) this.#adopt(instance, now)
    for (const service of this.services.values()) if (!wanted.has(service.name)) this.#leave(service)
  }

  #want({ config, revision, desired, stable, bootTime }: DesiredService, now: Instant): void {
    const known = this.services.get(config.name)
    if (!known) {
      this.services.set(config.name, { ...newService(config, now), revision, desired, stable, bootTime })
      return
    }
    const changed = known.revision !== revision
    if (known.leaving) {
      known.leaving = false
      known.released = false
      known.waitingSince = now
    }
    known.config = config
    known.revision = revision
    known.desired = desired
    known.failedRollout = undefined
    for (const slot of known.slots.values()) {
      if (slot.serving) continue
      // What rests failed with what was there before; applying is somebody saying "try again".
      slot.rest = { phase: 'none' }
      slot.history = cleanHistory
      if (changed) slot.revision = undefined
    }
  }

  #leave(service: Service): void {
    service.leaving = true
    if (service.restart) this.#endRestart(service, 'the service is going away')
  }

  #recallSlot({ service: name, index, history, restarts, nextStartAt }: KnownSlot & { service: string }): void {
    const service = this.services.get(name)
    if (!service || index >= service.desired) return
    const slot = this.#newSlot(service, index)
    slot.history = history
    slot.restarts = restarts
    if (nextStartAt === undefined) return
    const phase = history.crashLooping ? 'crashLooping' : 'backoff'
    slot.rest = { phase, until: nextStartAt, wait: ms(0), reason: 'it failed before holdfast was started' }
  }

  #adopt({ id, service: name, slot: index, revision, age, readyFor, stop }: FoundInstance, now: Instant): void {
    const service = this.services.get(name) ?? this.#orphanService(name, stop)
    const ready = readyFor !== undefined
    const state: InstanceState = ready ? { phase: 'ready', since: instant(now - readyFor), admitted: false } : { phase: 'spawning', stop: undefined }
    const instance: Instance = { id, service: name, slot: index, revision, trial: false, bornAt: instant(now - age), state, wakeAt: undefined }
    this.#instances.set(id, instance)
    service.released = true
    if (ready) service.stable ??= revision
    const retires = !this.#place(service, instance, ready)
    if (!ready) this.#send(instance, { type: 'spawned' }, now)
    else if (!retires) this.#command(instance, { type: 'admit' })
    if (retires) this.#send(instance, { type: 'stop', reason: 'its place is taken' }, now)
  }

  /** Puts a found instance where it belongs; false: there is no room for it. */
  #place(service: Service, instance: Instance, ready: boolean): boolean {
    const { slot: index, revision } = instance
    const wanted = index >= 0 && index < service.desired
    const slot = service.slots.get(index) ?? (wanted ? this.#newSlot(service, index) : undefined)
    if (slot && !slot.serving) {
      slot.serving = instance
      slot.rest = { phase: 'none' }
      if (ready) slot.revision = revision
      return true
    }
    if (slot && !slot.replacement && !isStopFirst(service)) {
      slot.replacement = instance
      return true
    }
    service.retiring.add(instance)
    return false
  }

  /** What runs for a service that is no longer wanted is taken over too, so that it can be drained before it is stopped. */
  #orphanService(name: string, stop: FoundInstance['stop']): Service {
    const service = newService(orphanConfig(name, stop), undefined)
    this.services.set(name, service)
    return service
  }

  #orderRestart(name: string): void {
    const service = this.services.get(name)
    if (!service) return
    assert(!service.restart, `${name} is being restarted already`)
    const pending = new Map<number, { from: string | undefined }>()
    for (const slot of service.slots.values()) {
      pending.set(slot.index, { from: slot.serving?.id })
      if (!slot.serving) slot.rest = { phase: 'none' }
      slot.history = cleanHistory
    }
    service.restart = { pending, replaced: [] }
    service.failedRollout = undefined
  }

  // --- what happens to instances

  #times(service: Service): InstanceTimes {
    return { start: service.config.start.timeout, drain: this.#options.drainTimeout(), stop: service.config.stop.timeout }
  }

  #serviceOf(instance: Instance): Service {
    const service = this.services.get(instance.service)
    assert(service, `instance ${instance.id} belongs to no service`)
    return service
  }

  #send(instance: Instance, input: InstanceInput | Wake, now: Instant): void {
    const service = this.#serviceOf(instance)
    const before = instance.state
    const step = instanceMachine(() => this.#times(service)).step(before, input, now)
    instance.state = step.state
    instance.wakeAt = step.wakeAt
    for (const command of step.commands) this.#command(instance, command)
    if (before.phase !== step.state.phase) {
      this.#tell({ type: 'changed', instance, before })
      if (step.state.phase === 'ready' && before.phase === 'starting') this.#onReady(service, instance)
      if (step.state.phase === 'exited') this.#onEnd(service, instance, step.state.end, now)
    }
  }

  #command(instance: Instance, command: InstanceCommand): void {
    this.#outbox.push({ type: 'instance', instance, command })
  }

  #tell(fact: Fact): void {
    this.#outbox.push({ type: 'fact', fact })
  }

  #onReady(service: Service, instance: Instance): void {
    const slot = service.slots.get(instance.slot)
    if (slot?.serving === instance) {
      slot.revision = instance.revision
      slot.portRetries = 0
    }
    if (instance.revision !== service.revision || service.stable === service.revision) return
    service.stable = service.revision
    service.failedRollout = undefined
    this.#tell({ type: 'proven', service: service.name, revision: service.revision })
  }

  #onEnd(service: Service, instance: Instance, end: InstanceEnd, now: Instant): void {
    const ended = judge(instance, end, now)
    this.#instances.delete(instance.id)
    this.#tell({ type: 'ended', instance, ended })
    if (service.retiring.delete(instance)) return
    const slot = service.slots.get(instance.slot)
    assert(slot, `instance ${instance.id} has no slot`)
    const wasServing = slot.serving === instance
    if (wasServing) slot.serving = undefined
    else slot.replacement = undefined
    const wasStopped = end.type === 'exit' && end.stop !== undefined && !end.stop.failed
    if (wasStopped || service.leaving) return
    if (this.#retriesPort(service, slot, ended, now)) return
    if (!wasServing || !ended.ready) this.#failRestart(service, slot, instance, ended.reason)
    if (!wasServing && slot.serving?.revision === instance.revision) slot.healAt = after(now, service.config.restart.backoff.max)
    else if (!wasServing || (instance.trial && !ended.ready)) this.#failRollout(service, instance, ended, now)
    else this.#rest(service, slot, instance, end, ended, now)
  }

  /** A stranger was faster at the port: another port, and no failure of the program. */
  #retriesPort(service: Service, slot: Slot, ended: Ended, now: Instant): boolean {
    if (ended.ready || !ended.exit?.portTaken) return false
    if (++slot.portRetries > this.#options.limits.portRetries) {
      slot.portRetries = 0
      return false
    }
    if (isStopFirst(service)) slot.rest = { phase: 'backoff', until: after(now, fixedPortRetry), wait: fixedPortRetry, reason: ended.reason }
    return true
  }

  #failRollout(service: Service, instance: Instance, ended: Ended, now: Instant): void {
    if (instance.revision !== service.revision) return
    const { initial, max } = service.config.restart.backoff
    const failures = (service.failedRollout?.failures ?? 0) + 1
    const retries = ended.class !== 'config' && !isStopFirst(service) && service.config.restart.policy !== 'never'
    const retryAt = retries ? after(now, ms(Math.min(initial * 2 ** (failures - 1), max))) : undefined
    service.failedRollout = { failures, retryAt, reason: ended.reason }
    this.#tell({ type: 'rolloutFailed', service: service.name, revision: instance.revision, reason: ended.reason, retries })
  }

  #rest(service: Service, slot: Slot, instance: Instance, end: InstanceEnd, ended: Ended, now: Instant): void {
    const readySince = readySinceOf(instance.state)
    const { history, verdict } = decideRestart(
      slot.history,
      {
        class: ended.class,
        readyFor: readySince === undefined ? undefined : elapsed(readySince, now),
        bootTime: service.bootTime,
        resource: end.type === 'spawnFailure' && end.failure.kind === 'resource',
        final: ended.class === 'config' && (ended.exit?.code === 78 || service.stable !== instance.revision),
      },
      { config: service.config.restart, limits: this.#options.restartLimits },
      now,
      this.#options.random.next(),
    )
    slot.history = history
    slot.failed = true
    let entered = false
    switch (verdict.type) {
      case 'restart':
        slot.rest = { phase: 'none' }
        break
      case 'wait':
        slot.rest = { phase: verdict.crashLooping ? 'crashLooping' : 'backoff', until: verdict.until, wait: verdict.wait, reason: ended.reason }
        entered = verdict.entered
        break
      case 'done':
        slot.rest = { phase: 'done', reason: verdict.reason }
        break
      default:
        unreachable(verdict)
    }
    this.#tell({ type: 'resting', service: service.name, slot, rest: slot.rest, entered, last: instance.id })
  }

  // --- restarts ordered by hand

  #failRestart(service: Service, slot: Slot, instance: Instance, reason: string): void {
    const order = service.restart?.pending.get(slot.index)
    if (order && order.from !== instance.id) this.#endRestart(service, reason)
  }

  #endRestart(service: Service, error: string | undefined): void {
    const order = service.restart
    assert(order, `${service.name} is not being restarted`)
    service.restart = undefined
    this.#tell({ type: 'restarted', service: service.name, order, error })
  }

  /** Ticks off the slots whose new instance takes traffic and whose old one has ended. */
  #followRestart(service: Service): void {
    if (!service.restart) return
    const { pending, replaced } = service.restart
    for (const [index, { from }] of pending) {
      const slot = service.slots.get(index)
      if (!slot) pending.delete(index)
      else if (slot.serving && slot.serving.id !== from && isServing(slot.serving) && (from === undefined || !this.#instances.has(from))) {
        pending.delete(index)
        if (from !== undefined) replaced.push({ from, to: slot.serving.id })
      }
    }
    if (pending.size === 0) this.#endRestart(service, undefined)
  }

  // --- planning

  #plan(now: Instant): Instant | undefined {
    for (let round = 0; round < planRoundsMax; round++) {
      const { actions, wakeAt } = plan(this, this.#options.limits, now)
      for (const action of actions) this.#act(action, now)
      if (actions.length === 0) {
        for (const service of this.services.values()) this.#followRestart(service)
        return wakeAt
      }
    }
    throw new InvariantError('the plan never settles')
  }

  #act(action: Action, now: Instant): void {
    switch (action.type) {
      case 'start':
        this.#start(action, now)
        return
      case 'promote':
        this.#promote(action.service, action.slot, now)
        return
      case 'stop':
        this.#send(action.instance, { type: 'stop', reason: action.reason }, now)
        return
      case 'addSlot':
        this.#addSlot(action.service)
        return
      case 'dropSlot':
        this.#dropSlot(action.service, action.slot, action.reason, now)
        return
      case 'release':
        this.#release(action.service, action.missing)
        return
      case 'forget': {
        const slots = [...(this.services.get(action.service)?.slots.keys() ?? [])]
        this.services.delete(action.service)
        this.#tell({ type: 'forgotten', service: action.service, slots })
        return
      }
      default:
        unreachable(action)
    }
  }

  #start({ service: name, slot: index, revision, replacement, trial }: Extract<Action, { type: 'start' }>, now: Instant): void {
    const { slot } = this.#slot(name, index)
    const state: InstanceState = { phase: 'spawning', stop: undefined }
    const instance: Instance = { id: slot.nextId, service: name, slot: index, revision, trial, bornAt: now, state, wakeAt: undefined }
    slot.nextId = this.#newId(name)
    slot.rest = { phase: 'none' }
    this.#instances.set(instance.id, instance)
    const replaces = replacement ? slot.serving?.id : undefined
    if (replacement) slot.replacement = instance
    else slot.serving = instance
    if (!replacement && slot.failed) {
      slot.failed = false
      slot.restarts++
    }
    this.#outbox.push({ type: 'spawn', instance, replaces })
  }

  #promote(name: string, index: number, now: Instant): void {
    const { service, slot } = this.#slot(name, index)
    const old = slot.serving
    slot.serving = slot.replacement
    slot.replacement = undefined
    slot.revision = slot.serving?.revision
    slot.healAt = undefined
    slot.portRetries = 0
    slot.failed = false
    slot.rest = { phase: 'none' }
    if (!old) return
    service.retiring.add(old)
    this.#send(old, { type: 'stop', reason: `replaced by ${slot.serving?.id ?? 'another'}` }, now)
  }

  #release(name: string, missing: readonly string[]): void {
    const service = this.services.get(name)
    assert(service, `no service ${name}`)
    service.released = true
    if (missing.length > 0) this.#tell({ type: 'dependenciesMissing', service: name, missing })
  }

  #addSlot(name: string): void {
    const service = this.services.get(name)
    assert(service, `no service ${name}`)
    let index = 0
    while (service.slots.has(index)) index++
    this.#newSlot(service, index)
  }

  #dropSlot(name: string, index: number, reason: string, now: Instant): void {
    const { service, slot } = this.#slot(name, index)
    service.slots.delete(index)
    for (const instance of [slot.serving, slot.replacement]) {
      if (!instance) continue
      service.retiring.add(instance)
      this.#send(instance, { type: 'stop', reason }, now)
    }
    this.#tell({ type: 'slotDropped', service: name, slot: index })
  }

  #newSlot(service: Service, index: number): Slot {
    const slot: Slot = {
      index,
      revision: undefined,
      serving: undefined,
      replacement: undefined,
      nextId: this.#newId(service.name),
      rest: { phase: 'none' },
      history: cleanHistory,
      restarts: 0,
      failed: false,
      portRetries: 0,
      healAt: undefined,
    }
    service.slots.set(index, slot)
    return slot
  }

  #slot(name: string, index: number): { readonly service: Service; readonly slot: Slot } {
    const service = this.services.get(name)
    const slot = service?.slots.get(index)
    assert(service && slot, `no slot ${index} of ${name}`)
    return { service, slot }
  }

  /** `shop-3f2a9c`: 30 random bits, so that an id in an old log never means another instance. */
  #newId(service: string): string {
    const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'
    let id = `${service}-`
    for (let i = 0; i < 6; i++) id += alphabet.charAt(Math.floor(this.#options.random.next() * 32))
    return this.#instances.has(id) ? this.#newId(service) : id
  }
}
