/**
 * The text of an API key: `hf_<keyId>_<secret>_<checksum>`. The prefix is for secret scanners, the key id finds
 * the record, the secret proves it, and the checksum tells a mistyped key from a wrong one without looking anything up.
 */
import { crc32 } from '../../kernel/crc32.ts'
import { assert } from '../../kernel/errors.ts'

export const keyIdLength = 10
const secretLength = 43
const checksumLength = 6
const base32 = 'abcdefghjkmnpqrstvwxyz0123456789'
const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const shape = /^hf_([a-z0-9]{10})_([0-9A-Za-z]{43})_([0-9A-Za-z]{6})$/

export interface ParsedApiKey {
  readonly keyId: string
  readonly secret: string
}

/** Writes `keyIdBytes` (10) and `secretBytes` (32), both from a cryptographic source, as a key. */
export function formatApiKey(keyIdBytes: Uint8Array, secretBytes: Uint8Array): ParsedApiKey & { readonly key: string } {
  assert(keyIdBytes.length === keyIdLength, 'an API key id is made of 10 bytes')
  assert(secretBytes.length === 32, 'an API key secret is made of 32 bytes')
  const keyId = Array.from(keyIdBytes, (byte) => base32.charAt(byte & 31)).join('')
  const number = secretBytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  const secret = inBase62(number, secretLength)
  return { keyId, secret, key: `hf_${keyId}_${secret}_${checksum(keyId, secret)}` }
}

/** The parts of a key; undefined when it is none, or was mistyped. */
export function parseApiKey(text: string): ParsedApiKey | undefined {
  const [, keyId, secret, sum] = shape.exec(text) ?? []
  if (keyId === undefined || secret === undefined || sum !== checksum(keyId, secret)) return undefined
  return { keyId, secret }
}

function checksum(keyId: string, secret: string): string {
  return inBase62(BigInt(crc32(new TextEncoder().encode(`hf_${keyId}_${secret}`))), checksumLength)
}

function inBase62(number: bigint, length: number): string {
  let text = ''
  for (let rest = number; text.length < length; rest /= 62n) text = base62.charAt(Number(rest % 62n)) + text
  return text
}
