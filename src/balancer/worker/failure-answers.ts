/** What a client is told when no endpoint has answered. */
import { unreachable } from '../../kernel/errors.ts'
import { notHttp } from '../core/resend.ts'
import { tlsFailure } from '../core/tls-failure.ts'
import { headErrorSentence, HeadError } from '../http1/head.ts'
import type { Answer } from './answers.ts'
import type { Broken } from './attempts.ts'
import { waitingPage } from './waiting-page.ts'

/** All endpoints are at their limits, and so is the line of those who wait. */
export const queueFull = 'queue full'
export const queuedTooLong = 'queued too long'
/** There is no endpoint; one is on its way. */
export const parkingFull = 'parked queue full'
export const parkedTooLong = 'parked too long'
export const noEndpoint = 'no endpoint available'

const headStatuses: Readonly<Record<number, number>> = {
  [HeadError.tooLarge]: 431,
  [HeadError.tooManyFields]: 431,
  [HeadError.unknownCoding]: 501,
  [HeadError.expectation]: 417,
  [HeadError.version]: 505,
}

export const underMaintenance: Answer = {
  status: 503,
  error: 'destination_unavailable',
  message: 'this service is under maintenance',
  details: 'maintenance',
  retryAfterSeconds: 60,
}

export const unavailable = (details: string, retryAfterSeconds: number): Answer => ({
  status: 503,
  error: 'destination_unavailable',
  message:
    details === queueFull || details === queuedTooLong ? 'this service has as much to do as it can bear' : 'no instance of this service is ready',
  details,
  retryAfterSeconds,
})

/** `opensPage`: to a browser, a page that says so and asks again by itself. */
export const notReady = (details: string, retryAfterSeconds: number, opensPage: boolean): Answer => ({
  ...unavailable(details, retryAfterSeconds),
  page: opensPage ? waitingPage(retryAfterSeconds) : undefined,
})

export const breakerOpen = (retryAfterSeconds: number): Answer => ({
  status: 503,
  error: 'destination_unavailable',
  message: 'this service fails too often at the moment; it is tried again soon',
  details: 'breaker open',
  retryAfterSeconds,
})

/** An endpoint answered with an error, others were asked, and none answered. */
export const onlyErrors = (status: number, retryAfterSeconds: number): Answer => ({
  status,
  error: 'destination_unavailable',
  message: 'the service answered with an error, and no other instance of it answered',
  details: `answered ${status}`,
  retryAfterSeconds,
})

/** No `Retry-After`: it must not come back. */
export const quarantined = (id: string): Answer => ({
  status: 500,
  error: 'http_request_denied',
  message: 'instances of this service crashed with this request, so it is not sent to another one',
  details: `quarantined id=${id}`,
})

export const connectTimeSpent = (timeoutMs: number): Answer => ({
  status: 504,
  error: 'connection_timeout',
  message: 'the service could not be reached in time',
  details: `attempts to connect took all of ${timeoutMs} ms`,
})

export const badRequest = (message: string, status = 400): Answer => ({ status, error: 'http_request_error', message })

/** A request whose head cannot be read, by the parser's code. */
export const badHead = (code: number): Answer => badRequest(headErrorSentence(code), headStatuses[code] ?? 400)

export const invalidAnswer = (details: string): Answer => ({
  status: 502,
  error: 'http_protocol_error',
  message: 'the service gave an answer that is not valid HTTP',
  details,
})

/** What the last attempt met. */
export function failureAnswer({ failure, code, endpoint }: Broken, retryAfterSeconds: number): Answer {
  switch (failure.kind) {
    case 'notConnected':
      if (code === 'ETIMEDOUT') return { status: 504, error: 'connection_timeout', message: 'the service could not be reached in time' }
      if (code === notHttp) return invalidAnswer('it spoke before it was asked')
      return untrusted(code) ?? { status: 502, error: 'connection_refused', message: 'the service refused the connection', retryAfterSeconds }
    case 'timedOut':
      return { status: 504, error: 'http_response_timeout', message: 'the service did not answer in time' }
    case 'notReceived':
    case 'staleConnection':
    case 'died':
      return {
        status: 502,
        error: 'connection_terminated',
        message: 'the service ended the connection before it answered; whether the request was carried out is not known',
        details: endpoint.gone ?? 'connection closed before the answer',
      }
    default:
      return unreachable(failure)
  }
}

/** The handshake failed; undefined: there was none. */
function untrusted(code: string | undefined): Answer | undefined {
  const failure = tlsFailure(code)
  if (failure === undefined) return undefined
  return { status: 502, error: failure.kind, message: 'no secure connection to the service could be made', details: `the endpoint ${failure.reason}` }
}
