import { describe, expect, it } from 'vitest'
import { parseMatchers } from './matchers.ts'
import { SilenceBook, silenceLimits, type SilenceDraft } from './silences.ts'

const minute = 60_000
const hour = 60 * minute
const start = 1_700_000_000_000

function bookWith(draft: Partial<SilenceDraft> = {}): SilenceBook {
  const book = new SilenceBook()
  let ids = 0
  book.set(draftOf(draft), start, () => `s${++ids}`)
  return book
}

const draftOf = (draft: Partial<SilenceDraft> = {}): SilenceDraft => ({
  ...{ matchers: parseMatchers('service=shop'), startsAt: start, endsAt: start + 4 * hour, createdBy: 'anna', comment: 'disk is changed' },
  ...draft,
})

const never = (): boolean => false
const ids = (list: readonly { readonly id: string }[]): readonly string[] => list.map(({ id }) => id)

describe('a silence', () => {
  it('is told of once, an hour before its end, and once when it ends', () => {
    const book = bookWith()
    expect(book.look(start + 3 * hour - 1, never)).toEqual({ ended: [], expiring: [] })
    expect(ids(book.look(start + 3 * hour, never).expiring)).toEqual(['s1'])
    expect(book.look(start + 4 * hour - 1, never)).toEqual({ ended: [], expiring: [] })
    expect(book.by({ service: 'shop' }, start + 4 * hour - 1)).toEqual(['s1'])
    expect(ids(book.look(start + 4 * hour, never).ended)).toEqual(['s1'])
    expect(book.by({ service: 'shop' }, start + 4 * hour)).toEqual([])
    expect(book.look(start + 5 * hour, never)).toEqual({ ended: [], expiring: [] })
  })

  it('that is short needs no reminder; one that is made longer gets another', () => {
    expect(bookWith({ endsAt: start + 2 * hour - 1 }).look(start + 2 * hour - minute, never).expiring).toEqual([])
    const book = bookWith()
    book.look(start + 3 * hour, never)
    book.set(draftOf({ id: 's1', endsAt: start + 8 * hour }), start + 3 * hour, () => 'other')
    expect(ids(book.look(start + 7 * hour, never).expiring)).toEqual(['s1'])
  })

  it('is told of only once, also after a restart', () => {
    const before = bookWith()
    before.look(start + 3 * hour, never)
    const after = new SilenceBook()
    after.restore(before.all())
    expect(after.look(start + 3 * hour + minute, never).expiring).toEqual([])
    expect(ids(after.look(start + 4 * hour, never).ended)).toEqual(['s1'])
    const muchLater = new SilenceBook()
    muchLater.restore(after.all())
    expect(muchLater.look(start + 5 * hour, never).ended).toEqual([])
  })

  it('does not keep its own reminder quiet; another one does', () => {
    const book = bookWith()
    book.set(draftOf({ comment: 'another' }), start, () => 'other')
    expect(book.by({ service: 'shop', silence: 's1' }, start)).toEqual(['other'])
  })

  it('counts each alert that it kept quiet once', () => {
    const book = bookWith()
    for (const fingerprint of ['a', 'b', 'a', 'a']) book.count('s1', fingerprint)
    expect(book.get('s1')?.matched).toBe(2)
    book.count('unknown', 'a')
    expect(book.all()).toHaveLength(1)
  })

  it('with endOnResolve is over when all that it kept quiet is, and not before it kept anything', () => {
    const book = bookWith({ endOnResolve: true })
    const firing = new Set(['a', 'b'])
    const look = (): readonly string[] => ids(book.look(start + minute, (fingerprint) => firing.has(fingerprint)).ended)
    expect(look()).toEqual([])
    book.count('s1', 'a')
    book.count('s1', 'b')
    expect(look()).toEqual([])
    firing.delete('a')
    expect(look()).toEqual([])
    firing.delete('b')
    expect(look()).toEqual(['s1'])
    expect(look()).toEqual([])
    expect(book.by({ service: 'shop' }, start + minute)).toEqual([])
  })

  it('without endOnResolve outlives what it kept quiet', () => {
    const book = bookWith()
    book.count('s1', 'a')
    expect(book.look(start + minute, never).ended).toEqual([])
  })

  it('is changed in place while its matchers stay, and else ends as another begins', () => {
    const book = bookWith()
    expect(book.set(draftOf({ id: 's1', comment: 'still' }), start + minute, () => 's2').id).toBe('s1')
    const other = book.set(draftOf({ id: 's1', matchers: parseMatchers('service=web') }), start + minute, () => 's2')
    expect([other.id, book.get('s1')?.endsAt]).toEqual(['s2', start + minute])
    expect(() => book.set(draftOf({ id: 'unknown' }), start, () => 's3')).toThrow('looked for silence unknown')
  })

  it('is forgotten five days after its end', () => {
    const book = bookWith()
    book.expire('s1', start + minute)
    expect(() => book.expire('s1', start + 2 * minute)).toThrow('already expired')
    book.look(start + minute + silenceLimits.keptMs, never)
    expect(ids(book.all())).toEqual(['s1'])
    book.look(start + minute + silenceLimits.keptMs + 1, never)
    expect([book.all(), [...book.dirty]]).toEqual([[], ['s1']])
  })

  it('is refused where it would hide too much, or says too little', () => {
    const refused =
      (draft: Partial<SilenceDraft>): (() => void) =>
      () =>
        bookWith(draft)
    expect(refused({ endsAt: start + silenceLimits.longestMs + 1 })).toThrow('longer than 7 days')
    expect(refused({ endsAt: start + silenceLimits.longestMs + 1, force: true })).not.toThrow()
    expect(refused({ matchers: parseMatchers('service=~".*"') })).toThrow('at least one matcher must not match the empty string')
    expect(refused({ matchers: [] })).toThrow('it has no matcher')
    expect(refused({ comment: ' ' })).toThrow('does not say why')
    expect(refused({ createdBy: '' })).toThrow('does not say who')
    expect(refused({ endsAt: start })).toThrow('start time must be before end time')
    expect(refused({ startsAt: start - 2 * hour, endsAt: start - hour })).toThrow("end time can't be in the past")
  })
})

describe('very many silences', () => {
  const draft = (text: string, endsAt = start + 3_600_000) => ({
    matchers: parseMatchers(text),
    startsAt: start,
    endsAt,
    createdBy: 'anna',
    comment: 'why',
  })

  it('are found by what they name, and are bounded, those that name nothing more closely', () => {
    let ids = 0
    const book = new SilenceBook()
    const set = (text: string) => book.set(draft(text), start, () => `s${++ids}`)
    for (let i = 0; i < silenceLimits.broadMax; i++) set(`instance=~"x${i}.*"`)
    expect(() => set('instance=~"y.*"')).toThrow(/500 already that have no plain NAME=VALUE/)
    for (let i = 0; i < silenceLimits.silencesMax - silenceLimits.broadMax; i++) set(`alertname="Down",instance="i${i}"`)
    expect(() => set('alertname="Down"')).toThrow(/5000 already/)
    const labels = Array.from({ length: 2_000 }, (_, i) => ({ alertname: 'Down', instance: `i${i}`, note: 'x'.repeat(50) }))
    const before = performance.now()
    let found = 0
    for (let round = 0; round < 10; round++) for (const each of labels) found += book.by(each, start + 1).length
    expect(found).toBe(20_000)
    // Held against all of them each time, it takes a minute.
    expect(performance.now() - before).toBeLessThan(8_000)
    expect(book.by({ instance: 'x7.local' }, start + 1)).toEqual(['s8'])
  })

  it('that are over are forgotten, the oldest first, when there are too many', () => {
    let ids = 0
    const book = new SilenceBook()
    for (let i = 0; i < silenceLimits.expiredMax + 100; i++) {
      const { id } = book.set(draft(`alertname="a${i}"`), start + i, () => `s${++ids}`)
      book.expire(id, start + i)
      if (i % 500 === 0) book.look(start + i, () => false)
    }
    expect(book.all().length).toBeLessThanOrEqual(silenceLimits.expiredMax + 500)
    expect(book.get('s1')).toBeUndefined()
    expect(book.by({ alertname: 'a1' }, start)).toEqual([])
  })

  it('count each alert once, and end when all is over, also after a restart', () => {
    const book = new SilenceBook()
    const { id } = book.set({ ...draft('alertname="Down"'), endOnResolve: true }, start, () => 's1')
    book.count(id, 'f1')
    book.count(id, 'f2')
    const after = new SilenceBook()
    const record = book.record(id)
    after.restore(record ? [JSON.parse(JSON.stringify(record)) as typeof record] : [])
    after.count(id, 'f1')
    expect(after.get(id)).toMatchObject({ matched: 2 })
    expect(after.get(id)).not.toHaveProperty('kept')
    after.count(id, 'f3')
    expect(after.get(id)?.matched).toBe(3)
    expect(after.look(start + 1, (fingerprint) => fingerprint === 'f2').ended).toEqual([])
    expect(after.look(start + 1, () => false).ended.map((each) => each.id)).toEqual(['s1'])
  })
})
