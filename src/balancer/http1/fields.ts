/**
 * The fields that the data plane itself must understand. Each parsed field line gets the number of its
 * name, found by a hash that the scanner computes on the way, so that no string is made per field.
 */

export const Field = {
  other: 0,
  host: 1,
  connection: 2,
  contentLength: 3,
  transferEncoding: 4,
  te: 5,
  trailer: 6,
  upgrade: 7,
  keepAlive: 8,
  proxyConnection: 9,
  proxyAuthorization: 10,
  proxyAuthenticate: 11,
  expect: 12,
  xForwardedFor: 13,
  xForwardedProto: 14,
  xForwardedHost: 15,
  xForwardedPort: 16,
  forwarded: 17,
  via: 18,
  xRequestId: 19,
  maxForwards: 20,
  accept: 21,
  http2Settings: 22,
  proxyAuthenticationInfo: 23,
  xRealIp: 24,
  altSvc: 25,
  clientCert: 26,
  clientCertChain: 27,
  xClientCertSubject: 28,
  xDeadline: 29,
  xRetryAttempt: 30,
  grpcTimeout: 31,
  cacheControl: 32,
  pragma: 33,
  ifMatch: 34,
  ifNoneMatch: 35,
  ifModifiedSince: 36,
  ifUnmodifiedSince: 37,
  ifRange: 38,
  range: 39,
  authorization: 40,
} as const

const names: Readonly<Record<string, number>> = {
  host: Field.host,
  connection: Field.connection,
  'content-length': Field.contentLength,
  'transfer-encoding': Field.transferEncoding,
  te: Field.te,
  trailer: Field.trailer,
  upgrade: Field.upgrade,
  'keep-alive': Field.keepAlive,
  'proxy-connection': Field.proxyConnection,
  'proxy-authorization': Field.proxyAuthorization,
  'proxy-authenticate': Field.proxyAuthenticate,
  expect: Field.expect,
  'x-forwarded-for': Field.xForwardedFor,
  'x-forwarded-proto': Field.xForwardedProto,
  'x-forwarded-host': Field.xForwardedHost,
  'x-forwarded-port': Field.xForwardedPort,
  forwarded: Field.forwarded,
  via: Field.via,
  'x-request-id': Field.xRequestId,
  'max-forwards': Field.maxForwards,
  accept: Field.accept,
  'http2-settings': Field.http2Settings,
  'proxy-authentication-info': Field.proxyAuthenticationInfo,
  'x-real-ip': Field.xRealIp,
  'alt-svc': Field.altSvc,
  'client-cert': Field.clientCert,
  'client-cert-chain': Field.clientCertChain,
  'x-client-cert-subject': Field.xClientCertSubject,
  'x-deadline': Field.xDeadline,
  'x-retry-attempt': Field.xRetryAttempt,
  'grpc-timeout': Field.grpcTimeout,
  'cache-control': Field.cacheControl,
  pragma: Field.pragma,
  'if-match': Field.ifMatch,
  'if-none-match': Field.ifNoneMatch,
  'if-modified-since': Field.ifModifiedSince,
  'if-unmodified-since': Field.ifUnmodifiedSince,
  'if-range': Field.ifRange,
  range: Field.range,
  authorization: Field.authorization,
}

/** One step of the name hash; the scanner starts with 0 and feeds lower-case bytes. */
export const hashStep = (hash: number, lowerCaseByte: number): number => (Math.imul(hash, 31) + lowerCaseByte) | 0

const hashOf = (name: string): number => {
  let hash = 0
  for (let i = 0; i < name.length; i++) hash = hashStep(hash, name.charCodeAt(i))
  return hash
}

const tableBits = 10
const slotOf = (hash: number): number => (hash ^ (hash >>> 5) ^ (hash >>> 10)) & ((1 << tableBits) - 1)
const idBySlot = new Uint8Array(1 << tableBits)
const nameById: Buffer[] = []
for (const [name, id] of Object.entries(names)) {
  const slot = slotOf(hashOf(name))
  if (idBySlot[slot] !== 0) throw new Error(`field names collide in the table: ${name}; change slotOf`)
  idBySlot[slot] = id
  nameById[id] = Buffer.from(name, 'latin1')
}

/** The number of the field name in [start, end), whose hash the scanner made; `Field.other` when it is none of ours. */
export function fieldId(buffer: Buffer, start: number, end: number, hash: number, lower: Uint8Array): number {
  const id = idBySlot[slotOf(hash)]!
  if (id === 0) return 0
  const name = nameById[id]!
  if (name.length !== end - start) return 0
  for (let i = 0; i < name.length; i++) {
    if (lower[buffer[start + i]!] !== name[i]) return 0
  }
  return id
}

/** The number of a lower-case name. */
export const fieldIdOfName = (name: string): number => names[name] ?? Field.other

/** Removed in both directions (RFC 9110 §7.6.1), whatever `Connection` says; framing and upgrade fields are written anew. */
export const isHopByHop = new Uint8Array(64)
for (const id of [
  Field.connection,
  Field.te,
  Field.trailer,
  Field.transferEncoding,
  Field.upgrade,
  Field.keepAlive,
  Field.proxyConnection,
  Field.proxyAuthorization,
  Field.proxyAuthenticate,
  Field.proxyAuthenticationInfo,
  Field.http2Settings,
]) {
  isHopByHop[id] = 1
}

/** Not forwarded from a client: we say these ourselves, and a client must not be able to forge them. */
export const isOursInRequests = new Uint8Array(64)
for (const id of [
  Field.host,
  Field.xForwardedFor,
  Field.xForwardedProto,
  Field.xForwardedHost,
  Field.xForwardedPort,
  Field.forwarded,
  Field.xRealIp,
  Field.xRequestId,
  Field.clientCert,
  Field.clientCertChain,
  Field.xClientCertSubject,
  // Passed on with values of our own (`worker/call-tree.ts`).
  Field.xDeadline,
  Field.xRetryAttempt,
  Field.grpcTimeout,
]) {
  isOursInRequests[id] = 1
}

/** End-to-end fields that a `Connection` option must never remove: naming one is an attack on the next hop. */
export const neverConnectionOption: ReadonlySet<string> = new Set([
  'host',
  'cookie',
  'authorization',
  'content-length',
  'content-type',
  'content-encoding',
  'transfer-encoding',
  'via',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-real-ip',
  'x-request-id',
  'client-cert',
  'client-cert-chain',
  'x-client-cert-subject',
  'set-cookie',
  'cache-control',
])
