/**
 * Cache groups (RFC 9875): an origin names groups that a response belongs to, and with the answer to an unsafe request those that it has changed. Of one
 * origin only: the same name elsewhere is another group.
 */
import { listed, type Fields } from './fields.ts'
import { parseList } from './structured.ts'

/** The RFC asks for 32 groups of 32 characters at least. */
const groupsMax = 64
const groupLengthMax = 128

/** What a response belongs to; a field that is no list of strings counts for nothing. */
export const groupsOf = (response: Fields): readonly string[] => stringsOf(listed(response, 'cache-groups'))

/** What the answer to an unsafe request has changed; on others the field is ignored. */
export const groupsChangedBy = (response: Fields): readonly string[] => stringsOf(listed(response, 'cache-group-invalidation'))

function stringsOf(text: string | undefined): readonly string[] {
  const members = text === undefined ? undefined : parseList(text)
  if (members?.every((member) => typeof member === 'string') !== true) return []
  return [...new Set(members)].filter((group) => group.length <= groupLengthMax).slice(0, groupsMax)
}

/** Scheme, host and port of a key. */
export function originOf(key: string): string {
  const path = key.indexOf('/', key.indexOf('://') + 3)
  return path < 0 ? key : key.slice(0, path)
}
