/** How long things are kept, with the defaults, checked where the cache is made or the call begins. */
import { HoldfastError } from '../../kernel/errors.ts'

export interface EntryOptions {
  /** For so long it is fresh. Default 30 s. What `getOrSet` makes is stale up to 10 % sooner, so that what was made together is not all made anew together. */
  readonly ttlMs?: number
  /** For so long after that it stands in when a new one cannot be had, or is still being made. Default 5 min; 0: never. */
  readonly graceMs?: number
  /** After a failure in grace the next try waits for so long. Default 10 s. */
  readonly graceBackoffMs?: number
  /** A caller waits for so long for a new value before it is given the stale one. Default 0: it is given that at once. */
  readonly softTimeoutMs?: number
  /** A caller without a stale value waits no longer than this; the making goes on, and is stored. Default 10 s. */
  readonly hardTimeoutMs?: number
  /** A failure is remembered for so long, doubling with each up to 30 s: callers meanwhile get it at once. Default 1 s; 0: never. */
  readonly negativeTtlMs?: number
  /** By which it can be invalidated with others; a function is given the value. At most 64. */
  readonly tags?: readonly string[] | ((value: never) => readonly string[])
}

export interface EntryRules {
  readonly ttlMs: number
  readonly graceMs: number
  readonly graceBackoffMs: number
  readonly softTimeoutMs: number
  readonly hardTimeoutMs: number
  readonly negativeTtlMs: number
}

export const defaultRules: EntryRules = {
  ttlMs: 30_000,
  graceMs: 300_000,
  graceBackoffMs: 10_000,
  softTimeoutMs: 0,
  hardTimeoutMs: 10_000,
  negativeTtlMs: 1_000,
}

export const negativeTtlMostMs = 30_000
/** While changes are not heard of, nothing is fresh for longer. */
export const deafTtlMs = 10_000
export const ttlSpread = 0.1
export const tagsOfEntryMax = 64
export const tagBytesMax = 128
export const keyBytesMax = 1_024

const names = Object.keys(defaultRules) as (keyof EntryRules)[]

/** The rules of a call: what it says, and what the cache says where it does not. The cache's own object when it says nothing. */
export function rulesOf(options: EntryOptions | undefined, base: EntryRules): EntryRules {
  if (options === undefined) return base
  let own = false
  for (const name of names) {
    const value = options[name]
    if (value === undefined) continue
    own = true
    const least = name === 'ttlMs' || name === 'hardTimeoutMs' ? 1 : 0
    if (!(value >= least)) throw invalid(name, value, `a number of milliseconds from ${least}`)
  }
  if (!own) return base
  return {
    ttlMs: options.ttlMs ?? base.ttlMs,
    graceMs: options.graceMs ?? base.graceMs,
    graceBackoffMs: options.graceBackoffMs ?? base.graceBackoffMs,
    softTimeoutMs: options.softTimeoutMs ?? base.softTimeoutMs,
    hardTimeoutMs: options.hardTimeoutMs ?? base.hardTimeoutMs,
    negativeTtlMs: options.negativeTtlMs ?? base.negativeTtlMs,
  }
}

export function checkKey(key: string): void {
  if (typeof (key as unknown) !== 'string' || key === '' || key.length > keyBytesMax) {
    throw invalid(
      'key',
      typeof (key as unknown) === 'string' ? `one of ${key.length} characters` : typeof key,
      `a text of 1 to ${keyBytesMax} characters`,
    )
  }
}

export function checkTags(tags: readonly string[]): readonly string[] {
  if (tags.length > tagsOfEntryMax) throw invalid('tags', `${tags.length} of them`, `at most ${tagsOfEntryMax} tags`)
  for (const tag of tags) {
    if (typeof (tag as unknown) !== 'string' || tag === '' || tag.length > tagBytesMax)
      throw invalid('tags', tag, `texts of 1 to ${tagBytesMax} characters`)
  }
  return tags
}

export const invalid = (name: string, found: unknown, expected: string): HoldfastError =>
  new HoldfastError('invalid_option', `cache: ${name} must be ${expected}, got ${String(found)}`, {
    hint: `give ${name} as ${expected}`,
    details: { path: name, found, expected },
  })
