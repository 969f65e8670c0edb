/**
 * Which requests a stored response is for (RFC 9111, 4.1): those whose fields named by its `Vary` say the same. Fields that are not said match only
 * those that are not said. Values are compared without optional whitespace; of `Accept-Encoding` only what may be sent counts, in any order.
 */
import { listed, type Fields } from './fields.ts'

/** Names in lower case, sorted; `*`: no other request; []: every one. */
export function varyOf(response: Fields): readonly string[] | '*' {
  const names = new Set<string>()
  for (const line of response.all('vary')) {
    for (const each of line.split(',')) {
      const name = each.trim().toLowerCase()
      if (name === '*') return '*'
      if (name !== '') names.add(name)
    }
  }
  return [...names].toSorted()
}

/** One text for all requests that it matches. */
export function secondaryKey(names: readonly string[], request: Fields): string {
  return names.map((name) => normalised(name, listed(request, name))).join('\n')
}

function normalised(name: string, value: string | undefined): string {
  if (value === undefined) return ''
  if (name === 'accept-encoding') return `=${codings(value)}`
  const compact = value
    .trim()
    .replaceAll(/[ \t]*,[ \t]*/g, ',')
    .replaceAll(/[ \t]*;[ \t]*/g, ';')
  // Language tags are the same in any case.
  return `=${name === 'accept-language' ? compact.toLowerCase() : compact}`
}

/** What is accepted at all: how much it is liked decides nothing that the client could not read. */
function codings(value: string): string {
  const accepted = new Set<string>()
  for (const each of value.split(',')) {
    const [coding = '', ...parameters] = each.split(';').map((part) => part.trim().toLowerCase())
    const refused = parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))
    if (coding !== '') accepted.add(refused ? `-${coding}` : coding === 'x-gzip' ? 'gzip' : coding)
  }
  return [...accepted].toSorted().join(',')
}
