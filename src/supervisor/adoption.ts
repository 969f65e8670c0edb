/** Puts together what the store remembers of instances and what the marks on running processes tell. */
import type { InstanceRecord } from './records.ts'
import type { MarkedProcess } from './runtimes/runtime.ts'

/** The slot of an instance of which nothing was written down: none. */
const noSlot = -1

/**
 * Records of instances, with the process of those whose pid was not written down in time; and a record for those that
 * were spawned a moment before the end of the control process and left no other trace. Those have no slot, so they are
 * stopped in good order.
 */
export function withMarked(records: readonly InstanceRecord[], marked: readonly MarkedProcess[]): readonly InstanceRecord[] {
  const leaders = new Map(marked.filter(({ leader }) => leader).map(({ instance }) => [instance.id, instance]))
  const completed = records.map((record) => {
    const running = record.running ?? leaders.get(record.id)
    return running ? { ...record, running } : record
  })
  const known = new Set(records.map(({ id }) => id))
  const unknown = [...leaders.values()].filter(({ id }) => !known.has(id))
  return [...completed, ...unknown.map((running) => ({ id: running.id, service: running.service, slot: noSlot, revision: 0, running }))]
}
