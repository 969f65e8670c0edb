/** A response in the store, and the heads of the answers that are made of it. */
import { cacheStatusOf, type CacheStatus } from '../../../cache/core/http/cache-status.ts'
import { targetFields } from '../../../cache/core/http/control.ts'
import { connectionFields, listed, type Fields } from '../../../cache/core/http/fields.ts'
import { ageAt } from '../../../cache/core/http/serving.ts'
import type { StoredFacts } from '../../../cache/core/http/storing.ts'
import type { Line } from '../../../cache/core/http/update.ts'
import { HeadEdit } from '../../core/rules/head-edit.ts'
import { latin1 } from '../../http1/bytes.ts'

export interface StoredResponse {
  readonly facts: StoredFacts
  /** Which of the variants it is (`core/http/vary.ts`). */
  readonly variant: string
  readonly reason: string
  readonly lines: readonly Line[]
  readonly body: Buffer
  /** By which it can be invalidated, besides its URL (`core/cache/purge.ts`). */
  readonly names: readonly string[]
  /** The logical time at which it was asked for. */
  readonly mark: number
  /** The same on this worker's clock; -Infinity: another worker has asked. */
  readonly askedAt: number
  /** It is valid as long as the store's `changes` are these. */
  checkedAt: number
}

const tagFields = ['surrogate-key', 'cache-tag'] as const

/** Takes what was said to the cache alone out of an answer. */
export const withoutCacheFields = new HeadEdit([...targetFields, ...tagFields], '')

/** They are for us, or said anew with each answer. */
const notKept: ReadonlySet<string> = new Set<string>([
  ...connectionFields,
  ...targetFields,
  ...tagFields,
  'age',
  'cache-status',
  'content-length',
  'x-request-id',
])

const tagsMax = 64
const tagBytesMax = 128

/** What is kept of a head. */
export function linesToKeep(lines: readonly Line[]): readonly Line[] {
  const named = new Set(
    lines.filter(([name]) => name.toLowerCase() === 'connection').flatMap(([, value]) => value.split(',').map((each) => each.trim().toLowerCase())),
  )
  return lines.filter(([name]) => !notKept.has(name.toLowerCase()) && !named.has(name.toLowerCase()))
}

/** An answer without a `Date` gets that of its arrival (RFC 9110, 6.6.1). */
export const dated = (lines: readonly Line[], at: number): readonly Line[] =>
  lines.some(([name]) => name.toLowerCase() === 'date') ? lines : [...lines, ['Date', new Date(at).toUTCString()]]

/** By which it can be purged: words of `Surrogate-Key` and `Cache-Tag`. */
export function tagsOf(response: Fields): readonly string[] {
  const words = tagFields.flatMap((name) => (listed(response, name) ?? '').split(/[\s,]+/))
  return [...new Set(words)].filter((word) => word !== '' && word.length <= tagBytesMax).slice(0, tagsMax)
}

/** What an entry takes with its names and numbers, and a line of it besides its text (measured: `process.memoryUsage` with 40,000 of them). */
const overheadBytes = 1_280
const lineBytes = 64
export const bytesOf = ({ lines, body }: StoredResponse): number =>
  overheadBytes + body.length + lines.reduce((sum, [name, value]) => sum + lineBytes + name.length + value.length, 0)

/** What a 304 says of the response that the client has (RFC 9110, 15.4.5). */
const of304: ReadonlySet<string> = new Set(['cache-control', 'content-location', 'date', 'etag', 'expires', 'last-modified', 'vary'])

function headOf(status: number, reason: string, lines: readonly Line[], more: string): Buffer {
  let head = `HTTP/1.1 ${status} ${reason}\r\n`
  for (const [name, value] of lines) head += `${name}: ${value}\r\n`
  return latin1(`${head}${more}\r\n`)
}

const said = (stored: StoredResponse, now: number, status: CacheStatus): string =>
  `Age: ${Math.floor(ageAt(stored.facts, now) / 1_000)}\r\nCache-Status: ${cacheStatusOf(status)}\r\n`

export function wholeHead(stored: StoredResponse, now: number, status: CacheStatus): Buffer {
  const { facts, reason, lines, body } = stored
  const length = facts.status === 204 ? '' : `Content-Length: ${body.length}\r\n`
  return headOf(facts.status, reason, lines, length + said(stored, now, status))
}

export const notModifiedHead = (stored: StoredResponse, now: number, status: CacheStatus): Buffer =>
  headOf(
    304,
    'Not Modified',
    stored.lines.filter(([name]) => of304.has(name.toLowerCase())),
    said(stored, now, status),
  )

export function partHead(stored: StoredResponse, from: number, to: number, now: number, status: CacheStatus): Buffer {
  const part = `Content-Range: bytes ${from}-${to}/${stored.body.length}\r\nContent-Length: ${to - from + 1}\r\n`
  return headOf(206, 'Partial Content', stored.lines, part + said(stored, now, status))
}

export const unsatisfiableHead = (stored: StoredResponse, now: number, status: CacheStatus): Buffer =>
  headOf(416, 'Range Not Satisfiable', [], `Content-Range: bytes */${stored.body.length}\r\nContent-Length: 0\r\n${said(stored, now, status)}`)
