/**
 * Hears the field `Holdfast-State` in answers of services with `health.agent`: what an endpoint asks for itself goes to the primary, which tells all
 * workers, and never to a client. What was said last is told once, and one endpoint is told of at most twenty times a second.
 */
import { askedBytesMax, stateField } from '../../instance/core/asked-state.ts'
import { HeadEdit } from '../core/rules/head-edit.ts'
import { fieldStride, fieldText, nameEnd, nameStart, type Head } from '../http1/head.ts'
import type { EndpointPool } from './upstream.ts'
import type { Worker } from './worker.ts'

/** Takes the field out of an answer. */
export const withoutState = new HeadEdit([stateField], '')
/** Between two things that one endpoint says: what comes between is said again with its next answer, or its next probe. */
const newsMs = 50

/** `endpoint`: whose answer it is; undefined: it was heard when it came. */
export function hearState(head: Head, buffer: Buffer, endpoint: EndpointPool | undefined, worker: Worker): void {
  const said = onlyField(head, buffer)
  if (endpoint === undefined || said === undefined || said === endpoint.said || said.length > askedBytesMax) return
  if (worker.now - endpoint.saidAt < newsMs) return
  endpoint.said = said
  endpoint.saidAt = worker.now
  worker.fleet.tellAsked(endpoint, said)
}

/** Of an answer with two of them nobody knows whose the second is. */
function onlyField(head: Head, buffer: Buffer): string | undefined {
  let found: string | undefined
  for (let i = 0; i < head.fieldCount; i++) {
    const start = head.fields[i * fieldStride + nameStart]!
    const end = head.fields[i * fieldStride + nameEnd]!
    if (!withoutState.drops(buffer, start, end)) continue
    if (found !== undefined) return undefined
    found = fieldText(head, buffer, i)
  }
  return found
}
