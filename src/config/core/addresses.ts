/** Single values that name something on a network: addresses, hosts, paths, methods, status codes. */
import type { Scalar } from './schema.ts'
import { port, text } from './scalars.ts'

const label = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/

/** A host name or IPv4 address, in lower case. All digits and dots must be a valid IPv4 address, or resolvers disagree about it. */
function readHostName(host: string): string | undefined {
  const name = host.toLowerCase()
  if (name.length === 0 || name.length > 253) return undefined
  if (/^[\d.]+$/.test(name)) return isIPv4(name) ? name : undefined
  return name.split('.').every((part) => label.test(part)) ? name : undefined
}

export function isIPv4(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
}

/** Source of the form: RFC 4291 §2.2, with an optional zone. */
export function isIPv6(text: string): boolean {
  const [address = '', zone, more] = text.split('%')
  if (more !== undefined || (zone !== undefined && !/^\w+$/.test(zone)) || address.length > 45) return false
  const halves = address.split('::')
  if (halves.length > 2) return false
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')))
  const last = groups.at(-1)?.at(-1)
  const tail = last !== undefined && isIPv4(last) ? 1 : 0
  const all = groups.flat()
  if (!all.every((group, i) => /^[\da-f]{1,4}$/i.test(group) || (tail === 1 && i === all.length - 1))) return false
  return halves.length === 2 ? all.length + tail < 8 : all.length + tail === 8
}

function readHost(text: string): string | undefined {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text
  if (bare.includes(':')) return isIPv6(bare) ? bare.toLowerCase() : undefined
  return bare === text ? readHostName(text) : undefined
}

/** As a URL and a `Host` field hold it. */
function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/** Where to listen. */
export const bindHost: Scalar<string> = {
  kind: 'scalar',
  name: 'host',
  expected: 'an address of this machine such as 127.0.0.1, 0.0.0.0 or ::1',
  read: readHost,
  write: (value) => value,
  hint: (text) => (/:\d+$/.test(text) && !isIPv6(text) ? 'give the port by the key "port"' : undefined),
}

export interface Address {
  readonly host: string
  readonly port: number
}

/** The name that a certificate must have. */
export const serverName = text('host name', {
  max: 253,
  expected: 'a host name such as shop.internal',
  matching: /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/,
})

/** `10.0.0.5:3000`, `db.internal:5432`, `[::1]:3000`. */
export const address: Scalar<Address> = {
  kind: 'scalar',
  name: 'address',
  expected: 'an address such as 10.0.0.5:3000, web.internal:3000 or [::1]:3000',
  read(text) {
    const [, hostText = '', portText = ''] = /^(\[[^\]]*\]|[^:]*):(\d{1,5})$/.exec(text) ?? []
    const host = readHost(hostText)
    const number = port.read(portText)
    return host === undefined || number === undefined ? undefined : { host, port: number }
  },
  write: ({ host, port }) => `${bracketed(host)}:${port}`,
  hint(text) {
    if (/^[a-z]+:\/\//i.test(text)) return 'leave out the scheme and the path'
    if (isIPv6(text)) return `write the port after brackets: "[${text}]:3000"`
    return readHost(text) === undefined ? undefined : `add the port: "${text}:3000"`
  },
}

/** What a client asks for by `Host`: lower case, without port; `*.` in front stands for one label or more. */
export const routeHost: Scalar<string> = {
  kind: 'scalar',
  name: 'host',
  expected: 'a host name such as shop.example.com or *.example.com',
  read(text) {
    const name = text.endsWith('.') ? text.slice(0, -1) : text
    if (name.includes(':')) {
      const host = readHost(name)
      return host === undefined ? undefined : bracketed(host)
    }
    if (!name.startsWith('*.')) return readHostName(name)
    const parent = readHostName(name.slice(2))
    return parent === undefined || isIPv4(parent) ? undefined : `*.${parent}`
  },
  write: (value) => value,
  hint(text) {
    if (text === '*') return 'leave "host" out to take every host'
    if (/^[^:]+:\d+$/.test(text)) return 'leave out the port: a route takes every port of its listener'
    if (text.includes('/')) return 'leave out scheme and path; the path has its own key'
    return /[^\x20-\x7e]/.test(text) ? 'write an international name in its "xn--" form' : undefined
  },
}

const pathHint = (text: string): string | undefined => {
  if (!text.startsWith('/')) return `did you mean "/${text.slice(0, 40)}"?`
  if (text.includes('*')) return 'a path takes everything below it already: leave out the "*"'
  if (/[?#]/.test(text)) return 'leave out what follows the path'
  return /[^\x21-\x7e]/.test(text) ? 'write other characters percent-encoded' : undefined
}

/** A prefix of whole segments. A trailing slash means nothing, so it is dropped: `/a/` is `/a`. */
export const routePath: Scalar<string> = {
  kind: 'scalar',
  name: 'path',
  expected: 'a path that begins with "/", without "*", "?", "#", empty or dot segments',
  read(text) {
    if (!/^\/[\x21-\x7e]*$/.test(text) || /[*?#\\]/.test(text) || text.length > 2_048) return undefined
    if (text === '/') return text
    const path = text.replace(/\/$/, '')
    const segments = path.split('/').slice(1)
    return segments.some((segment) => ['', '.', '..'].includes(segment)) ? undefined : path
  },
  write: (value) => value,
  hint: pathHint,
}

/** What a probe asks for; it may have a query. */
export const probePath: Scalar<string> = {
  kind: 'scalar',
  name: 'path',
  expected: 'a path that begins with "/"',
  read: (text) => (/^\/[\x21-\x7e]{0,2047}$/.test(text) && !text.includes('#') ? text : undefined),
  write: (value) => value,
  hint: (text) => (text.startsWith('/') ? undefined : pathHint(text)),
}

/** `200-399`, or one status. */
export interface StatusRange {
  readonly min: number
  readonly max: number
}

export const statusRange: Scalar<StatusRange> = {
  kind: 'scalar',
  name: 'status range',
  expected: 'a status such as 200 or a range such as 200-399',
  read(text) {
    const [, from, to = from] = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(text) ?? []
    return from === undefined || Number(from) > Number(to) ? undefined : { min: Number(from), max: Number(to) }
  },
  write: ({ min, max }) => (min === max ? min : `${min}-${max}`),
}

/** Source: the `Origin` field, RFC 6454 §7. */
export const origin: Scalar<string> = {
  kind: 'scalar',
  name: 'origin',
  expected: 'an origin such as https://shop.example.com',
  read(text) {
    const [, scheme, hostText = '', portText] = /^(https?):\/\/(\[[^\]]*\]|[^:/]*)(?::(\d{1,5}))?$/i.exec(text) ?? []
    const host = readHost(hostText)
    if (scheme === undefined || host === undefined || (portText !== undefined && port.read(portText) === undefined)) return undefined
    // A browser never sends the scheme's own port.
    const usual = scheme.toLowerCase() === 'https' ? '443' : '80'
    return `${scheme.toLowerCase()}://${bracketed(host)}${portText === undefined || portText === usual ? '' : `:${portText}`}`
  },
  write: (value) => value,
  hint(text) {
    if (text === '*') return 'name the origins that may read the API; "*" is not accepted'
    return /^https?:\/\/[^/]+\/.*$/i.test(text) ? 'leave out the path and the last slash' : undefined
  },
}

const field = text('header', { expected: 'the name of a header such as x-user-id', matching: /^[!#$%&'*+.^`|~\w-]{1,128}$/ })
/** A field name, in lower case. Source: `token`, RFC 9110 §5.6.2. */
export const headerName: Scalar<string> = { ...field, read: (text) => field.read(text)?.toLowerCase() }
