/**
 * What an error says about the callee, decided in one place: whether it counts for a breaker, and whether the call may be made again.
 * A call that may have run is told from one that never left; a refusal of our own and a caller who gave up are nobody's failure.
 */
import { codeOf } from '../../kernel/errors.ts'
import { parseRetryAfter } from './backoff.ts'
import { outcome, type Outcome } from './breaker.ts'

/** `unsent`: nothing reached the callee. `local`: the connection failed later. `app`: the callee answered or threw. `fatal`: again would change nothing. */
export type ErrorKind = 'cancelled' | 'rejected' | 'timeout' | 'unsent' | 'local' | 'app' | 'fatal'

/** Codes of errors by which our own policies refuse. */
export const rejections: ReadonlySet<string> = new Set(['breaker_open', 'bulkhead_full', 'bulkhead_timeout', 'rate_limited', 'deadline_exceeded'])
const unsent: ReadonlySet<string> = new Set([
  ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL', 'UND_ERR_CONNECT_TIMEOUT'],
])
const local: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'UND_ERR_SOCKET'])
const timeouts: ReadonlySet<string> = new Set(['timeout', 'ETIMEDOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'])
const again: ReadonlySet<number> = new Set([408, 425, 429])
/** Not implemented, and a version that is not spoken: the answer is right. */
const answers: ReadonlySet<number> = new Set([501, 505])

/** `fetch` hides the code of the system in its cause. */
function deepCode(error: unknown): string | undefined {
  const own = codeOf(error)
  return own ?? (error instanceof Error && error.cause !== undefined ? codeOf(error.cause) : undefined)
}

/** The HTTP status an error or an answer carries. */
export function statusOf(value: unknown): number | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const found: unknown = 'status' in value ? value.status : 'statusCode' in value ? value.statusCode : undefined
  return typeof found === 'number' && found >= 100 && found <= 599 ? found : undefined
}

export function kindOf(error: unknown): ErrorKind {
  const code = deepCode(error)
  if (code !== undefined) {
    if (rejections.has(code)) return 'rejected'
    if (timeouts.has(code)) return 'timeout'
    if (unsent.has(code)) return 'unsent'
    if (local.has(code)) return 'local'
    if (/CERT|SELF_SIGNED|TLS_ALTNAME/.test(code)) return 'fatal'
  }
  if (error instanceof Error && error.name === 'AbortError') return 'cancelled'
  if (error instanceof Error && error.name === 'TimeoutError') return 'timeout'
  const status = statusOf(error)
  return status !== undefined && ((status < 500 && !again.has(status)) || answers.has(status)) ? 'fatal' : 'app'
}

/** Whether it may be tried again: what never left always; what may have run, only when running twice does no harm. */
export function mayRetry(error: unknown, idempotent: boolean): boolean {
  switch (kindOf(error)) {
    case 'cancelled':
    case 'rejected':
    case 'fatal':
      return false
    case 'unsent':
      return true
    case 'timeout':
    case 'local':
    case 'app':
      return idempotent
  }
}

/** What a breaker takes a thrown error for. An answer below 500 is an answer; being told to come later is slowness, not failure. */
export function outcomeOf(error: unknown): Outcome {
  const kind = kindOf(error)
  if (kind === 'cancelled' || kind === 'rejected') return outcome.ignored
  const status = statusOf(error)
  return status === undefined ? outcome.failed : outcomeOfStatus(status, retryAfterValue(error) !== undefined)
}

export function outcomeOfStatus(status: number, comeLater: boolean): Outcome {
  if (status === 429 || (status === 503 && comeLater)) return outcome.slow
  return status >= 500 && !answers.has(status) ? outcome.failed : outcome.ok
}

function retryAfterValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  if ('retryAfter' in value) return value.retryAfter
  return fieldOf(value, 'retry-after')
}

/** An answer as `fetch` gives it. By its shape: there are several implementations of the class. */
export interface Answer {
  readonly status: number
  readonly headers: { get(name: string): string | null }
}

export const isAnswer = (value: unknown): value is Answer => statusOf(value) !== undefined && hasGetter((value as Answer).headers)

const hasGetter = (headers: unknown): headers is Answer['headers'] =>
  typeof headers === 'object' && headers !== null && 'get' in headers && typeof headers.get === 'function'

/** A field of the `headers` of an error or an answer, whichever form they have; names in lower case. */
export function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !('headers' in value)) return undefined
  const { headers } = value
  if (hasGetter(headers)) return headers.get(name) ?? undefined
  return typeof headers === 'object' && headers !== null ? (headers as Record<string, unknown>)[name] : undefined
}

/** How long an error or an answer asks to wait (`headers` or `retryAfter`), in milliseconds; undefined when it does not. */
export function retryAfterOf(value: unknown, wallNow: number): number | undefined {
  const found = retryAfterValue(value)
  return typeof found === 'number' || typeof found === 'string' ? parseRetryAfter(String(found), wallNow) : undefined
}
