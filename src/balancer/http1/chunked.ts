/**
 * Follows a chunked body (RFC 9112 §7.1) as it streams through: says which bytes to forward and where it ends.
 *
 *   size ─▶ data ─▶ dataEnd ─▶ size … size 0 ─▶ trailers ─▶ done
 *
 * Canonical bytes pass as they came, as one run per read. What is not canonical is mended on the way: chunk
 * extensions are dropped, leading zeros too; forbidden trailer fields are left out. Anything malformed ends in `failed`.
 */
import { CR, HTAB, hexDigit, latin1, LF, text } from './bytes.ts'
import { Field, isHopByHop } from './fields.ts'
import { fieldKind, fieldStride, Head, nameEnd, nameStart, parseFields, valueEnd, valueStart } from './head.ts'

/** Chunk extensions of one body, together (RFC 9112 §7.1.1 asks for a limit). */
const extensionBytesMax = 4 * 1024
const trailerBytesMax = 16 * 1024
/** 13 hex digits are 2^52: every size is exact in a double. */
const sizeDigitsMax = 13

/** Never forwarded as trailers: framing, routing, authentication, and what a cache or a client must know before the body. RFC 9110 §6.5.1. */
const forbiddenTrailers: ReadonlySet<string> = new Set(
  (
    'content-length transfer-encoding host connection te trailer upgrade keep-alive authorization proxy-authorization proxy-authenticate www-authenticate ' +
    'cookie set-cookie content-encoding content-type content-range cache-control expect max-forwards pragma range age expires date location retry-after vary ' +
    'via forwarded x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-port x-real-ip x-request-id if-match if-none-match if-modified-since'
  ).split(' '),
)

const crlf = latin1('\r\n')
const trailerHead = new Head()

/** Takes a range of bytes to forward. */
export type Emit = (buffer: Buffer, start: number, end: number) => void

type State = 'sizeStart' | 'size' | 'extension' | 'sizeEnd' | 'data' | 'dataCr' | 'dataLf' | 'trailers' | 'done' | 'failed'

export class ChunkedBody {
  /** With framing (chunked to chunked) or only the data (for an HTTP/1.0 client). */
  readonly #framed: boolean
  #state: State = 'sizeStart'
  #remaining = 0
  #digits = 0
  #extensionBytes = 0
  /** Bytes of data, by the sizes read so far. */
  announced = 0
  #trailers: Buffer | undefined
  readonly #keepTrailers: boolean
  /** Of a body without framing whose trailers are kept: those that may be passed on, as lines, and an empty line; undefined: none have come. */
  trailers: Buffer | undefined

  constructor(framed: boolean, keepTrailers = false) {
    this.#framed = framed
    this.#keepTrailers = keepTrailers
  }

  get done(): boolean {
    return this.#state === 'done'
  }

  get failed(): boolean {
    return this.#state === 'failed'
  }

  /**
   * Reads from `start` and emits what is to be forwarded. Returns the offset behind the last byte that belongs to this
   * body: `end`, or less when the body is done (or has failed).
   */
  feed(buffer: Buffer, start: number, end: number, emit: Emit): number {
    let i = start
    // Start of the run of bytes that pass unchanged; −1: no run is open.
    let run = -1
    const framed = this.#framed
    while (i < end) {
      switch (this.#state) {
        case 'sizeStart':
        case 'size': {
          // A size line is forwarded anew unless it lies whole and canonical in this read.
          if (this.#state === 'sizeStart') {
            const next = framed ? canonicalSizeLine(buffer, i, end) : 0
            if (next > 0) {
              if (run < 0) run = i
              this.#remaining = sizeOf(buffer, i, next - 2)
              i = next
              this.#afterSize()
              break
            }
            if (run >= 0) emit(buffer, run, i)
            run = -1
            this.#remaining = 0
            this.#digits = 0
            this.#state = 'size'
          }
          const digit = hexDigit[buffer[i]!]!
          if (digit > 0) {
            if (++this.#digits > sizeDigitsMax) return this.#fail(i)
            this.#remaining = this.#remaining * 16 + digit - 1
            i++
            break
          }
          if (this.#digits === 0) return this.#fail(i)
          const byte = buffer[i]
          if (byte === CR) this.#state = 'sizeEnd'
          else if (byte === 59) this.#state = 'extension'
          else return this.#fail(i)
          i++
          break
        }
        case 'extension': {
          const byte = buffer[i]!
          if (byte === CR) this.#state = 'sizeEnd'
          else if (byte === LF || byte === 0 || (byte < 32 && byte !== HTAB) || byte === 127) return this.#fail(i)
          if (++this.#extensionBytes > extensionBytesMax) return this.#fail(i)
          i++
          break
        }
        case 'sizeEnd':
          if (buffer[i] !== LF) return this.#fail(i)
          i++
          if (framed) {
            const line = latin1(`${this.#remaining.toString(16)}\r\n`)
            emit(line, 0, line.length)
          }
          this.#afterSize()
          break
        case 'data': {
          const take = Math.min(this.#remaining, end - i)
          if (run < 0) run = i
          i += take
          this.#remaining -= take
          if (this.#remaining === 0) {
            this.#state = 'dataCr'
            if (!framed) {
              emit(buffer, run, i)
              run = -1
            }
          }
          break
        }
        case 'dataCr':
          if (buffer[i] !== CR) return this.#fail(i)
          if (framed && run < 0) run = i
          i++
          this.#state = 'dataLf'
          break
        case 'dataLf':
          if (buffer[i] !== LF) return this.#fail(i)
          if (framed && run < 0) run = i
          i++
          this.#state = 'sizeStart'
          break
        case 'trailers':
          if (run >= 0) emit(buffer, run, i)
          return this.#feedTrailers(buffer, i, end, emit)
        case 'done':
        case 'failed':
          return i
      }
    }
    if (run >= 0) emit(buffer, run, i)
    return i
  }

  #afterSize(): void {
    this.announced += this.#remaining
    this.#state = this.#remaining === 0 ? 'trailers' : 'data'
  }

  #feedTrailers(buffer: Buffer, start: number, end: number, emit: Emit): number {
    // The usual end of a body: no trailers, and the empty line lies in this read.
    if (this.#trailers === undefined && end - start >= 2 && buffer[start] === CR && buffer[start + 1] === LF) {
      this.#state = 'done'
      if (this.#framed) emit(crlf, 0, 2)
      return start + 2
    }
    const before = this.#trailers?.length ?? 0
    const all = this.#trailers ? Buffer.concat([this.#trailers, buffer.subarray(start, end)]) : Buffer.from(buffer.subarray(start, end))
    // One object serves every body of the process: nothing of the trailers before may be left in it.
    trailerHead.reset()
    const stop = parseFields(all, 0, 0, all.length, trailerBytesMax, trailerHead)
    if (stop < 0 || trailerHead.contentLength >= 0 || trailerHead.chunked) return this.#fail(start)
    if (stop === 0) {
      this.#trailers = all
      return end
    }
    this.#state = 'done'
    if (this.#framed) {
      const block = allowedTrailers(all)
      emit(block, 0, block.length)
    } else if (this.#keepTrailers) this.trailers = allowedTrailers(all)
    return start + stop - before
  }

  #fail(at: number): number {
    this.#state = 'failed'
    return at
  }
}

/** The offset behind `1a2b CR LF` without leading zeros, when all of it lies in [start, end); else 0. */
function canonicalSizeLine(buffer: Buffer, start: number, end: number): number {
  let i = start
  while (i < end && i - start < sizeDigitsMax && hexDigit[buffer[i]!] !== 0) i++
  if (i === start || i + 1 >= end || buffer[i] !== CR || buffer[i + 1] !== LF) return 0
  if (buffer[start] === 48 && i - start > 1) return 0
  return i + 2
}

function sizeOf(buffer: Buffer, start: number, end: number): number {
  let size = 0
  for (let i = start; i < end; i++) size = size * 16 + hexDigit[buffer[i]!]! - 1
  return size
}

function allowedTrailers(all: Buffer): Buffer {
  const pieces: string[] = []
  for (let i = 0; i < trailerHead.fieldCount; i++) {
    const base = i * fieldStride
    const name = text(all, trailerHead.fields[base + nameStart]!, trailerHead.fields[base + nameEnd]!)
    const kind = trailerHead.fields[base + fieldKind]!
    if (kind !== Field.other && isHopByHop[kind] === 1) continue
    if (forbiddenTrailers.has(name.toLowerCase())) continue
    pieces.push(`${name}: ${text(all, trailerHead.fields[base + valueStart]!, trailerHead.fields[base + valueEnd]!)}\r\n`)
  }
  pieces.push('\r\n')
  return latin1(pieces.join(''))
}

/** Tokens of a comma-separated field value, lower case, empty ones left out. */
export function tokensOf(value: string): string[] {
  return value
    .toLowerCase()
    .split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '')
}
