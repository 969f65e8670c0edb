/** How an error becomes an answer: one table of codes, one envelope. Nothing that was not thrown on purpose tells the client more than its request id. */
import { STATUS_CODES } from 'node:http'
import { HoldfastError, InvariantError, codeOf } from '../kernel/errors.ts'

export interface ErrorAnswer {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly hint: string | undefined
  readonly details: unknown
}

const statusByCode: Readonly<Record<string, number>> = {
  invalid_input: 400,
  too_many_series: 400,
  condition_invalid: 400,
  config_invalid: 400,
  config_not_found: 400,
  config_unreadable: 400,
  credential_in_query: 400,
  unauthorized: 401,
  forbidden: 403,
  host_not_allowed: 403,
  not_found: 404,
  conflict: 409,
  not_reporting: 409,
  not_renewable: 409,
  store_conflict: 409,
  store_limit: 409,
  stale: 412,
  precondition_failed: 412,
  value_too_large: 413,
  rate_limited: 429,
  not_available_yet: 501,
  unavailable: 503,
  not_ready: 503,
  too_many_streams: 503,
  store_unavailable: 503,
  proxy_unreachable: 503,
  log_unwritable: 503,
  config_unwritable: 503,
  disk_full: 503,
}

/** The status of an error that was thrown on purpose. What was tried and failed for a reason outside this program is a 409: the request was fine, the state of things was not. */
export function statusOfCode(code: string): number {
  const known = statusByCode[code]
  if (known !== undefined) return known
  if (code.startsWith('unknown_')) return 404
  return code.endsWith('_failed') ? 409 : 500
}

/** Refusals of the HTTP library, in our words. */
const refusals: Readonly<Record<string, { readonly status: number; readonly code: string; readonly message: string; readonly hint?: string }>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: { status: 413, code: 'body_too_large', message: 'the body is larger than 1 MiB' },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    status: 415,
    code: 'unsupported_media_type',
    message: 'the body is of a type that is not read here',
    hint: 'send JSON with Content-Type: application/json',
  },
  FST_ERR_CTP_INVALID_JSON_BODY: {
    status: 400,
    code: 'invalid_json',
    message: 'the body is not valid JSON',
    hint: 'look at its quotes, commas and braces; no field may be called __proto__',
  },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: { status: 400, code: 'invalid_length', message: 'the body is not as long as Content-Length says' },
  FST_ERR_BAD_URL: { status: 400, code: 'invalid_path', message: 'the path is not validly encoded' },
  FST_ERR_MAX_PARAM_LENGTH: { status: 414, code: 'path_too_long', message: 'a part of the path is too long' },
}

export function answerOf(error: unknown): ErrorAnswer {
  if (error instanceof HoldfastError && !(error instanceof InvariantError)) {
    return { status: statusOfCode(error.code), code: error.code, message: error.message, hint: error.hint, details: error.details }
  }
  const refusal = refusals[codeOf(error) ?? '']
  if (refusal) return { hint: undefined, ...refusal, details: undefined }
  const status = clientErrorOf(error)
  if (status !== undefined) {
    return { status, code: 'bad_request', message: (STATUS_CODES[status] ?? 'bad request').toLowerCase(), hint: undefined, details: undefined }
  }
  return {
    status: 500,
    code: 'internal',
    message: 'the request failed inside holdfast',
    hint: 'look for the request id in the logs of holdfast',
    details: undefined,
  }
}

function clientErrorOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('statusCode' in error)) return undefined
  const { statusCode } = error
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500 ? statusCode : undefined
}

export interface ErrorEnvelope {
  readonly success: false
  readonly error: { readonly code: string; readonly message: string; readonly hint?: string; readonly details: unknown }
}

export function errorEnvelope({ code, message, hint, details }: Omit<ErrorAnswer, 'status'>): ErrorEnvelope {
  return { success: false, error: { code, message, ...(hint !== undefined && { hint }), details: details ?? null } }
}

/** When to come back, in milliseconds, if the error knows. */
export function retryAfterOf(error: unknown): number | undefined {
  const details = error instanceof HoldfastError ? error.details : undefined
  if (typeof details !== 'object' || details === null || !('retryAfterMs' in details)) return undefined
  return typeof details.retryAfterMs === 'number' ? details.retryAfterMs : undefined
}
