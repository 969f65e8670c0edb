/** A client's conditions, decided by what is stored (RFC 9110, 13; RFC 9111, 4.3.2), and those that a cache sends itself. */
import { parseHttpDate } from './dates.ts'
import { listed, single, type Fields } from './fields.ts'
import type { StoredFacts } from './storing.ts'

/** Without the mark of weakness; quotes stay. */
const opaque = (tag: string): string => (tag.startsWith('W/') ? tag.slice(2) : tag)

const isWeak = (tag: string): boolean => tag.startsWith('W/')

/** The tags of `If-None-Match` and the like; a comma within quotes is part of a tag. */
export const tagsOf = (list: string): readonly string[] => list.match(/(?:W\/)?"[^"]*"|[^\s,"]+/g) ?? []

/** Weak comparison (RFC 9110, 8.8.3.2). */
export const sameTag = (one: string, other: string): boolean => opaque(one) === opaque(other)

/** Strong comparison. */
export const sameBytes = (one: string, other: string): boolean => one === other && !isWeak(one)

/** Conditions that only the origin may decide: they are forwarded, and the store is left alone. */
export const isForOrigin = (request: Fields): boolean => request.all('if-match').length > 0 || request.all('if-unmodified-since').length > 0

/** The client has it already: 304. Only for responses that would be 200. */
export function notModified(request: Fields, facts: StoredFacts, now: number): boolean {
  if (facts.status !== 200) return false
  const tags = listed(request, 'if-none-match')
  if (tags !== undefined) {
    if (tags.trim() === '*') return true
    const { etag } = facts
    return etag !== undefined && tagsOf(tags).some((tag) => sameTag(tag, etag))
  }
  const since = single(request, 'if-modified-since')
  const sinceAt = since === undefined ? undefined : parseHttpDate(since, now)
  return sinceAt !== undefined && facts.modifiedAt <= sinceAt
}

/** Whether a client's `If-Range` lets its `Range` count (RFC 9110, 13.1.5): a strong tag, or the very date. */
export function ifRangeHolds(request: Fields, facts: StoredFacts): boolean {
  const condition = single(request, 'if-range')
  if (condition === undefined) return true
  if (condition.includes('"')) return facts.etag !== undefined && sameBytes(condition, facts.etag)
  return facts.lastModified !== undefined && condition === facts.lastModified
}

/** The lines that ask whether what is stored is still right; several variants may be asked of at once. '' : nothing can be asked. */
export function validationLines(stored: readonly StoredFacts[]): string {
  const tags = [...new Set(stored.flatMap(({ etag }) => etag ?? []))]
  const dates = stored.flatMap(({ lastModified }) => lastModified ?? [])
  const lines = tags.length === 0 ? '' : `If-None-Match: ${tags.join(', ')}\r\n`
  // A date speaks for one response only.
  return stored.length === 1 && dates[0] !== undefined ? `${lines}If-Modified-Since: ${dates[0]}\r\n` : lines
}

/** Which of the stored ones a 304 is about (RFC 9111, 4.3.4); undefined: none of them. */
export function validatedBy(answer: Fields, stored: readonly StoredFacts[]): StoredFacts | undefined {
  const etag = single(answer, 'etag')
  if (etag !== undefined) {
    return (
      (isWeak(etag) ? undefined : stored.find((facts) => facts.etag === etag)) ??
      stored.find((facts) => facts.etag !== undefined && sameTag(facts.etag, etag))
    )
  }
  const modified = single(answer, 'last-modified')
  if (modified !== undefined) return stored.find(({ lastModified }) => lastModified === modified)
  return stored.length === 1 ? stored[0] : undefined
}
