/** Takes an instance one step further in its life, and tells its slot and service what that means for them. */
import type { Wake } from '../../kernel/machine.ts'
import type { Instant } from '../../kernel/time.ts'
import { onEnd } from './ending.ts'
import type { Instance, Service } from './fleet-state.ts'
import { instanceMachine, type InstanceInput, type InstanceTimes } from './instance-machine.ts'
import type { Roster } from './roster.ts'

function times(roster: Roster, service: Service): InstanceTimes {
  return { start: service.config.start.timeout, drain: roster.options.drainTimeout(), stop: service.config.stop.timeout }
}

export function sendTo(roster: Roster, instance: Instance, input: InstanceInput | Wake, now: Instant): void {
  const service = roster.serviceOf(instance)
  const before = instance.state
  const step = instanceMachine(() => times(roster, service)).step(before, input, now)
  instance.state = step.state
  instance.wakeAt = step.wakeAt
  for (const command of step.commands) roster.command(instance, command)
  if (before.phase !== step.state.phase) {
    roster.tell({ type: 'changed', instance, before })
    if (step.state.phase === 'ready' && before.phase === 'starting') onReady(roster, service, instance)
    if (step.state.phase === 'exited') onEnd(roster, service, instance, step.state.end, now)
  }
}

function onReady(roster: Roster, service: Service, instance: Instance): void {
  const slot = service.slots.get(instance.slot)
  if (slot?.serving === instance) {
    slot.revision = instance.revision
    slot.portRetries = 0
  }
  if (instance.revision !== service.revision || service.stable === service.revision) return
  service.stable = service.revision
  service.failedRollout = undefined
  roster.tell({ type: 'proven', service: service.name, revision: service.revision })
}
