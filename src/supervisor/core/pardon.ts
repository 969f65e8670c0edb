/**
 * Failures with a cause that is known and mended: the data plane has found the request that the instances crashed with, and sends it to nobody any more.
 * They are taken back, as if they had not been: without this, a few such requests make a crash loop of a program that is well, and its waits
 * are what takes the service down.
 */
import { elapsed, type Instant } from '../../kernel/time.ts'
import type { Slot } from './fleet-state.ts'
import type { RestartHistory } from './restart-policy.ts'
import type { Roster } from './roster.ts'

/** Failures of a slot that can be taken back: the latest. */
const bookedMax = 5
/** A program that each request kills is in a crash loop all the same: a slot is pardoned so often within the window of crash loops. */
export const pardonsMax = 100

/** A failure, and what the slot remembered before it. */
export interface BookedFailure {
  readonly instance: string
  readonly before: RestartHistory
}

export function rememberFailure(slot: Slot, instance: string): void {
  slot.booked = [...slot.booked, { instance, before: slot.history }].slice(-bookedMax)
}

export function pardon(roster: Roster, instances: readonly string[], now: Instant): void {
  const { crashLoopWindow } = roster.options.restartLimits
  for (const service of roster.services.values()) {
    for (const slot of service.slots.values()) {
      const first = slot.booked.findLastIndex(({ instance }) => !instances.includes(instance)) + 1
      const earliest = slot.booked[first]
      const pardons = slot.pardons.filter((at) => elapsed(at, now) < crashLoopWindow)
      if (earliest === undefined || pardons.length >= pardonsMax) continue
      slot.history = earliest.before
      slot.booked = slot.booked.slice(0, first)
      slot.pardons = [...pardons, now]
      if (slot.rest.phase === 'backoff' || slot.rest.phase === 'crashLooping') slot.rest = { phase: 'none' }
    }
  }
}
