/** Paths of requests as routes see them: in normal form, so that no spelling of a path slips past the route of another. */

/** A prefix ends at a segment boundary: `/a` matches `/a`, `/a/` and `/a/b`, not `/ab`. */
export function matchesPrefix(path: string, prefix: string): boolean {
  if (prefix === '/') return true
  if (!path.startsWith(prefix)) return false
  return path.length === prefix.length || prefix.endsWith('/') || path.charCodeAt(prefix.length) === 47
}

/**
 * The path that routes are matched against: percent-encoded unreserved characters decoded, dot segments and doubled
 * slashes removed (RFC 3986 §6.2.2), so that `/%61dmin` and `/x/../admin` cannot slip past the route of `/admin`.
 * What is forwarded stays as the client wrote it.
 */
export function routingPath(target: string): string {
  const query = target.indexOf('?')
  const raw = query < 0 ? target : target.slice(0, query)
  if (!raw.includes('%') && !raw.includes('/.') && !raw.includes('//')) return raw
  const decoded = raw.replace(/%[0-9A-Fa-f]{2}/g, (escape) => {
    const char = String.fromCharCode(parseInt(escape.slice(1), 16))
    return /[A-Za-z0-9\-._~]/.test(char) ? char : escape
  })
  const segments: string[] = []
  for (const segment of decoded.split('/')) {
    if (segment === '..') segments.pop()
    else if (segment !== '.' && segment !== '') segments.push(segment)
  }
  const directory = /(\/|\/\.{1,2})$/.test(decoded)
  return `/${segments.join('/')}${directory && segments.length > 0 ? '/' : ''}`
}

/** A path that names another place than its letters say: dot segments (also percent-encoded) or doubled slashes. */
const indirect = /\/\/|\/(?:\.|%2e){1,2}(?:\/|$)/i

/** The target without the prefix of its route. A target that spells the prefix differently, or leaves it and comes back, is forwarded in normal form. */
export function strippedTarget(target: string, prefix: string): string {
  if (prefix === '/') return target
  const query = target.indexOf('?')
  const path = query < 0 ? target : target.slice(0, query)
  const literal = matchesPrefix(path, prefix) && !indirect.test(path)
  const rest = (literal ? path : routingPath(target)).slice(prefix.endsWith('/') ? prefix.length - 1 : prefix.length)
  return `${rest.startsWith('/') ? '' : '/'}${rest}${query < 0 ? '' : target.slice(query)}`
}
