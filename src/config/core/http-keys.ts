/** The keys of HTTP rules: what is done to requests and answers besides carrying them. A route has the same keys as its service, and goes before it. */
import { isFieldValue, mayChange } from '../../balancer/core/rules/head-edit.ts'
import { readRange } from '../../balancer/core/rules/addresses.ts'
import { minutes, seconds } from '../../kernel/time.ts'
import { contentCodings } from '../types.ts'
import { headerName, origin } from './addresses.ts'
import { boolean, duration, filled, integer, oneOf, port, size, text } from './scalars.ts'
import { key, list, map, object, optional, type Keys, type Scalar, type Value } from './schema.ts'

/** A change of them is a change of the routing, and of nothing else. */
function routed<const K extends Keys>(keys: K): K {
  return Object.fromEntries(Object.entries(keys).map(([name, one]) => [name, { ...one, change: 'routing' }])) as K
}

/** A header that a rule may change. */
export const ruledHeader: Scalar<string> = {
  ...headerName,
  read(text) {
    const name = headerName.read(text)
    return name !== undefined && mayChange(name) ? name : undefined
  },
  hint(text) {
    return headerName.read(text) === undefined ? undefined : 'what frames a message, belongs to a connection or is said by the balancer itself is not changed by rules'
  },
}

const headerValue: Scalar<string> = text('text', { expected: 'a text in plain ASCII', matching: /^[\t\x20-\x7e]*$/ })
export const ruledValue: Scalar<string> = { ...headerValue, read: (text) => (isFieldValue(text) ? headerValue.read(text.trim()) : undefined) }

export const addressRange: Scalar<string> = {
  ...text('address or range', { max: 64, expected: 'an address or a range such as 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32' }),
  read: (text) => (readRange(text) === undefined ? undefined : text),
}

const corsOrigin: Scalar<string> = {
  ...origin,
  expected: 'an origin such as https://shop.example.com or https://*.example.com, or "*"',
  read(text) {
    if (text === '*') return text
    const wildcard = /^(https?:\/\/)\*\.(.+)$/i.exec(text)
    if (wildcard === null) return origin.read(text)
    const parent = origin.read(`${wildcard[1] ?? ''}${wildcard[2] ?? ''}`)
    return parent?.replace('://', '://*.')
  },
  hint: (text) => (/^https?:\/\/[^/]+\/.*$/i.test(text) ? 'leave out the path and the last slash' : undefined),
}

const mediaType: Scalar<string> = text('media type', { max: 128, expected: 'a media type such as text/html, text/* or application/*+json', matching: /^[\w!#$&^.+*-]+\/[\w!#$&^.+*-]+$/ })

const redirectTarget: Scalar<string> = text('URL or path', {
  max: 2_048,
  expected: 'a URL or a path; {uri}, {rest} and {host} are filled in',
  matching: /^(?:https?:\/\/[\x21-\x7e]+|\/[\x21-\x7e]*)$/,
})

const redirectStatus: Scalar<number> = {
  ...integer(301, 308, '301, 302, 303, 307 or 308'),
  name: '`301`, `302`, `303`, `307` or `308`',
  read: (text) => ([301, 302, 303, 307, 308].includes(Number(text)) ? Number(text) : undefined),
}

const edits = {
  set: optional(map('header', ruledHeader, ruledValue), { doc: 'Headers that are there with this value, whatever there was.', without: 'none' }),
  add: optional(map('header', ruledHeader, ruledValue), { doc: 'Headers beside those of the same name.', without: 'none' }),
  remove: optional(list(ruledHeader), { doc: 'Headers that are left out.', without: 'none' }),
}

export const httpKeys = routed({
  redirect: optional(
    object({
      https: key(boolean, { doc: 'To the same place over HTTPS, unless it came so.', default: false }),
      httpsPort: key(port, { doc: 'The port of HTTPS as clients know it.', default: 443 }),
      www: optional(oneOf(['add', 'remove']), { doc: 'To the host with `www.` in front, or without.', without: 'either host' }),
      to: optional(redirectTarget, {
        doc: 'All requests of the route go there. `{uri}`: path and query; `{rest}`: the same behind the prefix of the route; `{host}`.',
        without: 'the service answers',
      }),
      status: key(redirectStatus, { doc: 'How it is said; 308 and 307 keep method and body.', default: 308 }),
    }),
    { doc: 'Sends clients elsewhere.', without: 'none' },
  ),
  headers: optional(
    object({
      request: optional(object(edits), { doc: 'Of requests to the service.', without: 'as they came' }),
      response: optional(object(edits), { doc: 'Of answers to the client.', without: 'as they came' }),
      security: key(oneOf(['off', 'basic', 'strict']), {
        doc: 'Fields that tell browsers to be careful; `response` goes before them. `strict` may break pages that load from elsewhere.',
        default: 'off',
      }),
    }),
    { doc: 'Changes of heads.', without: 'none' },
  ),
  cors: optional(
    object({
      origins: key(list(corsOrigin, { min: 1 }), { doc: 'Whose pages may call; `https://*.example.com` is every name below it, `*` everybody.' }),
      methods: key(list(text('method', { max: 24, expected: 'a method such as GET', matching: /^[A-Z-]+$/ })), {
        doc: 'The methods they may use.',
        default: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
      }),
      headers: key(list(headerName), { doc: 'The request headers they may send.', default: [], defaultDoc: 'those they ask for' }),
      exposeHeaders: key(list(headerName), { doc: 'The answer headers they may read beside the usual ones.', default: [] }),
      credentials: key(boolean, { doc: 'Whether cookies go along.', default: false }),
      maxAge: key(duration(seconds(0)), { doc: 'How long browsers remember a preflight.', default: minutes(10) }),
    }),
    { doc: 'Which pages of other origins may call, answered by the balancer.', without: 'the service decides' },
  ),
  allow: optional(list(addressRange), { doc: 'Addresses that may come; all others are denied. The narrowest range decides.', without: 'all' }),
  deny: optional(list(addressRange), { doc: 'Addresses that may not come.', without: 'none' }),
  trustedProxies: optional(list(addressRange), {
    doc: 'Proxies in front whose `X-Forwarded-For` and `X-Forwarded-Proto` count for `allow`, `deny`, `redirect` and limits, and are passed on.',
    without: 'none',
  }),
  limits: optional(
    object({
      body: optional(size(0, 1_024 ** 4), { doc: 'Larger request bodies are answered 413.', without: 'no limit' }),
      head: optional(size(256, 32 * 1_024), { doc: 'Larger request heads are answered 431.', without: '32KiB' }),
      target: optional(size(16, 32 * 1_024), { doc: 'Longer request targets are answered 414.', without: 'as `head`' }),
    }),
    { doc: 'How large requests may be.', without: 'the balancer’s own limits' },
  ),
  compression: optional(
    object(
      {
        enabled: key(boolean, { doc: 'Whether answers are compressed.', default: true }),
        encodings: key(list(oneOf(contentCodings), { min: 1 }), { doc: 'In the order of preference where the client has none.', default: ['br', 'gzip'] }),
        minSize: key(size(0, 1_024 ** 2), { doc: 'Smaller answers are not compressed.', default: 1_024 }),
        types: optional(list(mediaType, { min: 1 }), { doc: 'The types that are compressed.', without: 'text, JSON, JavaScript, XML, SVG, WebAssembly and uncompressed fonts' }),
      },
      { short: ['enabled'] },
    ),
    { doc: 'Compresses answers for clients that ask for it: `compression: true`.', without: 'answers go as they are' },
  ),
})

const pageName: Scalar<string> = text('status', { expected: 'a status such as 404, or a class: 4xx or 5xx', matching: /^(?:[45]\d\d|[45]xx)$/ })
const pageFile: Scalar<string> = filled('path', 'a path')

export const errorPages = map('status', pageName, pageFile)

export const pageKeys = routed({
  errorPages: optional(errorPages, {
    doc: 'Files that are the body of the balancer’s own error answers, from the directory of the file; a status goes before its class.',
    without: 'a plain page or JSON',
  }),
  maintenancePage: optional(pageFile, { doc: 'The file that is answered while the service is under maintenance.', without: 'as `errorPages`' }),
})

type HttpSettings = Value<ReturnType<typeof object<typeof httpKeys>>>

/** Only what was given; undefined: nothing. */
export function givenRules(settings: HttpSettings): HttpSettings | undefined {
  const { redirect, headers, cors, allow, deny, trustedProxies, limits, compression } = settings
  const rules = { redirect, headers, cors, allow, deny, trustedProxies, limits, compression }
  return Object.values(rules).some((value) => value !== undefined) ? rules : undefined
}
