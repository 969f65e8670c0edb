/**
 * The gRPC health protocol as bytes: the question for one service, and what an answer says. The two messages are small enough to be written by
 * hand. Source: grpc.io, "GRPC Health Checking Protocol" (`HealthCheckRequest { string service = 1 }`, `HealthCheckResponse { ServingStatus status = 1 }`).
 */

export const healthCheckPath = '/grpc.health.v1.Health/Check'

const serving = 1
const servingStatuses = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']
const statusNames = (
  'OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED ' +
  'OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED'
).split(' ')

/** The body of the request: one message behind its length. */
export function healthQuestion(service: string): Buffer {
  const name = Buffer.from(service)
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a]), varint(name.length), name])
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

export interface GrpcAnswer {
  readonly status: number
  /** Head and trailers together. */
  readonly fields: Readonly<Record<string, string | undefined>>
  readonly body: Buffer
}

/** Why the answer does not say that it serves; undefined: it does. */
export function healthFailure({ status, fields, body }: GrpcAnswer): string | undefined {
  if (status !== 200) return `answered HTTP ${status}`
  const code = fields['grpc-status']
  if (code === undefined) return 'gave an answer that is not of gRPC'
  if (code !== '0') {
    const said = decoded(fields['grpc-message'] ?? '')
    return `ended with ${statusNames[Number(code)] ?? code}${said === '' ? '' : `: ${said}`}`
  }
  const answered = servingStatusOf(body)
  return answered === serving ? undefined : `answered ${answered === undefined ? 'what cannot be read' : (servingStatuses[answered] ?? answered)}`
}

/** gRPC over HTTP/2, "Responses": a message that is not encoded well is shown as it is. */
function decoded(message: string): string {
  try {
    return decodeURIComponent(message)
  } catch {
    return message
  }
}

/** undefined: it is not such a message. */
function servingStatusOf(body: Buffer): number | undefined {
  if (body.length < 5 || body[0] !== 0 || body.length < 5 + body.readUInt32BE(1)) return undefined
  const end = 5 + body.readUInt32BE(1)
  let at = 5
  let found = 0
  while (at < end) {
    const tag = readVarint(body, at, end)
    if (tag === undefined) return undefined
    const value = readVarint(body, tag.next, end)
    if (value === undefined) return undefined
    const kind = tag.value & 7
    if (tag.value === 0x08) found = value.value
    if (kind === 0) at = value.next
    else if (kind === 2) at = value.next + value.value
    else return undefined
  }
  return at === end ? found : undefined
}

function varint(value: number): Buffer {
  return value < 128 ? Buffer.from([value]) : Buffer.from([(value & 127) | 128, value >> 7])
}

/** Up to four bytes: nothing here is larger. */
function readVarint(body: Buffer, start: number, end: number): { readonly value: number; readonly next: number } | undefined {
  let value = 0
  for (let at = start; at < Math.min(end, start + 4); at++) {
    value |= (body[at]! & 127) << (7 * (at - start))
    if (body[at]! < 128) return { value, next: at + 1 }
  }
  return undefined
}
