/** A filter that names nothing there is would be answered with silence, which looks like "nothing happened": it is refused, with what there is. */
import type { Operations } from '../app/operations.ts'
import { nearest } from '../config/core/words.ts'
import { HoldfastError } from '../kernel/errors.ts'
import { eventTypes } from '../kernel/events.ts'
import { isNoun } from '../store/core/select-events.ts'

const eventNouns: readonly string[] = [...new Set(eventTypes.map((type) => type.split('.')[0] ?? ''))]

/** Throws `invalid_input` for a type that no event has, `unknown_service` for a service that neither is nor was. */
export function refuseUnknown(
  operations: Operations,
  { type, service }: { readonly type?: string | undefined; readonly service?: string | undefined },
): void {
  // Another version of holdfast may have known another type, and left events of it.
  if (type !== undefined && operations.events({ type, limit: 1 }).length === 0) refuseUnknownType(type)
  if (service === undefined) return
  const isThere = operations.services().some(({ name }) => name === service)
  // One that has been removed has left its events.
  if (!isThere && operations.events({ service, limit: 1 }).length === 0) operations.service(service)
}

function refuseUnknownType(type: string): void {
  const known: readonly string[] = isNoun(type) ? eventNouns : eventTypes
  if (known.includes(type)) return
  const noun = type.split('.')[0] ?? ''
  const likely = isNoun(type) || !eventNouns.includes(noun) ? eventNouns : eventTypes.filter((each) => each.startsWith(`${noun}.`))
  const meant = nearest(type, [...eventTypes, ...eventNouns])
  const list = `${likely === eventNouns ? 'nouns' : 'types'} are: ${likely.join(', ')}`
  throw new HoldfastError('invalid_input', `no event has the type "${type}"`, {
    hint: meant === undefined ? list : `did you mean "${meant}"? ${list}`,
    details: { type, known: eventTypes },
  })
}

/** Rejects with `unknown_instance` for one that the service neither has nor has lines of. */
export async function refuseUnknownInstance(operations: Operations, service: string, instance: string): Promise<void> {
  const ids = operations.instances(service).map(({ id }) => id)
  if (ids.includes(instance) || (await operations.logs(service, { instance, limit: 1 })).length > 0) return
  throw new HoldfastError('unknown_instance', `looked for instance ${instance} of ${service}, found no such instance and no line of it`, {
    hint: ids.length === 0 ? `${service} has no instance now` : `there are: ${ids.join(', ')}`,
    details: { service, instance, known: ids },
  })
}
