/** Puts together what the store remembers of instances and what the marks on running processes tell. */
import type { InstanceRecord } from './records.ts'
import type { MarkedProcess, RunningInstance } from './runtimes/runtime.ts'

/** The slot of an instance of which nothing was written down: none. */
const noSlot = -1
/** Less than any that was ever given: whoever has it is replaced in good order. */
export const unknownRevision = 0

/**
 * Records of instances, with the process of those whose pid was not written down in time; and a record for those that left
 * no other trace. Where the store knows their service, they were spawned a moment before the end of the control process:
 * they have no slot, so they are stopped. Where it knows nothing, because it was lost, they are what serves: they get a
 * slot, and go when their successors are ready.
 */
export function withMarked(records: readonly InstanceRecord[], marked: readonly MarkedProcess[]): readonly InstanceRecord[] {
  const leaders = new Map(marked.filter(({ leader }) => leader).map(({ instance }) => [instance.id, instance]))
  const completed = records.map((record) => {
    const running = record.running ?? leaders.get(record.id)
    return running ? { ...record, running } : record
  })
  const known = new Set(records.map(({ id }) => id))
  return [
    ...completed,
    ...recordsOf(
      [...leaders.values()].filter(({ id }) => !known.has(id)),
      new Set(records.map(({ service }) => service)),
    ),
  ]
}

function recordsOf(unknown: readonly RunningInstance[], remembered: ReadonlySet<string>): InstanceRecord[] {
  const slots = new Map<string, number>()
  return unknown.map((running) => {
    const { id, service } = running
    const next = slots.get(service) ?? 0
    slots.set(service, next + 1)
    return { id, service, slot: remembered.has(service) ? noSlot : next, revision: unknownRevision, running }
  })
}
