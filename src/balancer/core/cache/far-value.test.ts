import { expect, it } from 'vitest'
import {
  decodeFarValue,
  encodeFarIndex,
  encodeFarValue,
  farKey,
  farTagsOf,
  farTagsOfInvalidation,
  invalidationsOfTags,
  urlOfFarKey,
} from './far-value.ts'
import { invalidationOf, originNames, type PurgeOrder } from './purge.ts'

const key = 'http://a.test/x?y'
const entry = {
  key,
  variant: 'api\n=de',
  vary: [':from', 'accept-language'],
  names: [...originNames('api', 'v2'), 't:product:7'],
  mark: 1,
  bornAt: 2,
  lifetimeMs: 3,
  staleMs: 4,
  head: Buffer.from('{"ä":1}'),
  body: Buffer.from([0, 255, 10]),
}

it('comes back as it was given, but for what its node alone knows', () => {
  const { key: _key, mark: _mark, bornAt: _bornAt, ...rest } = entry
  expect(decodeFarValue(encodeFarValue(entry))).toEqual(rest)
  expect(decodeFarValue(encodeFarIndex(entry.vary))).toEqual({ vary: entry.vary })
  expect(urlOfFarKey(farKey(key, entry.variant))).toBe(key)
  expect(urlOfFarKey('user:7')).toBeUndefined()
})

it.each([
  Buffer.alloc(0),
  Buffer.from('{}'),
  Buffer.alloc(20, 255),
  Buffer.from('\0\0\0\u0002\0\0\0\0{}'),
  Buffer.from('\0\0\0\u0002\0\0\0\0{x'),
  'text',
  { a: 1 },
])('what somebody else has written is none: %s', (value) => {
  expect(decodeFarValue(value)).toBeUndefined()
})

it.each<PurgeOrder>([
  { by: 'url', url: key },
  { by: 'tag', tags: ['product:7', 'a'] },
  { by: 'prefix', prefix: 'http://a.test/' },
  { by: 'release', release: 'v2', service: 'api' },
  { by: 'service', service: 'api' },
  { by: 'all' },
])('is understood by others: %j, and takes what lies there', (order) => {
  for (const soft of [false, true]) {
    const invalidation = invalidationOf({ ...order, soft })
    const tags = farTagsOfInvalidation(invalidation)
    expect(invalidationsOfTags(tags)).toEqual([invalidation])
    expect(tags.some((tag) => farTagsOf(entry).includes(tag))).toBe(true)
  }
})

it('shares the tags of programs', () => {
  expect(farTagsOf(entry)).toContain('product:7')
  expect(invalidationsOfTags(['product:7'])).toEqual([{ soft: false, all: false, names: ['t:product:7'] }])
})
