/** A restart ordered by hand: every slot gets a new instance, one failure of a new one ends it. */
import { assert } from '../../kernel/errors.ts'
import { isServing, type Instance, type Service, type Slot } from './fleet-state.ts'
import { cleanHistory } from './restart-policy.ts'
import type { Roster } from './roster.ts'

export function orderRestart(roster: Roster, name: string): void {
  const service = roster.services.get(name)
  if (!service) return
  assert(!service.restart, `${name} is being restarted already`)
  const pending = new Map<number, { from: string | undefined }>()
  for (const slot of service.slots.values()) {
    pending.set(slot.index, { from: slot.serving?.id })
    if (!slot.serving) slot.rest = { phase: 'none' }
    slot.history = cleanHistory
    slot.booked = []
  }
  service.restart = { pending, replaced: [] }
  service.failedRollout = undefined
}

export function failRestart(roster: Roster, service: Service, slot: Slot, instance: Instance, reason: string): void {
  const order = service.restart?.pending.get(slot.index)
  if (order && order.from !== instance.id) endRestart(roster, service, reason)
}

export function endRestart(roster: Roster, service: Service, error: string | undefined): void {
  const order = service.restart
  assert(order, `${service.name} is not being restarted`)
  service.restart = undefined
  roster.tell({ type: 'restarted', service: service.name, order, error })
}

/** Ticks off the slots whose new instance takes traffic and whose old one has ended. */
export function followRestart(roster: Roster, service: Service): void {
  if (!service.restart) return
  const { pending, replaced } = service.restart
  for (const [index, { from }] of pending) {
    const slot = service.slots.get(index)
    if (!slot) pending.delete(index)
    else if (slot.serving && slot.serving.id !== from && isServing(slot.serving) && (from === undefined || !roster.instances.has(from))) {
      pending.delete(index)
      if (from !== undefined) replaced.push({ from, to: slot.serving.id })
    }
  }
  if (pending.size === 0) endRestart(roster, service, undefined)
}
