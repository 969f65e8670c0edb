/**
 * Keys are well-formed text, ordered by code point: the order of their UTF-8 bytes, which SQLite and etcd
 * use. JavaScript's own `<` compares UTF-16 units and puts U+1F600 before U+FFFF; a store that used it
 * would list differently from the others. Not taken: keys as bytes, which nobody could read in a shell.
 */
import { HoldfastError } from '../../kernel/errors.ts'
import { storeLimits } from '../port.ts'

const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff

/** Orders two well-formed strings by code point. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x === y) continue
    if (isSurrogate(x) !== isSurrogate(y)) return isSurrogate(x) ? 1 : -1
    return x - y
  }
  return a.length - b.length
}

/** The smallest key above every key that begins with `prefix`; undefined when there is none (`''`, `'\u{10ffff}'`). */
export function prefixEnd(prefix: string): string | undefined {
  const points = Array.from(prefix, (char) => char.codePointAt(0) ?? 0)
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === 0x10ffff) continue
    return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1)
  }
  return undefined
}

const loneSurrogate = /\p{Surrogate}/u

function checkText(what: 'key' | 'prefix', text: unknown): asserts text is string {
  if (typeof text !== 'string') throw invalid(`a ${what} must be a string, got ${typeof text}`)
  if (utf8Length(text, storeLimits.keyBytesMax) > storeLimits.keyBytesMax) {
    throw new HoldfastError('store_limit', `a ${what} may have ${storeLimits.keyBytesMax} bytes: ${shown(text)} has more`)
  }
  if (text.includes('\0')) throw invalid(`a ${what} may not contain U+0000: ${shown(text)}`)
  if (loneSurrogate.test(text)) throw invalid(`a ${what} must be well-formed text, but ${shown(text)} contains half a surrogate pair`)
}

/** Throws `store_limit` or `store_invalid` unless `key` can be a key. */
export function checkKey(key: unknown): asserts key is string {
  if (key === '') throw invalid('a key may not be empty')
  checkText('key', key)
}

/** Throws `store_limit` or `store_invalid` unless `prefix` can begin a key; the empty prefix begins every key. */
export function checkPrefix(prefix: unknown): asserts prefix is string {
  checkText('prefix', prefix)
}

const encoder = new TextEncoder()

/** Bytes of `text` in UTF-8. Counts exactly only up to `enough`; a text that must be longer may be given its number of UTF-16 units. */
export function utf8Length(text: string, enough = Infinity): number {
  return text.length > enough ? text.length : encoder.encode(text).length
}

export function invalid(message: string): HoldfastError {
  return new HoldfastError('store_invalid', message)
}

/** The key as a message shows it: quoted, escaped, cut. */
export const shown = (key: string): string => JSON.stringify(key.length > 60 ? `${key.slice(0, 60)}…` : key)
