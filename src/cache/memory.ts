/** The near layer: values of this process, the least recently used of them forgotten first. It knows nothing of what may be given when. */
import { LRUCache } from 'lru-cache'
import { deepFreeze } from './core/freeze.ts'
import type { Held } from './core/held.ts'

export interface MemoryOptions {
  /** Default 10,000. */
  readonly maxEntries?: number
  /** Of the values, as `sizeOf` counts them; one that is larger than a quarter of it is not kept. Default: not counted. */
  readonly maxBytes?: number
  /** Default: the bytes of a Buffer, the length of a text, otherwise that of its JSON. */
  readonly sizeOf?: (value: unknown) => number
  /** Values are frozen, deeply, when they are stored: a caller that changes what it was given would change what all others are given. Default: false, for it costs a walk through each. */
  readonly freeze?: boolean
}

export const maxEntriesDefault = 10_000
/** So that one value does not empty the cache. */
const largestShare = 4
/** An entry without its value: key, times, links. */
const overheadBytes = 200

export class Memory {
  readonly #entries: LRUCache<string, Held>
  readonly #counts: boolean
  readonly #freezes: boolean
  readonly #sizeOf: (value: unknown) => number

  constructor(options: MemoryOptions, onEvict: () => void) {
    const { maxBytes } = options
    this.#counts = maxBytes !== undefined
    this.#freezes = options.freeze === true
    this.#sizeOf = options.sizeOf ?? sizeOf
    this.#entries = new LRUCache<string, Held>({
      max: options.maxEntries ?? maxEntriesDefault,
      ...(maxBytes === undefined
        ? {}
        : {
            maxSize: maxBytes,
            maxEntrySize: Math.ceil(maxBytes / largestShare),
            sizeCalculation: (held, key) => overheadBytes + key.length + held.bytes,
          }),
      dispose: (_held, _key, reason) => {
        if (reason === 'evict') onEvict()
      },
    })
  }

  get size(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#entries.calculatedSize
  }

  /** 0 where nobody counts. */
  bytesOf(value: unknown): number {
    return this.#counts ? this.#sizeOf(value) : 0
  }

  get(key: string): Held | undefined {
    return this.#entries.get(key)
  }

  /** Without making it recently used. */
  peek(key: string): Held | undefined {
    return this.#entries.peek(key)
  }

  set(key: string, held: Held): void {
    if (this.#freezes) deepFreeze(held.value)
    this.#entries.set(key, held)
  }

  delete(key: string): boolean {
    return this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
  }

  entries(): IterableIterator<[string, Held]> {
    return this.#entries.entries()
  }
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (ArrayBuffer.isView(value)) return value.byteLength
  if (typeof value !== 'object' || value === null) return 8
  return JSON.stringify(value).length
}
