/**
 * What has come from a client and is not used yet: the bytes [start, end) of a buffer.
 *
 * A read into a buffer that other connections read into as well must be copied before the next one; nearly every request fits into a
 * small block, and blocks are used over and over, so that a request costs no memory of its own and a connection that waits holds none.
 * A block goes back when its request is over. Nobody holds bytes of it then: pieces that small are copied by all who keep them.
 */

/** Nearly every head, with room for the next one. */
const blockBytes = 2 * 1024
/** Kept for the next requests: 512 KiB. */
const freeMax = 256

const nothing = Buffer.alloc(0)

/** Blocks that are free; one set per worker. */
export class InputBlocks {
  readonly #free: Buffer[] = []

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(blockBytes)
  }

  give(block: Buffer): void {
    if (this.#free.length < freeMax) this.#free.push(block)
  }
}

export class ClientInput {
  readonly #blocks: InputBlocks
  /** Room for what is larger than a block, until the request is over. */
  readonly #lend: (bytes: number) => Buffer
  bytes: Buffer = nothing
  start = 0
  end = 0
  /** `bytes` is a block. */
  #isBlock = false

  constructor(blocks: InputBlocks, lend: (bytes: number) => Buffer) {
    this.#blocks = blocks
    this.#lend = lend
  }

  get empty(): boolean {
    return this.start === this.end
  }

  get length(): number {
    return this.end - this.start
  }

  /** The bytes themselves, where they lie. */
  get rest(): Buffer {
    return this.bytes.subarray(this.start, this.end)
  }

  /** Takes in [0, length) of a buffer. `shared`: it is written over after this call. */
  add(buffer: Buffer, length: number, shared: boolean): void {
    if (this.start < this.end) this.#append(buffer, length)
    else if (shared) this.#copy(buffer, length)
    else this.#use(buffer, length, false)
  }

  /** The same, for a look before it is copied: `keep` or `clear` must follow before the bytes are written over. Nothing waits here. */
  borrow(buffer: Buffer, length: number): void {
    this.#use(buffer, length, false)
  }

  /** What is left of borrowed bytes is wanted. */
  keep(): void {
    this.#copy(this.start === 0 ? this.bytes : this.rest, this.length)
  }

  #copy(buffer: Buffer, length: number): void {
    const small = length <= blockBytes
    const own = small ? this.#blocks.take() : this.#lend(length)
    buffer.copy(own, 0, 0, length)
    this.#use(own, length, small)
  }

  /** What lies before it may be held by somebody: it is left alone. */
  #append(buffer: Buffer, length: number): void {
    if (this.#isBlock && this.end + length <= blockBytes) {
      this.end += buffer.copy(this.bytes, this.end, 0, length)
      return
    }
    this.#use(Buffer.concat([this.rest, buffer.subarray(0, length)]), this.length + length, false)
  }

  #use(bytes: Buffer, length: number, isBlock: boolean): void {
    this.bytes = bytes
    this.start = 0
    this.end = length
    this.#isBlock = isBlock
  }

  /** The request whose bytes were used last is over. */
  requestOver(): void {
    if (this.start < this.end) return
    if (this.#isBlock) this.#blocks.give(this.bytes)
    this.clear()
  }

  /** The bytes belong to somebody else from here on, or to nobody. */
  clear(): void {
    this.#use(nothing, 0, false)
  }
}
