/** Fields between their two forms: pairs and objects of HTTP/2, lines of HTTP/1.1. */
import type { OutgoingHttpHeaders } from 'node:http2'
import { text } from '../http1/bytes.ts'
import { fieldStride, nameEnd, nameStart, valueEnd, valueStart, type Head } from '../http1/head.ts'

export type FieldPair = readonly [name: string, value: string]

const namePattern = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
// eslint-disable-next-line no-control-regex -- the very bytes that must not be in a value
const badValue = /[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/

/** Lower case only (RFC 9113 §8.2.1). */
export const isFieldName = (name: string): boolean => namePattern.test(name)
export const isFieldValue = (value: string): boolean => !badValue.test(value)

const hopByHop: ReadonlySet<string> = new Set(['connection', 'proxy-connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'http2-settings'])

/** Those that RFC 9113 §8.2.2 forbids. */
export const isHopByHopName = (name: string): boolean => hopByHop.has(name)

export function linesOf(fields: readonly FieldPair[]): string {
  let lines = ''
  for (const [name, value] of fields) lines += `${name}: ${value}\r\n`
  return lines
}

/** Names and values in turn, as pairs; undefined when one of them cannot be a line. Fields of the connection are left out. */
export function pairsOf(raw: readonly string[]): FieldPair[] | undefined {
  const pairs: FieldPair[] = []
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!
    const value = raw[i + 1]!
    if (!isFieldName(name) || !isFieldValue(value)) return undefined
    if (!isHopByHopName(name)) pairs.push([name, value])
  }
  return pairs
}

/** Fields that Node sends once at most. Of those that are lists the lines are joined, of the others the first is sent. */
const once: ReadonlySet<string> = new Set(
  (
    'access-control-allow-credentials access-control-max-age access-control-request-method age authorization content-encoding content-language content-length ' +
    'content-location content-md5 content-range content-type date dnt etag expires from host if-match if-modified-since if-none-match if-range ' +
    'if-unmodified-since last-modified location max-forwards proxy-authorization range referer retry-after tk upgrade-insecure-requests user-agent ' +
    'x-content-type-options'
  ).split(' '),
)
const lists: ReadonlySet<string> = new Set(['content-encoding', 'content-language', 'if-match', 'if-none-match'])

/** Adds the fields of a parsed head or of trailers, without those of the connection. */
export function addFields(to: OutgoingHttpHeaders, head: Head, buffer: Buffer): void {
  for (let i = 0; i < head.fieldCount; i++) {
    const base = i * fieldStride
    const name = text(buffer, head.fields[base + nameStart]!, head.fields[base + nameEnd]!).toLowerCase()
    if (isHopByHopName(name)) continue
    const value = text(buffer, head.fields[base + valueStart]!, head.fields[base + valueEnd]!)
    if (name === 'te' && value !== 'trailers') continue
    const before = to[name]
    if (before === undefined) to[name] = value
    else if (lists.has(name)) to[name] = `${String(before)}, ${value}`
    else if (once.has(name)) continue
    else if (Array.isArray(before)) before.push(value)
    else to[name] = [String(before), value]
  }
}
