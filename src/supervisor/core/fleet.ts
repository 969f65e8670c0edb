/**
 * The whole supervisor as one decision process: takes what happened, says what to do. It composes the instance
 * machine, the restart policy and the planner, and does no I/O: the controller carries its commands out, the model
 * check runs a million random steps through it.
 *
 * One step: the input goes to the instance or the services it concerns; ends of instances are booked on their slots;
 * then the planner is asked until it wants nothing more.
 *
 *   input ──▶ steps.ts ──▶ ending.ts (restart or not?) ──▶ plan.ts ──▶ acting.ts ──▶ commands, facts
 *
 * State is kept in place rather than copied: two hundred instances are stepped thousands of times a minute, and nobody else holds on to it.
 */
import { InvariantError, unreachable } from '../../kernel/errors.ts'
import type { Machine, Step, Wake } from '../../kernel/machine.ts'
import type { Instant } from '../../kernel/time.ts'
import { act } from './acting.ts'
import type { FleetState, Instance, Service } from './fleet-state.ts'
import type { DesiredService, FleetCommand, FleetInput, FleetOptions } from './fleet-types.ts'
import { weigh } from './memory-limit.ts'
import { newService } from './new-service.ts'
import { pardon } from './pardon.ts'
import { plan } from './plan.ts'
import { endRestart, followRestart, orderRestart } from './restart-order.ts'
import { cleanHistory } from './restart-policy.ts'
import { Roster } from './roster.ts'
import { sendTo } from './steps.ts'
import { adopt, recallSlot } from './taking-over.ts'

/** Rounds of planning in one step; more would mean that the planner undoes what it did. */
const planRoundsMax = 1_000

export class Fleet implements FleetState, Machine<Fleet, FleetInput, FleetCommand> {
  readonly #roster: Roster

  constructor(options: FleetOptions) {
    this.#roster = new Roster(options)
  }

  get services(): ReadonlyMap<string, Service> {
    return this.#roster.services
  }

  instance(id: string): Instance | undefined {
    return this.#roster.instances.get(id)
  }

  start(): Step<Fleet, FleetCommand> {
    return { state: this, commands: [] }
  }

  step(_state: Fleet, input: FleetInput | Wake, now: Instant): Step<Fleet, FleetCommand> {
    this.#take(input, now)
    const planAt = this.#plan(now)
    let wakeAt = planAt
    for (const instance of this.#roster.instances.values()) {
      if (instance.wakeAt !== undefined && (wakeAt === undefined || instance.wakeAt < wakeAt)) wakeAt = instance.wakeAt
    }
    return { state: this, commands: this.#roster.take(), wakeAt }
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
        orderRestart(this.#roster, input.service)
        return
      case 'stopAll':
        for (const service of this.services.values()) this.#leave(service)
        return
      case 'killAll':
        for (const instance of [...this.#roster.instances.values()]) sendTo(this.#roster, instance, { type: 'kill', reason: 'no time left' }, now)
        return
      case 'pardon':
        pardon(this.#roster, input.instances, now)
        return
      case 'bootTime': {
        const service = this.services.get(input.service)
        if (service) service.bootTime = input.bootTime
        return
      }
      case 'memory':
        weigh(this.#roster, input.readings)
        return
      case 'instance': {
        const instance = this.#roster.instances.get(input.id)
        if (instance) sendTo(this.#roster, instance, input.input, now)
        return
      }
      case 'wake':
        for (const instance of [...this.#roster.instances.values()]) {
          if (instance.wakeAt !== undefined && now >= instance.wakeAt) sendTo(this.#roster, instance, input, now)
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
    for (const slot of slots) recallSlot(this.#roster, slot)
    for (const instance of found) adopt(this.#roster, instance, now)
    for (const service of this.services.values()) if (!wanted.has(service.name)) this.#leave(service)
  }

  #want({ config, revision, desired, stable, bootTime }: DesiredService, now: Instant): void {
    const known = this.services.get(config.name)
    if (!known) {
      this.#roster.services.set(config.name, { ...newService(config, now), revision, desired, stable, bootTime })
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
      slot.booked = []
      if (changed) slot.revision = undefined
    }
  }

  #leave(service: Service): void {
    service.leaving = true
    if (service.restart) endRestart(this.#roster, service, 'the service is going away')
  }

  // --- planning

  #plan(now: Instant): Instant | undefined {
    for (let round = 0; round < planRoundsMax; round++) {
      const { actions, wakeAt } = plan(this, this.#roster.options.limits, now)
      for (const action of actions) act(this.#roster, action, now)
      if (actions.length === 0) {
        for (const service of this.services.values()) followRestart(this.#roster, service)
        return wakeAt
      }
    }
    throw new InvariantError('the plan never settles')
  }
}
