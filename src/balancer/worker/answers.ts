/**
 * What the data plane answers by itself when no service can: always with a machine-readable reason (`Proxy-Status`,
 * RFC 9209), a request id, and a body that a browser or a program can show. Never an internal address.
 */
import { STATUS_CODES } from 'node:http'
import type { PageView } from '../core/rules/view.ts'
import { latin1 } from '../http1/bytes.ts'

/** RFC 9209 §2.3 proxy error types that we use. */
export type ProxyErrorType =
  | 'destination_not_found'
  | 'destination_unavailable'
  | 'connection_refused'
  | 'connection_terminated'
  | 'connection_timeout'
  | 'http_response_timeout'
  | 'tls_certificate_error'
  | 'tls_alert_received'
  | 'tls_protocol_error'
  | 'http_protocol_error'
  | 'http_request_error'
  | 'http_request_denied'
  | 'proxy_loop_detected'
  | 'proxy_internal_error'

export interface Answer {
  readonly status: number
  /** undefined: it is no error, but what a rule says. */
  readonly error: ProxyErrorType | undefined
  /** One sentence for people; no addresses, no secrets. */
  readonly message: string
  /** More for `Proxy-Status`: `exit signal=SIGKILL`. */
  readonly details?: string | undefined
  readonly retryAfterSeconds?: number | undefined
  /** For 405. */
  readonly allow?: string | undefined
  /** Further lines of the head, each with CR LF. */
  readonly fields?: string | undefined
  /** There is no body. */
  readonly empty?: boolean | undefined
  /** The body is `application/problem+json` (RFC 9457), with a type of the registry for HTTP problems. */
  readonly problem?: { readonly type: string; readonly title: string; readonly more: Readonly<Record<string, unknown>> } | undefined
  /** The body, whatever the client asks for. */
  readonly body?: PageView | undefined
  /** The status under which it is counted; undefined: its own. */
  readonly counted?: number | undefined
  /** In place of our own body, for clients that do not ask for JSON. */
  readonly page?: PageView | undefined
}

const quoted = (value: string): string => `"${value.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, '\\$&')}"`
const escaped = (value: string): string =>
  value.replace(/[&<>"]/g, (char) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[char] ?? char)

/** Whether the client would rather see HTML than JSON: it names text/html and does not put JSON before it. */
export function prefersHtml(accept: string): boolean {
  const html = accept.indexOf('text/html')
  if (html < 0) return false
  const json = accept.indexOf('application/json')
  return json < 0 || html < json
}

function htmlPage(answer: Answer, requestId: string): string {
  const title = `${answer.status} ${STATUS_CODES[answer.status] ?? 'Error'}`
  const retry = answer.retryAfterSeconds === undefined ? '' : `<p>Please try again in ${answer.retryAfterSeconds} s.</p>`
  return (
    `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>` +
    '<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem;color-scheme:light dark}code{opacity:.7}</style>' +
    `<h1>${title}</h1><p>${escaped(answer.message)}</p>${retry}<p><code>${escaped(requestId)}</code></p></html>\n`
  )
}

const nothing: PageView = { contentType: '', body: '' }

function bodyOf(answer: Answer, accept: string, requestId: string): PageView {
  if (answer.body !== undefined) return answer.body
  const html = prefersHtml(accept)
  if (answer.page !== undefined && (html || !accept.includes('json'))) return answer.page
  if (html) return { contentType: 'text/html; charset=utf-8', body: htmlPage(answer, requestId) }
  const { error, message, details, problem } = answer
  if (problem !== undefined) return { contentType: 'application/problem+json', body: problemJson(answer, problem, requestId) }
  const body = `${JSON.stringify({ success: false, error: { code: error, message, details: { requestId, reason: details } } })}\n`
  return { contentType: 'application/json; charset=utf-8', body }
}

const problemJson = ({ status, message }: Answer, { type, title, more }: NonNullable<Answer['problem']>, requestId: string): string =>
  `${JSON.stringify({ type: `https://iana.org/assignments/http-problem-types#${type}`, title, status, detail: message, ...more, requestId })}\n`

/** The whole message, head and body. */
export function renderAnswer(
  answer: Answer,
  request: {
    readonly method: string
    readonly accept: string
    readonly requestId: string
    readonly close: boolean
    readonly name: string
    readonly date: string
  },
): Buffer {
  const { contentType, body } = answer.empty === true ? nothing : bodyOf(answer, request.accept, request.requestId)
  const lines = [`HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? 'Error'}`]
  if (answer.empty !== true) lines.push(`Content-Type: ${contentType}`)
  if (answer.status !== 204) lines.push(`Content-Length: ${Buffer.byteLength(body)}`)
  if (answer.error !== undefined) {
    lines.push('Cache-Control: no-store')
    lines.push(`Proxy-Status: ${request.name}; error=${answer.error}${answer.details === undefined ? '' : `; details=${quoted(answer.details)}`}`)
  }
  lines.push(`X-Request-Id: ${request.requestId}`, `Date: ${request.date}`)
  if (answer.retryAfterSeconds !== undefined) lines.push(`Retry-After: ${answer.retryAfterSeconds}`)
  if (answer.allow !== undefined) lines.push(`Allow: ${answer.allow}`)
  if (request.close) lines.push('Connection: close')
  const head = latin1(`${lines.join('\r\n')}\r\n${answer.fields ?? ''}\r\n`)
  return request.method === 'HEAD' ? head : Buffer.concat([head, Buffer.from(body)])
}
