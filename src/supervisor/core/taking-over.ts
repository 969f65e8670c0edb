/** Puts what an earlier control process has left, slots and running instances, where it belongs. */
import { instant, ms, type Instant } from '../../kernel/time.ts'
import { isStopFirst, type Instance, type Service } from './fleet-state.ts'
import type { FoundInstance, KnownSlot } from './fleet-types.ts'
import type { InstanceState } from './instance-machine.ts'
import { newService, orphanConfig } from './new-service.ts'
import type { Roster } from './roster.ts'
import { sendTo } from './steps.ts'

export function recallSlot(roster: Roster, { service: name, index, history, restarts, nextStartAt }: KnownSlot & { service: string }): void {
  const service = roster.services.get(name)
  if (!service || index >= service.desired) return
  const slot = roster.newSlot(service, index)
  slot.history = history
  slot.restarts = restarts
  if (nextStartAt === undefined) return
  const phase = history.crashLooping ? 'crashLooping' : 'backoff'
  slot.rest = { phase, until: nextStartAt, wait: ms(0), reason: 'it failed before holdfast was started' }
}

export function adopt(roster: Roster, { id, service: name, slot: index, revision, age, readyFor, stop }: FoundInstance, now: Instant): void {
  const service = roster.services.get(name) ?? orphanService(roster, name, stop)
  const ready = readyFor !== undefined
  const state: InstanceState = ready ? { phase: 'ready', since: instant(now - readyFor), admitted: false } : { phase: 'spawning', stop: undefined }
  const instance: Instance = { id, service: name, slot: index, revision, trial: false, bornAt: instant(now - age), state, wakeAt: undefined }
  roster.instances.set(id, instance)
  service.released = true
  if (ready) service.stable ??= revision
  const retires = !place(roster, service, instance, ready)
  if (!ready) sendTo(roster, instance, { type: 'spawned' }, now)
  else if (!retires) roster.command(instance, { type: 'admit' })
  if (retires) sendTo(roster, instance, { type: 'stop', reason: 'its place is taken' }, now)
}

/** Puts a found instance where it belongs; false: there is no room for it. */
function place(roster: Roster, service: Service, instance: Instance, ready: boolean): boolean {
  const { slot: index, revision } = instance
  const wanted = index >= 0 && index < service.desired
  const slot = service.slots.get(index) ?? (wanted ? roster.newSlot(service, index) : undefined)
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
function orphanService(roster: Roster, name: string, stop: FoundInstance['stop']): Service {
  const service = newService(orphanConfig(name, stop), undefined)
  roster.services.set(name, service)
  return service
}
