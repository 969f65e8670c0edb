/** Does what the planner wants: fills slots, puts replacements in their place, lets go of what is not wanted. */
import { unreachable } from '../../kernel/errors.ts'
import type { Instant } from '../../kernel/time.ts'
import type { Instance } from './fleet-state.ts'
import type { InstanceState } from './instance-machine.ts'
import type { Action } from './plan.ts'
import type { Roster } from './roster.ts'
import { sendTo } from './steps.ts'

export function act(roster: Roster, action: Action, now: Instant): void {
  switch (action.type) {
    case 'start':
      start(roster, action, now)
      return
    case 'promote':
      promote(roster, action.service, action.slot, now)
      return
    case 'stop':
      sendTo(roster, action.instance, { type: 'stop', reason: action.reason }, now)
      return
    case 'addSlot':
      addSlot(roster, action.service)
      return
    case 'dropSlot':
      dropSlot(roster, action.service, action.slot, action.reason, now)
      return
    case 'release':
      release(roster, action.service, action.missing)
      return
    case 'forget': {
      const slots = [...(roster.services.get(action.service)?.slots.keys() ?? [])]
      roster.services.delete(action.service)
      roster.tell({ type: 'forgotten', service: action.service, slots })
      return
    }
    default:
      unreachable(action)
  }
}

function start(roster: Roster, { service: name, slot: index, revision, replacement, trial }: Extract<Action, { type: 'start' }>, now: Instant): void {
  const { slot } = roster.slot(name, index)
  const state: InstanceState = { phase: 'spawning', stop: undefined }
  const instance: Instance = { id: slot.nextId, service: name, slot: index, revision, trial, bornAt: now, state, wakeAt: undefined }
  slot.nextId = roster.newId(name)
  slot.rest = { phase: 'none' }
  roster.instances.set(instance.id, instance)
  const replaces = replacement ? slot.serving?.id : undefined
  if (replacement) slot.replacement = instance
  else slot.serving = instance
  if (!replacement && slot.failed) {
    slot.failed = false
    slot.restarts++
  }
  roster.spawn(instance, replaces)
}

function promote(roster: Roster, name: string, index: number, now: Instant): void {
  const { service, slot } = roster.slot(name, index)
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
  sendTo(roster, old, { type: 'stop', reason: `replaced by ${slot.serving?.id ?? 'another'}` }, now)
}

function release(roster: Roster, name: string, missing: readonly string[]): void {
  const service = roster.service(name)
  service.released = true
  if (missing.length > 0) roster.tell({ type: 'dependenciesMissing', service: name, missing })
}

function addSlot(roster: Roster, name: string): void {
  const service = roster.service(name)
  let index = 0
  while (service.slots.has(index)) index++
  roster.newSlot(service, index)
}

function dropSlot(roster: Roster, name: string, index: number, reason: string, now: Instant): void {
  const { service, slot } = roster.slot(name, index)
  service.slots.delete(index)
  for (const instance of [slot.serving, slot.replacement]) {
    if (!instance) continue
    service.retiring.add(instance)
    sendTo(roster, instance, { type: 'stop', reason }, now)
  }
  roster.tell({ type: 'slotDropped', service: name, slot: index })
}
