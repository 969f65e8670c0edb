/**
 * The header of a stored response after a 304, or a 200 to HEAD, has brought news of it (RFC 9111, 3.2): new lines take the place of those of the same
 * name, but for fields that say how the stored bytes are made.
 */
import { connectionFields } from './fields.ts'

export type Line = readonly [name: string, value: string]

/** Of the connection, of the stored bytes, or of the response that they came with. */
const kept: ReadonlySet<string> = new Set([...connectionFields, 'content-encoding', 'content-length', 'content-md5', 'content-range', 'etag'])

export function updated(stored: readonly Line[], news: readonly Line[]): readonly Line[] {
  const changed = new Set(news.map(([name]) => name.toLowerCase()).filter((name) => !kept.has(name)))
  const fresh = news.filter(([name]) => changed.has(name.toLowerCase()))
  return [...stored.filter(([name]) => !changed.has(name.toLowerCase())), ...fresh]
}

/** A 200 to HEAD is about what is stored, if nothing speaks against it (4.3.5). */
export function headConfirms(
  stored: { readonly etag: string | undefined; readonly lastModified: string | undefined; readonly length: number },
  head: { readonly etag: string | undefined; readonly lastModified: string | undefined; readonly length: number | undefined },
): boolean {
  const agrees = (mine: string | number | undefined, theirs: string | number | undefined): boolean => theirs === undefined || mine === theirs
  return agrees(stored.etag, head.etag) && agrees(stored.lastModified, head.lastModified) && agrees(stored.length, head.length)
}
