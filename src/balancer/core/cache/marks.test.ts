import { describe, expect, it } from 'vitest'
import { Marks, prefixesMax } from './marks.ts'
import { invalidationOf, originNames, type PurgeOrder } from './purge.ts'

const key = 'http://a.test/x/1'
const names = [...originNames('api', 'v2'), 't:one']

describe('what is invalidated', () => {
  it.each<readonly [PurgeOrder, boolean]>([
    [{ by: 'url', url: 'HTTP://A.test:80/x/1#top' }, true],
    [{ by: 'url', url: 'http://a.test/x/2' }, false],
    [{ by: 'tag', tags: ['two', 'one'] }, true],
    [{ by: 'tag', tags: ['two'] }, false],
    [{ by: 'prefix', prefix: 'http://a.test/x/' }, true],
    [{ by: 'prefix', prefix: 'http://a.test/y' }, false],
    [{ by: 'release', release: 'v2' }, true],
    [{ by: 'release', release: 'v2', service: 'api' }, true],
    [{ by: 'release', release: 'v2', service: 'shop' }, false],
    [{ by: 'release', release: 'v1' }, false],
    [{ by: 'service', service: 'api' }, true],
    [{ by: 'service', service: 'v2' }, false],
    [{ by: 'all' }, true],
  ])('%j', (order, takes) => {
    for (const soft of [false, true]) {
      const marks = new Marks()
      const before = { mark: marks.mark, names }
      const at = marks.apply(invalidationOf({ ...order, soft }))
      expect(marks.standing(key, before)).toBe(takes ? (soft ? 'stale' : 'gone') : 'valid')
      expect(marks.standing(key, { mark: at, names })).toBe('valid')
    }
  })

  it('what was asked for before is not kept after it, however late it was heard of', () => {
    const marks = new Marks()
    marks.advance(1_000)
    marks.apply(invalidationOf({ by: 'tag', tags: ['one'] }), 500)
    expect(marks.standing(key, { mark: 499, names })).toBe('gone')
    expect(marks.standing(key, { mark: 500, names })).toBe('valid')
    expect(marks.mark).toBe(1_000)
  })

  it('forgets the oldest prefixes, and with them all that is older', () => {
    const marks = new Marks()
    const before = { mark: marks.mark, names }
    const others = Array.from({ length: prefixesMax + 1 }, (_, i) => marks.apply(invalidationOf({ by: 'prefix', prefix: `http://b.test/${i}/` })))
    expect(marks.standing(key, before)).toBe('gone')
    expect(marks.standing(key, { mark: others[0]!, names })).toBe('valid')
  })
})
