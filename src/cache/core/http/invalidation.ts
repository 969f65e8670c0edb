/** What an answer to an unsafe request makes wrong (RFC 9111, 4.4): its own target, and what it names on the same origin. */
import { keyOfUrl } from './key.ts'
import { single, type Fields } from './fields.ts'

/** RFC 9110, 9.2.1, with QUERY; all others may change something, known to us or not. */
const safe: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PROPFIND', 'REPORT', 'SEARCH'])

export const isSafe = (method: string): boolean => safe.has(method)

/** Absolute URLs, the target first; []: nothing. `target`: the absolute URL that was asked for. */
export function invalidatedBy(method: string, status: number, target: string, response: Fields): readonly string[] {
  if (isSafe(method) || status < 200 || status >= 400) return []
  const found = new Set([target])
  // A `Host` may be none that a URL could have.
  if (!URL.canParse(target)) return [target]
  const { origin } = new URL(target)
  for (const name of ['location', 'content-location']) {
    const value = single(response, name)
    const url = value === undefined || !URL.canParse(value, target) ? undefined : new URL(value, target)
    if (url?.origin === origin) {
      found.add(keyOfUrl(url.href))
    }
  }
  return [...found]
}
