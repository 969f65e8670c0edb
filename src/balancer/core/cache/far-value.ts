/**
 * A response as it lies in the second tier, for other nodes and their workers: under its URL and its variant; and the tags it has there, which it shares
 * with programs: `product:7` of theirs is `Cache-Tag: product:7` of a response. Whatever else responses are known by there begins with `http:`.
 *
 * Where the variant depends on more than the service (`Vary`), what lies under the URL and the service alone says on what.
 */
import type { Fields } from '../../../cache/core/http/fields.ts'
import { secondaryKey } from '../../../cache/core/http/vary.ts'
import type { NodeEntry } from './node-store.ts'
import { tagName, tagOfName, urlName, type Invalidation } from './purge.ts'
import { fromField } from './request-fields.ts'

const ours = 'http:'
/** What every response there carries: for what takes those there and none elsewhere. */
const allThere = `${ours}far`
const all = `${ours}all`
const prefixMark = `${ours}prefix:`
const softMark = `${ours}soft:`
const headBytes = 8

export const farKey = (key: string, variant: string): string => `${ours}${key}\n${variant}`

/** The URL of a key there; undefined: it is none of ours. */
export const urlOfFarKey = (farKeyText: string): string | undefined => {
  if (!farKeyText.startsWith(ours)) return undefined
  const end = farKeyText.indexOf('\n')
  return end < 0 ? undefined : farKeyText.slice(ours.length, end)
}

/** Where those look first who know nothing of its variants. */
export const firstVariant = (request: Fields): string => secondaryKey([fromField], request)

const farTagOf = (name: string): string => tagOfName(name) ?? ours + name

export const farTagsOf = ({ key, names }: Pick<NodeEntry, 'key' | 'names'>): readonly string[] => [
  ...new Set([...names, urlName(key)].map(farTagOf)),
  all,
  allThere,
]

/** What others are told. What is soft, or goes by prefixes, takes all that lies there. */
export function farTagsOfInvalidation({ soft, all: everything, names, prefix }: Invalidation): readonly string[] {
  const tags = [...names.map(farTagOf), ...(everything ? [all] : []), ...(prefix === undefined ? [] : [prefixMark + prefix])]
  if (soft) return [allThere, ...tags.map((tag) => softMark + tag)]
  return prefix === undefined ? tags : [allThere, ...tags]
}

/** The same the other way round. */
export function invalidationsOfTags(tags: readonly string[]): readonly Invalidation[] {
  const of = (soft: boolean): readonly Invalidation[] => {
    const said = tags.filter((tag) => tag !== allThere && tag.startsWith(softMark) === soft).map((tag) => (soft ? tag.slice(softMark.length) : tag))
    const names = said
      .filter((tag) => tag !== all && !tag.startsWith(prefixMark))
      .map((tag) => (tag.startsWith(ours) ? tag.slice(ours.length) : tagName(tag)))
    const prefixes = said.filter((tag) => tag.startsWith(prefixMark)).map((tag) => tag.slice(prefixMark.length))
    return [
      ...(said.includes(all) ? [{ soft, all: true, names: [] }] : []),
      ...(names.length > 0 ? [{ soft, all: false, names }] : []),
      ...prefixes.map((prefix) => ({ soft, all: false, names: [], prefix })),
    ]
  }
  return [...of(false), ...of(true)]
}

interface Described {
  readonly variant: string
  readonly vary: readonly string[]
  readonly names: readonly string[]
  readonly lifetimeMs: number
  readonly staleMs: number
}

export function encodeFarValue({ variant, vary, names, lifetimeMs, staleMs, head, body }: NodeEntry): Buffer {
  const text = Buffer.from(JSON.stringify({ variant, vary, names, lifetimeMs, staleMs } satisfies Described))
  const lengths = Buffer.alloc(headBytes)
  lengths.writeUInt32BE(text.length, 0)
  lengths.writeUInt32BE(head.length, 4)
  return Buffer.concat([lengths, text, head, body])
}

/** Says on what the variant depends. */
export const encodeFarIndex = (vary: readonly string[]): Buffer => {
  const text = Buffer.from(JSON.stringify({ vary }))
  const lengths = Buffer.alloc(headBytes)
  lengths.writeUInt32BE(text.length, 0)
  return Buffer.concat([lengths, text])
}

export type FarValue = { readonly vary: readonly string[] } & Partial<Omit<NodeEntry, 'vary'>>

/** undefined: it is none of ours. */
export function decodeFarValue(value: unknown): FarValue | undefined {
  if (!Buffer.isBuffer(value) || value.length < headBytes) return undefined
  const textEnd = headBytes + value.readUInt32BE(0)
  const headEnd = textEnd + value.readUInt32BE(4)
  if (headEnd > value.length) return undefined
  try {
    const said = JSON.parse(value.toString('utf8', headBytes, textEnd)) as Partial<Described> & Pick<Described, 'vary'>
    if (!Array.isArray(said.vary)) return undefined
    return said.variant === undefined ? { vary: said.vary } : { ...said, head: value.subarray(textEnd, headEnd), body: value.subarray(headEnd) }
  } catch {
    // Somebody else has written it.
    return undefined
  }
}
