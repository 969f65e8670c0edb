/** Where the reader is: `#/services/shop?tab=logs`. In the hash, so that every address of the server stays the server's. */
import { computed, signal } from '@preact/signals'

const read = (): string => (location.hash.startsWith('#/') ? location.hash.slice(1) : '/')
const address = signal(read())
addEventListener('hashchange', () => {
  address.value = read()
})

export const path = computed(() => address.value.split('?', 1)[0] ?? '/')
export const query = computed(() => new URLSearchParams(address.value.split('?')[1] ?? ''))

export const href = (to: string): string => `#${to}`
export function go(to: string): void {
  location.hash = to
}

/** Changes the query without a new entry in the history: filters are no places. */
export function setQuery(changes: Readonly<Record<string, string | undefined>>): void {
  const next = new URLSearchParams(query.peek())
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === '') next.delete(name)
    else next.set(name, value)
  }
  const search = next.toString()
  address.value = `${path.peek()}${search === '' ? '' : `?${search}`}`
  history.replaceState(null, '', `#${address.value}`)
}

/** The parameters of `/services/:name` in `/services/shop`; undefined: it does not fit. */
export function match(pattern: string, at: string): Readonly<Record<string, string>> | undefined {
  const [wanted, given] = [pattern.split('/'), at.split('/')]
  if (wanted.length !== given.length) return undefined
  const params: Record<string, string> = {}
  for (const [i, part] of wanted.entries()) {
    const text = given[i] ?? ''
    if (part.startsWith(':')) params[part.slice(1)] = decode(text)
    else if (part !== text) return undefined
  }
  return params
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text // typed by hand
  }
}
