/** Bytes that grow as they are written, and numbers in few of them. Whole numbers stand as varints (7 bits a byte, lowest first), signed ones zigzagged. */
import { crc32 } from '../../kernel/crc32.ts'
import { assert } from '../../kernel/errors.ts'

/** Whole numbers up to this are written exactly, and so are their differences. */
export const wholeMax = 2 ** 50

const scratch = new DataView(new ArrayBuffer(8))

export class ByteWriter {
  #bytes: Uint8Array
  #length = 0

  constructor(capacity = 4_096) {
    this.#bytes = new Uint8Array(capacity)
  }

  get length(): number {
    return this.#length
  }

  /** What was written, and after it the sum by which `whole` knows that it is that. */
  sealed(): Uint8Array {
    const sum = crc32(this.#bytes, this.#length)
    for (let shift = 24; shift >= 0; shift -= 8) this.byte((sum >>> shift) & 255)
    return this.take()
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  clear(): void {
    this.#length = 0
  }

  byte(value: number): void {
    this.#room(1)
    this.#bytes[this.#length++] = value
  }

  /** 0 or more. */
  varint(value: number): void {
    this.#room(8)
    let rest = value
    while (rest >= 128) {
      this.#bytes[this.#length++] = (rest % 128) | 128
      rest = Math.floor(rest / 128)
    }
    this.#bytes[this.#length++] = rest
  }

  signed(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value)
  }

  float(value: number): void {
    this.#room(8)
    scratch.setFloat64(0, value)
    for (let i = 0; i < 8; i++) this.#bytes[this.#length++] = scratch.getUint8(i)
  }

  bytes(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  #room(more: number): void {
    if (this.#length + more <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + more))
    larger.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = larger
  }
}

/** Where the sum of sealed bytes begins. Throws when they are not what was sealed: a disk may give anything. */
export function whole(bytes: Uint8Array): number {
  const end = bytes.length - 4
  const sum = end < 0 ? 0 : new DataView(bytes.buffer, bytes.byteOffset + end).getUint32(0)
  if (end < 0 || sum !== crc32(bytes, end)) throw new RangeError('the sum does not fit')
  return end
}

export class ByteReader {
  readonly #bytes: Uint8Array
  at: number

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes
    this.at = at
  }

  byte(): number {
    const value = this.#bytes[this.at++]
    assert(value !== undefined, 'read past the end of the bytes')
    return value
  }

  varint(): number {
    let value = 0
    let factor = 1
    for (;;) {
      const byte = this.byte()
      value += (byte & 127) * factor
      if (byte < 128) return value
      factor *= 128
    }
  }

  signed(): number {
    const value = this.varint()
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2
  }

  float(): number {
    for (let i = 0; i < 8; i++) scratch.setUint8(i, this.byte())
    return scratch.getFloat64(0)
  }
}
