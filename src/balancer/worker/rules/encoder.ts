/**
 * Compresses the body of one answer (zlib's streams, on Node's pool of threads) and cuts it into chunks, with back-pressure both ways: who writes is
 * told to wait while much is unread, and nothing is read while the client does not take it.
 */
import { constants, createBrotliCompress, createGzip, type BrotliCompress, type Gzip } from 'node:zlib'
import type { ContentCoding } from '../../../config/types.ts'

/** Bodies that are compressed at the same time per worker: each holds up to 300 KiB. One more goes as it is. */
export const encodersMax = 512
/** Better ones cost several times the processor for a few percent. */
const gzipLevel = 5
const brotliQuality = 4
/** A window of 256 KiB, in place of 4 MiB: memory per answer. */
const brotliWindowBits = 18

const crlf = Buffer.from('\r\n')
const nothing = Buffer.alloc(0)

let encoders = 0
export const encoderFree = (): boolean => encoders < encodersMax

export interface EncoderUser {
  /** A chunk, framed; returns false to get no more until `resume`. */
  encoded(bytes: Buffer): boolean
  /** All of it has been given. */
  encodingEnded(): void
  /** It takes bytes again after `write` has returned false. */
  encoderDrained(): void
  encodingFailed(): void
}

export class BodyEncoder {
  readonly #stream: Gzip | BrotliCompress
  #closed = false
  /** Of the read from the origin that is under way: [0, used). */
  #added = nothing
  #used = 0

  /** `prompt`: every piece can be read by the client as soon as it has come, as event streams need it. */
  constructor(coding: ContentCoding, prompt: boolean, user: EncoderUser) {
    encoders++
    this.#stream = coding === 'gzip' ? gzip(prompt) : brotli(prompt)
    this.#stream.on('data', (bytes: Buffer) => {
      if (this.#closed || bytes.length === 0) return
      if (!user.encoded(Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, crlf]))) this.#stream.pause()
    })
    this.#stream.on('drain', () => {
      if (!this.#closed) user.encoderDrained()
    })
    this.#stream.on('end', () => {
      if (!this.#closed) user.encodingEnded()
    })
    this.#stream.on('error', () => {
      if (!this.#closed) user.encodingFailed()
    })
  }

  /** Takes a copy of [start, end), to be compressed by the next `commit`. */
  add(buffer: Buffer, start: number, end: number): void {
    const used = this.#used + end - start
    if (used > this.#added.length) {
      const larger = Buffer.allocUnsafe(Math.max(used, 2 * this.#added.length))
      this.#added.copy(larger, 0, 0, this.#used)
      this.#added = larger
    }
    buffer.copy(this.#added, this.#used, start, end)
    this.#used = used
  }

  /**
   * What was added goes to the compressor at once: a body in chunks of a byte each would otherwise cost a flush for every byte. Returns false
   * when it should be given no more for now.
   */
  commit(): boolean {
    if (this.#used === 0) return true
    const bytes = this.#added.subarray(0, this.#used)
    this.#added = nothing
    this.#used = 0
    return this.#stream.write(bytes)
  }

  /** No more will come. */
  finish(): void {
    this.#stream.end()
  }

  resume(): void {
    this.#stream.resume()
  }

  /** Whoever used it hears nothing more. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    encoders--
    this.#stream.destroy()
  }
}

const gzip = (prompt: boolean): Gzip => createGzip({ level: gzipLevel, flush: prompt ? constants.Z_SYNC_FLUSH : constants.Z_NO_FLUSH })

const brotli = (prompt: boolean): BrotliCompress =>
  createBrotliCompress({
    flush: prompt ? constants.BROTLI_OPERATION_FLUSH : constants.BROTLI_OPERATION_PROCESS,
    params: { [constants.BROTLI_PARAM_QUALITY]: brotliQuality, [constants.BROTLI_PARAM_LGWIN]: brotliWindowBits },
  })
