/**
 * What a response says of being kept: `Cache-Control`, or the first field of the target list that is well-formed and says something (RFC 9213): it then
 * counts instead of `Cache-Control` and `Expires`.
 */
import { deltaMax, directivesOf, responseDirectives, type ResponseDirectives } from './directives.ts'
import { listed, type Fields } from './fields.ts'
import { parseDictionary, type BareItem } from './structured.ts'

/** In the order of preference. They are for us: they go no further. */
export const targetFields = ['holdfast-cache-control', 'cdn-cache-control'] as const

export interface Control {
  readonly directives: ResponseDirectives
  /** It came by a target field: `Expires` does not count. */
  readonly targeted: boolean
}

export function controlOf(response: Fields): Control {
  for (const name of targetFields) {
    const text = listed(response, name)
    const members = text === undefined ? undefined : parseDictionary(text)
    if (members !== undefined && members.size > 0) return { directives: responseDirectives(argumentsOf(members)), targeted: true }
  }
  return { directives: responseDirectives(directivesOf(listed(response, 'cache-control') ?? '')), targeted: false }
}

/** A directive of the wrong type is not there; `?0` says that it is not meant. */
function argumentsOf(members: ReadonlyMap<string, BareItem>): Map<string, string | undefined> {
  const found = new Map<string, string | undefined>()
  for (const [name, value] of members) {
    if (value === true) found.set(name, undefined)
    else if (typeof value === 'number' && value >= 0) found.set(name, String(Math.min(deltaMax, value)))
  }
  return found
}
