/** The keys of what is written and remembered about requests. */
import { seconds } from '../../kernel/time.ts'
import { accessFields } from '../types.ts'
import { ruledHeader, ruledValue } from './http-keys.ts'
import { filled, integer, oneOf, percent, text, timeout } from './scalars.ts'
import { key, list, map, optional, switchable } from './schema.ts'

/** Requests that one worker may be told to remember. */
const keepMax = 10_000

/** Parameters by which secrets travel in URLs; whoever has others names them. */
const usualSecrets = ['access_token', 'api_key', 'apikey', 'auth', 'code', 'id_token', 'key', 'password', 'secret', 'sig', 'signature', 'token']

const url = filled('URL', 'a URL such as http://127.0.0.1:4318/v1/traces', { matching: /^https?:\/\/[^\s/?#]+(?:[/?][^\s#]*)?$/ })
const fieldName = text('field name', { expected: 'the name of a request field such as X-Explain', max: 64, matching: /^[A-Za-z][A-Za-z0-9-]*$/ })
const parameter = filled('name', 'the name of a query parameter', { max: 128 })

export const accessLog = switchable({
  sample: key(percent, { doc: 'Share of the requests that get a line; those that fail always get one.', default: 1 }),
  fields: key(list(oneOf(accessFields)), { doc: 'What a line holds.', default: [...accessFields], defaultDoc: 'all of them' }),
  mask: key(list(parameter), { doc: 'Query parameters whose values are written as `***`.', default: usualSecrets }),
})

export const tracing = switchable({
  endpoint: optional(url, { doc: 'Takes spans: OTLP over HTTP, as JSON.', without: 'contexts are passed on, no spans are kept' }),
  headers: optional(map('header', ruledHeader, ruledValue), {
    doc: 'Sent along with the spans, such as credentials of the collector, best as `${file:PATH}`.',
    without: 'none',
    secret: true,
  }),
  name: key(filled('text', 'a text', { max: 128 }), { doc: '`service.name` of the spans.', default: 'holdfast' }),
  sample: key(percent, { doc: 'Share of the traces begun here that are sampled; who comes with a context has decided.', default: 0.01 }),
})

export const explain = switchable({
  keep: key(integer(1, keepMax), { doc: 'Requests remembered per worker: those that failed, waited, were tried again or were slow.', default: 256 }),
  slow: key(timeout, { doc: 'Slow is what takes longer than this.', default: seconds(5) }),
  sample: key(percent, { doc: 'Share of the plain requests that are remembered too.', default: 0 }),
  header: optional(fieldName, { doc: 'A request with this field is remembered.', without: 'clients cannot ask for it' }),
  serverTiming: key(oneOf(['off', 'asked', 'always']), { doc: 'Which answers have `Server-Timing`; `asked`: those whose request has the field above.', default: 'off' }),
})
