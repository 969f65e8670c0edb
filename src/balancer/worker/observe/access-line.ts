/** One request as a line of JSON. Made by hand, field by field: `JSON.stringify` of an object costs several times as much. */
import { withoutQuery, writtenTextMax } from '../../core/mask.ts'
import { rounded } from '../../core/trail.ts'
import type { AccessField } from '../../../config/types.ts'
import type { Ending, RequestWatch } from './watch.ts'

type Writer = (watch: RequestWatch, ending: Ending, time: string) => string | undefined

// What JSON must escape; the rest can be written as it is.
// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const special = /["\\\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff]/

/** A JSON string. */
const quoted = (text: string): string => (special.test(text) ? JSON.stringify(text) : `"${text}"`)

const someText = (text: string | undefined): string | undefined =>
  text === undefined || text === '' ? undefined : quoted(text.slice(0, writtenTextMax))
const someMs = (ms: number): string | undefined => (ms > 0 ? String(rounded(ms)) : undefined)

/** undefined: the request has none, and the line leaves it out. */
const writers: Readonly<Record<AccessField, Writer>> = {
  time: (_watch, _ending, time) => `"${time}"`,
  id: ({ client }) => quoted(client.requestId),
  client: ({ client }) => `"${client.address}"`,
  method: ({ client }) => someText(client.facts.method),
  host: ({ host }) => someText(host),
  target: ({ target }) => someText(target),
  status: (_watch, { status }) => String(status),
  requestBytes: (_watch, { requestBytes }) => String(requestBytes),
  responseBytes: (_watch, { responseBytes }) => String(responseBytes),
  durationMs: ({ startedAt, endedAt }) => String(rounded(endedAt - startedAt)),
  parkedMs: ({ parkedMs }) => someMs(parkedMs),
  connectMs: ({ connectMs }) => someMs(connectMs),
  firstByteMs: ({ firstByteAt, startedAt }) => (firstByteAt > 0 ? String(rounded(firstByteAt - startedAt)) : undefined),
  service: ({ service }) => someText(service?.name),
  route: ({ route }) => someText(route),
  endpoint: ({ endpoint }) => someText(endpoint?.id),
  tries: ({ tries }) => String(tries),
  cache: ({ cacheResult }) => someText(cacheResult),
  cacheTtl: ({ cacheTtl }) => (cacheTtl === undefined ? undefined : String(Math.floor(cacheTtl))),
  reasons: (watch, { status }) => {
    const plain = !watch.wasParked && watch.tries <= 1 && status >= 100 && status < 500
    return plain ? undefined : JSON.stringify(watch.reasons(status, Infinity).filter((reason) => reason !== 'asked' && reason !== 'sampled'))
  },
  userAgent: ({ userAgent }) => someText(userAgent),
  referrer: ({ referrer }) => someText(referrer === undefined ? undefined : withoutQuery(referrer)),
  trace: ({ trace }) => (trace === undefined ? undefined : `"${trace.traceId}"`),
}

/** What was no request. */
export interface RefusedHead {
  readonly id: string
  readonly client: string
  /** 0: the stream was reset. */
  readonly status: number
  readonly why: string
  readonly time: string
}

/** Makes lines of what was no request: of these fields those that it has, and why. */
export function refusedLine(fields: readonly AccessField[]): (head: RefusedHead) => string {
  const has = (field: 'time' | 'id' | 'client' | 'status'): boolean => fields.includes(field)
  return ({ time, id, client, status, why }) => {
    const line = { time: has('time') ? time : undefined, id: has('id') ? id : undefined, client: has('client') ? client : undefined }
    return `${JSON.stringify({ ...line, status: has('status') ? status : undefined, refused: why })}\n`
  }
}

/** Makes lines with these fields. */
export function accessLine(fields: readonly AccessField[]): (watch: RequestWatch, ending: Ending, time: string) => string {
  const parts = fields.map((field) => [`"${field}":`, writers[field]] as const)
  return (watch, ending, time) => {
    let line = ''
    for (const [name, write] of parts) {
      const value = write(watch, ending, time)
      if (value !== undefined) line += line === '' ? `{${name}${value}` : `,${name}${value}`
    }
    return line === '' ? '{}\n' : `${line}}\n`
  }
}
