/**
 * Parses the head of an HTTP/1.x message in place: one pass over the bytes, no string per field, nothing
 * copied. Strict: what two parsers could read differently is refused, so that nothing ambiguous is ever
 * forwarded (RFC 9112; where it permits leniency we take the strict side, see `docs/balancer.md`).
 *
 * The caller owns one `Head` and uses it again for every message; offsets are valid as long as the bytes are.
 */
import { COLON, CR, fieldValueByte, HTAB, LF, lowerByte, SP, targetByte, text, tokenLower } from './bytes.ts'
import { Field, fieldId, hashStep } from './fields.ts'

/** More field lines than this are refused (431). HAProxy's default is 101. */
export const fieldsMax = 128
/** Larger heads are refused (431 for requests, 502 for answers). */
export const requestHeadBytesMax = 32 * 1024
export const responseHeadBytesMax = 64 * 1024

/** Numbers per field in `Head.fields`. */
export const fieldStride = 5
export const nameStart = 0
export const nameEnd = 1
export const valueStart = 2
export const valueEnd = 3
export const fieldKind = 4

/** Why a head was refused; the value of `parseRequestHead` and `parseResponseHead` when negative. */
export const HeadError = {
  requestLine: -1,
  version: -2,
  target: -3,
  fieldName: -4,
  fieldValue: -5,
  lineEnd: -6,
  folded: -7,
  tooLarge: -8,
  tooManyFields: -9,
  contentLength: -10,
  transferEncoding: -11,
  lengthAndEncoding: -12,
  host: -13,
  statusLine: -14,
  connectionOption: -15,
  lookAlike: -16,
  unknownCoding: -17,
  expectation: -18,
  http2Preface: -19,
} as const
export type HeadErrorCode = (typeof HeadError)[keyof typeof HeadError]

const errorSentences: Readonly<Record<HeadErrorCode, string>> = {
  [HeadError.requestLine]: 'the request line is not METHOD SP target SP HTTP-version',
  [HeadError.version]: 'the HTTP version is not 1.0 or 1.1',
  [HeadError.target]: 'the request target holds a byte that must be percent-encoded, or is not in a form its method allows',
  [HeadError.fieldName]: 'a field name holds a byte that is not allowed, or has a space before its colon',
  [HeadError.fieldValue]: 'a field value holds a control character',
  [HeadError.lineEnd]: 'a line does not end with CR LF',
  [HeadError.folded]: 'a field line begins with white space',
  [HeadError.tooLarge]: 'the head is too large',
  [HeadError.tooManyFields]: `the head has more than ${fieldsMax} fields`,
  [HeadError.contentLength]: 'Content-Length is given twice or is not a plain number',
  [HeadError.transferEncoding]: 'Transfer-Encoding is given twice, is not "chunked", or stands in HTTP/1.0',
  [HeadError.lengthAndEncoding]: 'Content-Length and Transfer-Encoding are both given',
  [HeadError.host]: 'Host is missing, given twice, or not a valid host',
  [HeadError.statusLine]: 'the status line is not HTTP-version SP three digits',
  [HeadError.connectionOption]: 'Connection names a field that is not hop-by-hop',
  [HeadError.lookAlike]: 'a field name imitates Content-Length, Transfer-Encoding or Host',
  [HeadError.unknownCoding]: 'the transfer coding is not known here',
  [HeadError.expectation]: 'the expectation is not known here',
  [HeadError.http2Preface]: 'HTTP/2 with prior knowledge is not served on this listener',
}
export const headErrorSentence = (code: number): string => errorSentences[code as HeadErrorCode]

/** A parsed head: offsets into the buffer that was parsed. */
export class Head {
  /** Offset behind the empty line. */
  end = 0
  /** HTTP/1.x: the x. */
  minor = 1
  /** Offset of the first byte of the first line. */
  begin = 0
  // Requests
  method = ''
  targetStart = 0
  targetEnd = 0
  // Responses
  status = 0
  reasonStart = 0
  reasonEnd = 0
  // Fields
  fieldCount = 0
  readonly fields = new Int32Array(fieldsMax * fieldStride)
  /** 1: the field is not forwarded. Written by whoever forwards the head. */
  readonly drop = new Uint8Array(fieldsMax)
  /** −1: not given. */
  contentLength = -1
  chunked = false
  /** Index of the Host field, −1: none. */
  host = -1
  connection = -1
  upgrade = -1
  expect = -1
  accept = -1
  requestId = -1
  via = -1
  keepAlive = -1
  te = -1
  /** One of the fields of a tree of calls is there. */
  inCallTree = false
  /** One of the fields by which a request asks a cache for something else than what it has, or for its own. */
  forCache = false

  reset(): void {
    this.fieldCount = 0
    this.contentLength = -1
    this.chunked = false
    this.host = -1
    this.connection = -1
    this.upgrade = -1
    this.expect = -1
    this.accept = -1
    this.requestId = -1
    this.via = -1
    this.keepAlive = -1
    this.te = -1
    this.inCallTree = false
    this.forCache = false
  }
}

/** The value of field number `index` as text. */
export function fieldText(head: Head, buffer: Buffer, index: number): string {
  const base = index * fieldStride
  return text(buffer, head.fields[base + valueStart]!, head.fields[base + valueEnd]!)
}

/** The value of the first field with this lower-case name; undefined when there is none. */
export function findField(head: Head, buffer: Buffer, name: string): string | undefined {
  for (let i = 0; i < head.fieldCount; i++) {
    const base = i * fieldStride
    const start = head.fields[base + nameStart]!
    const end = head.fields[base + nameEnd]!
    if (end - start === name.length && text(buffer, start, end).toLowerCase() === name) return fieldText(head, buffer, i)
  }
  return undefined
}

/** The same of a list: several lines joined by commas (RFC 9110 §5.3). */
export function listedField(head: Head, buffer: Buffer, name: string): string | undefined {
  let value: string | undefined
  for (let i = 0; i < head.fieldCount; i++) {
    const base = i * fieldStride
    const start = head.fields[base + nameStart]!
    const end = head.fields[base + nameEnd]!
    if (end - start !== name.length || text(buffer, start, end).toLowerCase() !== name) continue
    const more = fieldText(head, buffer, i)
    value = value === undefined ? more : `${value}, ${more}`
  }
  return value
}

const methodGet = 'GET'

/** Methods are case-sensitive tokens; the usual ones need no new string. */
function methodText(buffer: Buffer, start: number, end: number): string {
  if (end - start === 3 && buffer[start] === 71 && buffer[start + 1] === 69 && buffer[start + 2] === 84) return methodGet
  return text(buffer, start, end)
}

/** Reads `HTTP/1.0` or `HTTP/1.1` at `at`; returns the minor version or −1. */
function httpMinor(buffer: Buffer, at: number): number {
  if (
    buffer[at] !== 72 ||
    buffer[at + 1] !== 84 ||
    buffer[at + 2] !== 84 ||
    buffer[at + 3] !== 80 ||
    buffer[at + 4] !== 47 ||
    buffer[at + 5] !== 49 ||
    buffer[at + 6] !== 46
  ) {
    return -1
  }
  const minor = buffer[at + 7]! - 48
  return minor === 0 || minor === 1 ? minor : -1
}

/** Longest method we read: `MKCALENDAR`, `BASELINE-CONTROL` and the like fit. */
const methodBytesMax = 24

/**
 * Parses a request head that begins at `start` of `buffer[0, end)`.
 * @returns the offset behind it (> 0), 0 when more bytes are needed, or a `HeadError`.
 */
export function parseRequestHead(buffer: Buffer, start: number, end: number, head: Head): number {
  head.reset()
  let i = start
  // RFC 9112 §2.2: one empty line before the request line is ignored, for old clients that send one after a body.
  if (i < end && buffer[i] === CR) {
    if (i + 1 >= end) return 0
    if (buffer[i + 1] !== LF) return HeadError.lineEnd
    i += 2
  }
  const lineStart = i
  while (i < end && tokenLower[buffer[i]!] !== 0) i++
  if (i - lineStart > methodBytesMax) return HeadError.requestLine
  if (i === end) return 0
  if (i === lineStart || buffer[i] !== SP) return HeadError.requestLine
  head.begin = lineStart
  head.method = methodText(buffer, lineStart, i)
  const target = ++i
  while (i < end && targetByte[buffer[i]!] === 1) i++
  if (i === end) return end - start > requestHeadBytesMax ? HeadError.tooLarge : 0
  if (i === target || buffer[i] !== SP) return i === target ? HeadError.requestLine : HeadError.target
  head.targetStart = target
  head.targetEnd = i
  i++
  if (i + 10 > end) return head.method === 'PRI' ? prefaceSoFar(buffer, i, end) : versionSoFar(buffer, i, end)
  const minor = httpMinor(buffer, i)
  if (minor < 0) return buffer[i] === 72 && buffer[i + 5] === 50 && head.method === 'PRI' ? HeadError.http2Preface : HeadError.version
  head.minor = minor
  if (buffer[i + 8] !== CR || buffer[i + 9] !== LF) return buffer[i + 8] === LF || buffer[i + 8] === CR ? HeadError.lineEnd : HeadError.version
  return parseFields(buffer, i + 10, start, end, requestHeadBytesMax, head)
}

const versionPrefix = 'HTTP/1.'

/** A version that is cut off: refuse at once what can no longer become right, so that a client learns it without waiting. */
function versionSoFar(buffer: Buffer, start: number, end: number): number {
  const length = Math.min(end - start, versionPrefix.length)
  return text(buffer, start, start + length) === versionPrefix.slice(0, length) ? 0 : HeadError.version
}

const preface = 'HTTP/2.0\r\n'

/** The same for a client that may be about to speak HTTP/2. */
const prefaceSoFar = (buffer: Buffer, start: number, end: number): number =>
  preface.startsWith(text(buffer, start, end)) ? 0 : versionSoFar(buffer, start, end)

/** Parses a response head; like `parseRequestHead`. */
export function parseResponseHead(buffer: Buffer, start: number, end: number, head: Head): number {
  head.reset()
  if (end - start < 13) {
    const length = Math.min(end - start, versionPrefix.length)
    return text(buffer, start, start + length) === versionPrefix.slice(0, length) ? 0 : HeadError.statusLine
  }
  const minor = httpMinor(buffer, start)
  if (minor < 0 || buffer[start + 8] !== SP) return HeadError.statusLine
  head.minor = minor
  head.begin = start
  const a = buffer[start + 9]! - 48
  const b = buffer[start + 10]! - 48
  const c = buffer[start + 11]! - 48
  if (a < 1 || a > 5 || b < 0 || b > 9 || c < 0 || c > 9) return HeadError.statusLine
  head.status = a * 100 + b * 10 + c
  let i = start + 12
  // The reason phrase may be absent together with its space: many servers do so.
  if (buffer[i] === SP) i++
  else if (buffer[i] !== CR) return HeadError.statusLine
  head.reasonStart = i
  while (i < end && fieldValueByte[buffer[i]!] === 1) i++
  if (i === end) return end - start > responseHeadBytesMax ? HeadError.tooLarge : 0
  head.reasonEnd = i
  if (buffer[i] !== CR) return HeadError.lineEnd
  if (i + 1 >= end) return 0
  if (buffer[i + 1] !== LF) return HeadError.lineEnd
  return parseFields(buffer, i + 2, start, end, responseHeadBytesMax, head)
}

/** Field lines up to the empty line; shared by requests, answers and trailers. */
export function parseFields(buffer: Buffer, from: number, start: number, end: number, bytesMax: number, head: Head): number {
  const fields = head.fields
  let i = from
  let count = 0
  for (;;) {
    if (i >= end) break
    const first = buffer[i]!
    if (first === CR) {
      if (i + 1 >= end) break
      if (buffer[i + 1] !== LF) return HeadError.lineEnd
      if (i + 2 - start > bytesMax) return HeadError.tooLarge
      head.fieldCount = count
      head.end = i + 2
      return i + 2
    }
    if (first === SP || first === HTAB) return HeadError.folded
    const name = i
    let hash = 0
    let lower = tokenLower[first]!
    while (lower !== 0) {
      hash = hashStep(hash, lower)
      i++
      if (i === end) break
      lower = tokenLower[buffer[i]!]!
    }
    if (i === end) break
    if (i === name || buffer[i] !== COLON) return buffer[i] === LF ? HeadError.lineEnd : HeadError.fieldName
    const nameStop = i
    i++
    while (i < end && (buffer[i] === SP || buffer[i] === HTAB)) i++
    const value = i
    while (i < end && fieldValueByte[buffer[i]!] === 1) i++
    if (i + 1 >= end) {
      if (i < end && buffer[i] !== CR) return buffer[i] === LF ? HeadError.lineEnd : HeadError.fieldValue
      break
    }
    if (buffer[i] !== CR) return buffer[i] === LF ? HeadError.lineEnd : HeadError.fieldValue
    if (buffer[i + 1] !== LF) return HeadError.lineEnd
    let valueStop = i
    while (valueStop > value && (buffer[valueStop - 1] === SP || buffer[valueStop - 1] === HTAB)) valueStop--
    if (count === fieldsMax) return HeadError.tooManyFields
    const kind = fieldId(buffer, name, nameStop, hash, lowerByte)
    const base = count * fieldStride
    fields[base + nameStart] = name
    fields[base + nameEnd] = nameStop
    fields[base + valueStart] = value
    fields[base + valueEnd] = valueStop
    fields[base + fieldKind] = kind
    if (kind !== Field.other) {
      const error = note(buffer, head, kind, count, value, valueStop)
      if (error !== 0) return error
    }
    count++
    i += 2
  }
  return end - start > bytesMax ? HeadError.tooLarge : 0
}

/** Remembers where the fields that decide about framing and connection stand, and refuses those that contradict each other. */
function note(buffer: Buffer, head: Head, kind: number, index: number, value: number, valueStop: number): number {
  switch (kind) {
    case Field.host:
      if (head.host >= 0) return HeadError.host
      head.host = index
      return 0
    case Field.contentLength: {
      if (head.contentLength >= 0) return HeadError.contentLength
      const length = decimal(buffer, value, valueStop)
      if (length < 0) return HeadError.contentLength
      head.contentLength = length
      return head.chunked ? HeadError.lengthAndEncoding : 0
    }
    case Field.transferEncoding:
      if (head.chunked) return HeadError.transferEncoding
      if (!isChunked(buffer, value, valueStop)) return codingError(buffer, value, valueStop)
      head.chunked = true
      return head.contentLength >= 0 ? HeadError.lengthAndEncoding : head.minor === 0 ? HeadError.transferEncoding : 0
    case Field.connection:
      // Several Connection lines are legal; the second makes the serialiser look at all of them.
      head.connection = head.connection >= 0 ? several : index
      return 0
    case Field.upgrade:
      head.upgrade = head.upgrade >= 0 ? several : index
      return 0
    case Field.expect:
      head.expect = head.expect >= 0 ? several : index
      return 0
    case Field.accept:
      if (head.accept < 0) head.accept = index
      return 0
    case Field.xRequestId:
      head.requestId = head.requestId >= 0 ? several : index
      return 0
    case Field.via:
      head.via = head.via >= 0 ? several : index
      return 0
    case Field.keepAlive:
      head.keepAlive = index
      return 0
    case Field.te:
      head.te = index
      return 0
    case Field.xDeadline:
    case Field.xRetryAttempt:
    case Field.grpcTimeout:
      head.inCallTree = true
      return 0
    case Field.cacheControl:
    case Field.pragma:
    case Field.ifMatch:
    case Field.ifNoneMatch:
    case Field.ifModifiedSince:
    case Field.ifUnmodifiedSince:
    case Field.ifRange:
    case Field.range:
    case Field.authorization:
      head.forCache = true
      return 0
    default:
      return 0
  }
}

/** Stands in `Head.connection` and the like when there is more than one such field line. */
export const several = 0x7fffffff

/** At most 15 digits: every such number is exact in a double. −1: not a plain number. */
function decimal(buffer: Buffer, start: number, end: number): number {
  if (end === start || end - start > 15) return -1
  let value = 0
  for (let i = start; i < end; i++) {
    const digit = buffer[i]! - 48
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}

const chunkedWord = 'chunked'

function isChunked(buffer: Buffer, start: number, end: number): boolean {
  if (end - start !== chunkedWord.length) return false
  for (let i = 0; i < chunkedWord.length; i++) {
    if (lowerByte[buffer[start + i]!] !== chunkedWord.charCodeAt(i)) return false
  }
  return true
}

/** 501 for one unknown coding with `chunked` last (RFC 9112 §6.1), 400 for all else (§6.3). */
function codingError(buffer: Buffer, start: number, end: number): number {
  const codings = text(buffer, start, end)
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
  const sane = codings.every((coding) => /^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(coding))
  return sane && codings.length > 1 && codings.at(-1) === chunkedWord && codings.filter((coding) => coding === chunkedWord).length === 1
    ? HeadError.unknownCoding
    : HeadError.transferEncoding
}
