/**
 * Under what name a response is kept: scheme, host and target of its request, as far as all spellings mean the same (RFC 9110, 4.2.3; RFC 3986, 6.2.2). The
 * host in lower case, without the port of its scheme and without the dot that ends it; in the target only the encoding of characters that need none is
 * undone. Empty segments, dot segments and the order of a query are the origin's: they stay as they were sent.
 */
const defaultPorts: Readonly<Record<Scheme, string>> = { http: ':80', https: ':443' }

export type Scheme = 'http' | 'https'

export function keyOf(scheme: Scheme, host: string, target: string): string {
  return `${scheme}://${normalHost(scheme, host)}${normalTarget(target)}`
}

function normalHost(scheme: Scheme, host: string): string {
  const lower = host.toLowerCase()
  const port = defaultPorts[scheme]
  const bare = lower.endsWith(port) ? lower.slice(0, -port.length) : lower.endsWith(':') ? lower.slice(0, -1) : lower
  return bare.includes('.') ? bare.replace(/\.(?=$|:\d+$)/, '') : bare
}

const unreserved = /[\w.~-]/

/** Path and query. */
export function normalTarget(target: string): string {
  if (!target.includes('%')) return target
  return target.replaceAll(/%[0-9a-f]{2}/gi, (code) => {
    const character = String.fromCharCode(Number.parseInt(code.slice(1), 16))
    return unreserved.test(character) ? character : code.toUpperCase()
  })
}

/** The same of a whole URL, without its fragment; what is no URL of HTTP is left as it is. */
export function keyOfUrl(url: string): string {
  const parts = /^(https?):\/\/([^/?#]*)([^#]*)/i.exec(url)
  if (parts === null || !URL.canParse(url)) return url
  const [, scheme = '', authority = '', rest = ''] = parts
  const { host } = new URL(url)
  const target = rest === '' || rest.startsWith('?') ? `/${rest}` : rest
  return keyOf(scheme.toLowerCase() as Scheme, authority.includes('@') ? host : authority, target)
}

/**
 * Fields by which a client can make some origins answer another request than the one that was made, though they are no part of what it is kept under: what
 * comes of such a request is for its client alone.
 */
export const overridingFields = [
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
  'x-original-url',
  'x-rewrite-url',
  'x-original-host',
  'x-host',
  'x-forwarded-scheme',
  'x-forwarded-server',
  'x-forwarded-prefix',
] as const
