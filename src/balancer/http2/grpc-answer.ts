/**
 * An answer of our own as a gRPC client understands it: HTTP 200, and the outcome as `grpc-status` (the codes are those of gRPC's own mapping from
 * HTTP, but a service that did not answer in time is DEADLINE_EXCEEDED, and one who has asked too often has RESOURCE_EXHAUSTED).
 */
import type { Answer } from '../worker/answers.ts'
import type { CutAnswer } from '../worker/client-side.ts'
import { latin1 } from '../http1/bytes.ts'

const codes: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  405: 12,
  408: 4,
  413: 8,
  429: 8,
  431: 8,
  500: 13,
  502: 14,
  503: 14,
  504: 14,
}
const unknown = 2
const unavailable = 14
const deadlineExceeded = 4

export const grpcCode = ({ status, error }: Pick<Answer, 'status' | 'error'>): number =>
  error === 'http_response_timeout' ? deadlineExceeded : (codes[status] ?? unknown)

/** gRPC over HTTP/2, "Responses": what is not printable ASCII, and `%`, is percent-encoded. */
const encoded = (message: string): string =>
  [...Buffer.from(message)]
    .map((byte) => (byte < 32 || byte > 126 || byte === 37 ? `%${byte.toString(16).toUpperCase().padStart(2, '0')}` : String.fromCharCode(byte)))
    .join('')

/** The whole message: all of it is a head. */
export function grpcAnswer(answer: Answer, requestId: string, pseudonym: string): Buffer {
  const { error, details, retryAfterSeconds } = answer
  const message = details === undefined ? answer.message : `${answer.message} (${details})`
  const proxyStatus = error === undefined ? '' : `Proxy-Status: ${pseudonym}; error=${error}\r\n`
  const retryAfter = retryAfterSeconds === undefined ? '' : `Retry-After: ${retryAfterSeconds}\r\n`
  return latin1(
    `HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\nGrpc-Status: ${grpcCode(answer)}\r\nGrpc-Message: ${encoded(message)}\r\n` +
      `${proxyStatus}${retryAfter}X-Request-Id: ${requestId}\r\n\r\n`,
  )
}

/** Of an answer that has begun and cannot be completed: what the client finds in place of the service's own trailers. */
export const cutTrailers = ({ message, details, late }: CutAnswer): { readonly 'grpc-status': number; readonly 'grpc-message': string } => ({
  'grpc-status': late ? deadlineExceeded : unavailable,
  'grpc-message': encoded(details === undefined ? message : `${message} (${details})`),
})

/** A media type of gRPC. */
export const isGrpc = (contentType: unknown): boolean => typeof contentType === 'string' && contentType.startsWith('application/grpc')
