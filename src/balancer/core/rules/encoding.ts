/** Whether an answer is compressed, and how: the client's preferences (RFC 9110 §12.5.3), and what must hold of the answer. */
import type { CompressionRule, ContentCoding } from '../../../config/types.ts'

/** Longer fields than this are not read: nobody has so many preferences. */
const acceptBytesMax = 1_024

/**
 * The coding that the client likes best of those we have; of equals, the first of ours. undefined: none, or the plain answer is liked better.
 */
export function chooseCoding(accept: string | undefined, ours: readonly ContentCoding[]): ContentCoding | undefined {
  if (accept === undefined || accept.length > acceptBytesMax) return undefined
  const weights = new Map<string, number>()
  for (const each of accept.toLowerCase().split(',')) {
    const [, name, q] = /^\s*([!#$%&'*+.^_`|~\w-]+)\s*(?:;\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?$/.exec(each) ?? []
    if (name !== undefined) weights.set(name === 'x-gzip' ? 'gzip' : name, q === undefined ? 1 : Number(q))
  }
  const others = weights.get('*')
  const weightOf = (name: string): number => weights.get(name) ?? others ?? 0
  const plain = weights.get('identity') ?? 0
  let best: ContentCoding | undefined
  for (const coding of ours) if (weightOf(coding) > 0 && (best === undefined || weightOf(coding) > weightOf(best))) best = coding
  return best !== undefined && weightOf(best) >= plain ? best : undefined
}

/** Types that are worth it unless the rule names others. Source: nginx's and Caddy's lists together. */
export const usualTypes = [
  'text/*',
  'application/json',
  'application/*+json',
  'application/javascript',
  'application/xml',
  'application/*+xml',
  'application/x-ndjson',
  'application/manifest+json',
  'application/wasm',
  'image/svg+xml',
  'image/x-icon',
  'image/bmp',
  'font/ttf',
  'font/otf',
  'application/vnd.ms-fontobject',
]

export function typeMatcher(types: readonly string[]): (contentType: string) => boolean {
  const patterns = types.map(
    (type) =>
      new RegExp(
        `^${type
          .toLowerCase()
          .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
          .replaceAll('*', '[^;/]*')}$`,
      ),
  )
  const known = new Map<string, boolean>()
  return (contentType) => {
    const before = known.get(contentType)
    if (before !== undefined) return before
    const type = (contentType.split(';')[0] ?? '').trim().toLowerCase()
    const matches = patterns.some((pattern) => pattern.test(type))
    if (known.size < typesKnownMax) known.set(contentType, matches)
    return matches
  }
}

/** Values of Content-Type that are remembered per route. */
const typesKnownMax = 64

/** The head of an answer, as far as it matters here. */
export interface AnswerReading {
  readonly status: number
  /** −1: not given. */
  readonly length: number
  field(name: string): string | undefined
}

/** Whether the answer may be compressed for a client that takes it. */
export function isCompressible(rule: CompressionRule, matches: (contentType: string) => boolean, answer: AnswerReading): boolean {
  const { status } = answer
  // 206 is a part of some bytes, 304 and 204 have none; 1xx never come here.
  if (status === 204 || status === 206 || status === 304) return false
  if (answer.length >= 0 && answer.length < rule.minSize) return false
  const type = answer.field('content-type')
  if (type === undefined || !matches(type)) return false
  const coding = answer.field('content-encoding')
  if (coding !== undefined && coding.toLowerCase() !== 'identity') return false
  if (answer.field('content-range') !== undefined || answer.field('trailer') !== undefined) return false
  return !/(?:^|[,\s])no-transform(?:$|[,\s])/i.test(answer.field('cache-control') ?? '')
}

/** What no longer holds when the bytes are others. */
export const codedAway = ['accept-ranges', 'content-md5', 'content-digest', 'repr-digest', 'digest', 'etag', 'content-encoding']

/** RFC 9110 §8.8.1: other bytes cannot keep a strong validator. */
export const weakened = (etag: string): string => (etag.startsWith('W/') ? etag : `W/${etag}`)

/** Whether the answer already says that it depends on this field. */
export function variesBy(vary: string | undefined, name: string): boolean {
  return (vary ?? '').split(',').some((each) => ['*', name].includes(each.trim().toLowerCase()))
}
