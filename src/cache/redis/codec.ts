/**
 * Values as they lie in Redis:
 *
 *   1 · kind · grace (ms) · made in (ms) · mark · tags · the value          kind: JSON, text or bytes
 *   2 · key id (4) · nonce (12) · AES-256-GCM of the above · tag (16)       with a key; the name of the entry is authenticated with it
 *
 * What cannot be read is no value: another program's, another version's, or a key's that is no longer known.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { invalid } from '../core/options.ts'

export interface Stored {
  readonly value: unknown
  readonly graceMs: number
  readonly madeInMs: number
  readonly mark: number
  readonly tags: readonly string[]
}

const [plain, encrypted] = [1, 2]
const [json, text, bytes] = [0, 1, 2]
const headBytes = 2 + 8 + 8 + 8 + 1
const [idBytes, nonceBytes, tagBytes, keyBytes] = [4, 12, 16, 32]

interface Key {
  readonly id: Buffer
  readonly secret: Buffer
}

export class Codec {
  readonly #keys: readonly Key[]

  /** Each key: 32 bytes, or their hex or base64. The first encrypts; all decrypt. */
  constructor(keys: readonly (string | Buffer)[]) {
    this.#keys = keys.map((key) => {
      const secret = secretOf(key)
      return { id: createHash('sha256').update(secret).digest().subarray(0, idBytes), secret }
    })
  }

  encode(name: string, stored: Stored): Buffer {
    const [kind, value] = encoded(stored.value)
    const tags = stored.tags.map((tag) => Buffer.from(tag))
    const head = Buffer.allocUnsafe(headBytes)
    head[0] = plain
    head[1] = kind
    head.writeDoubleBE(stored.graceMs, 2)
    head.writeDoubleBE(stored.madeInMs, 10)
    head.writeDoubleBE(stored.mark, 18)
    head[26] = tags.length
    const content = Buffer.concat([head, ...tags.flatMap((tag) => [lengthOf(tag), tag]), value])
    const [key] = this.#keys
    return key === undefined ? content : seal(key, name, content)
  }

  /** undefined: it is none of ours. */
  decode(name: string, content: Buffer): Stored | undefined {
    if (content[0] === encrypted) {
      const opened = this.#open(name, content)
      return opened?.[0] === plain ? read(opened) : undefined
    }
    // Where values are encrypted, somebody else's word is not taken for ours.
    return content[0] === plain && this.#keys.length === 0 ? read(content) : undefined
  }

  #open(name: string, content: Buffer): Buffer | undefined {
    const key = this.#keys.find(({ id }) => id.equals(content.subarray(1, 1 + idBytes)))
    if (key === undefined || content.length < 1 + idBytes + nonceBytes + tagBytes) return undefined
    const from = 1 + idBytes + nonceBytes
    const decipher = createDecipheriv('aes-256-gcm', key.secret, content.subarray(1 + idBytes, from))
    decipher.setAAD(Buffer.from(name))
    decipher.setAuthTag(content.subarray(content.length - tagBytes))
    try {
      return Buffer.concat([decipher.update(content.subarray(from, content.length - tagBytes)), decipher.final()])
    } catch {
      return undefined
    }
  }
}

const lengthOf = (tag: Buffer): Buffer => {
  const length = Buffer.allocUnsafe(2)
  length.writeUInt16BE(tag.length)
  return length
}

function secretOf(key: string | Buffer): Buffer {
  const secret = typeof key !== 'string' ? key : /^[0-9a-f]{64}$/i.test(key) ? Buffer.from(key, 'hex') : Buffer.from(key, 'base64')
  if (secret.length !== keyBytes) throw invalid('encryption', `${secret.length} bytes`, 'a key of 32 bytes, in hex or base64')
  return secret
}

function seal({ id, secret }: Key, name: string, content: Buffer): Buffer {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', secret, nonce)
  cipher.setAAD(Buffer.from(name))
  return Buffer.concat([Buffer.of(encrypted), id, nonce, cipher.update(content), cipher.final(), cipher.getAuthTag()])
}

function encoded(value: unknown): [kind: number, content: Buffer] {
  if (typeof value === 'string') return [text, Buffer.from(value)]
  if (ArrayBuffer.isView(value)) return [bytes, Buffer.from(value.buffer, value.byteOffset, value.byteLength)]
  return [json, Buffer.from(JSON.stringify(value))]
}

function read(content: Buffer): Stored | undefined {
  try {
    const tags: string[] = []
    let at = headBytes
    for (let i = content[26] ?? 0; i > 0; i--) {
      const length = content.readUInt16BE(at)
      tags.push(content.toString('utf8', at + 2, at + 2 + length))
      at += 2 + length
    }
    const value = decoded(content[1] ?? json, content.subarray(at))
    return { value, graceMs: content.readDoubleBE(2), madeInMs: content.readDoubleBE(10), mark: content.readDoubleBE(18), tags }
  } catch {
    return undefined
  }
}

const decoded = (kind: number, content: Buffer): unknown =>
  kind === text ? content.toString() : kind === bytes ? Buffer.from(content) : (JSON.parse(content.toString()) as unknown)
