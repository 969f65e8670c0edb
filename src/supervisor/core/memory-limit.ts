/**
 * The limit of memory of a service: an instance over it makes room for another one, which takes traffic first. The road not
 * taken is to kill it at once: what leaks has leaked for hours, and a minute more costs less than its requests.
 */
import { after, type Instant } from '../../kernel/time.ts'
import type { Instance, Service } from './fleet-state.ts'
import type { MemoryReading } from './fleet-types.ts'
import { readySinceOf } from './instance-machine.ts'
import type { Roster } from './roster.ts'

/** Below this share of the limit it counts as under it again; in between, as before. */
const underAgain = 0.9

export function weigh(roster: Roster, readings: readonly MemoryReading[]): void {
  for (const { id, memoryBytes } of readings) {
    const instance = roster.instances.get(id)
    if (!instance) continue
    const limitBytes = roster.serviceOf(instance).config.resources?.memory ?? Infinity
    const wasOver = instance.isOverMemory === true
    instance.isOverMemory = memoryBytes > (wasOver ? underAgain * limitBytes : limitBytes)
    if (instance.isOverMemory && !wasOver) roster.tell({ type: 'overMemory', instance, memoryBytes, limitBytes })
  }
}

/**
 * When an instance may be replaced for its memory; undefined: it has no need. A limit that is too low for the program must not
 * have it replaced without end: not before it has served for as long as the longest wait between restarts.
 */
export function tooHeavyFrom(instance: Instance, { config }: Service): Instant | undefined {
  const readySince = readySinceOf(instance.state)
  return config.resources && instance.isOverMemory && instance.state.phase === 'ready' && readySince !== undefined
    ? after(readySince, config.restart.backoff.max)
    : undefined
}
