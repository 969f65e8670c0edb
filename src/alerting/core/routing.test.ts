import { describe, expect, it } from 'vitest'
import { whyNotify } from './dedup.ts'
import { flapPercent, isFlapping } from './flapping.ts'
import { Inhibitor } from './inhibition.ts'
import { matches, parseMatcher, parseMatchers } from './matchers.ts'
import { groupLabels, routesFor, routeTree } from './routes.ts'

describe('matchers', () => {
  it('are read as amtool reads them', () => {
    expect(parseMatcher('a=b')).toEqual({ name: 'a', value: 'b', isRegex: false, isEqual: true })
    expect(parseMatcher(' a != "b c" ')).toEqual({ name: 'a', value: 'b c', isRegex: false, isEqual: false })
    expect(parseMatcher('a=~"x|y"')).toEqual({ name: 'a', value: 'x|y', isRegex: true, isEqual: true })
    expect(parseMatcher(String.raw`a="q\"uo\\te\n"`).value).toBe('q"uo\\te\n')
    expect(parseMatchers('{a="b,c", d!~"e.*",}').map(({ name }) => name)).toEqual(['a', 'd'])
    expect(parseMatchers('{}')).toEqual([])
    for (const bad of ['a', '1a=b', 'a==b"', 'a="b', 'a=~"("', '=b']) expect(() => parseMatcher(bad), bad).toThrow(/tried to read/)
  })

  it('match whole values, and missing labels as empty ones', () => {
    const does = (text: string, labels: Record<string, string>): boolean => matches(parseMatchers(text), labels)
    expect(does('a=~"b"', { a: 'bb' })).toBe(false)
    expect(does('a=~"b.*"', { a: 'bb' })).toBe(true)
    expect(does('a=""', {})).toBe(true)
    expect(does('a!="b"', {})).toBe(true)
    expect(does('a=~".+"', {})).toBe(false)
    expect(does('a=~"(?i)B"', { a: 'b' })).toBe(true)
  })
})

describe('routes', () => {
  const tree = routeTree({
    receiver: 'all',
    groupBy: ['service'],
    routes: [
      { matchers: parseMatchers('owner="a"'), receiver: 'a', continue: true },
      {
        matchers: parseMatchers('owner=~"a|b"'),
        receiver: 'ab',
        groupBy: '...',
        routes: [{ matchers: parseMatchers('env="test"'), receiver: 'quiet', groupWaitMs: 1 }],
      },
      { matchers: parseMatchers('owner="b"'), receiver: 'never' },
    ],
  })
  const receivers = (labels: Record<string, string>): string[] => routesFor(tree, labels).map(({ options }) => options.receiver)

  it('the first that matches takes it, and the next where it goes on', () => {
    expect(receivers({})).toEqual(['all'])
    expect(receivers({ owner: 'a' })).toEqual(['a', 'ab'])
    expect(receivers({ owner: 'b' })).toEqual(['ab'])
    expect(receivers({ owner: 'b', env: 'test' })).toEqual(['quiet'])
  })

  it('children have what they do not say from their parents, and groups the labels that they are made by', () => {
    const quiet = routesFor(tree, { owner: 'b', env: 'test' })[0]!
    expect(quiet.options).toMatchObject({ groupBy: '...', groupWaitMs: 1, groupIntervalMs: 300_000, repeatIntervalMs: 14_400_000 })
    expect(groupLabels(quiet, { owner: 'b', env: 'test' })).toEqual({ owner: 'b', env: 'test' })
    expect(groupLabels(tree, { service: 's', other: 'o' })).toEqual({ service: 's' })
    expect(quiet.id).toBe('{}/1{owner=~"a|b"}/0{env="test"}')
  })
})

describe('inhibition', () => {
  const inhibitor = (): Inhibitor => new Inhibitor([{ source: parseMatchers('s="1"'), target: parseMatchers('t="1"'), equal: ['e'] }])
  const alert = (fingerprint: string, labels: Record<string, string>): { fingerprint: string; labels: Record<string, string> } => ({
    fingerprint,
    labels,
  })

  it('is by a source that fires, with the same labels', () => {
    const rules = inhibitor()
    const source = alert('s', { s: '1', e: 'x' })
    rules.add(source)
    expect(rules.inhibitedBy(alert('t', { t: '1', e: 'x' }))).toBe(source)
    expect(rules.inhibitedBy(alert('t', { t: '1', e: 'y' }))).toBeUndefined()
    expect(rules.inhibitedBy(alert('t', { t: '1' }))).toBeUndefined()
    expect(rules.inhibitedBy(alert('t', { e: 'x' }))).toBeUndefined()
    rules.remove(source)
    expect(rules.inhibitedBy(alert('t', { t: '1', e: 'x' }))).toBeUndefined()
  })

  it('what is both is not kept quiet by another that is both', () => {
    const rules = inhibitor()
    rules.add(alert('b', { s: '1', t: '1', e: 'x' }))
    expect(rules.inhibitedBy(alert('c', { s: '1', t: '1', e: 'x' }))).toBeUndefined()
    expect(rules.inhibitedBy(alert('t', { t: '1', e: 'x' }))).toBeDefined()
  })
})

describe('what is worth a notification', () => {
  const set = (text: string): Set<string> => new Set(text.split('').filter((char) => char !== ' '))
  const ask = (last: [string, string] | undefined, now: [string, string], more = {}): string | undefined =>
    whyNotify(
      last && { at: 0, firing: set(last[0]), resolved: set(last[1]) },
      { firing: set(now[0]), resolved: set(now[1]) },
      { now: 10, repeatMs: 100, sendResolved: true, ...more },
    )

  it('is what nobody has heard', () => {
    expect(ask(undefined, ['a', ''])).toBe('first')
    expect(ask(undefined, ['', 'a'])).toBeUndefined()
    expect(ask(['a', ''], ['ab', ''])).toBe('new firing')
    expect(ask(['ab', ''], ['a', ''])).toBeUndefined()
    expect(ask(['a', ''], ['', 'a'])).toBe('all resolved')
    expect(ask(['', 'a'], ['', 'a'])).toBeUndefined()
    expect(ask(['ab', ''], ['a', 'b'])).toBe('new resolved')
    expect(ask(['ab', ''], ['a', 'b'], { sendResolved: false })).toBeUndefined()
    expect(ask(['a', ''], ['a', ''], { now: 101 })).toBe('repeat')
    expect(ask(['a', ''], ['a', ''], { now: 100 })).toBeUndefined()
  })
})

describe('flapping', () => {
  it('weighs new changes more', () => {
    const steady = Array.from({ length: 21 }, () => 'up')
    expect(flapPercent(steady)).toBe(0)
    expect(flapPercent([...steady.slice(1), 'down'])).toBeCloseTo(6.25)
    const newest = (changes: number): string[] => steady.map((_, i) => (i >= 21 - changes && (i - (21 - changes)) % 2 === 0 ? 'down' : 'up'))
    expect(flapPercent(newest(5))).toBeCloseTo(29.934)
    expect(flapPercent(newest(6))).toBeGreaterThanOrEqual(30)
    expect(isFlapping(false, 29.9)).toBe(false)
    expect(isFlapping(false, 30)).toBe(true)
    expect(isFlapping(true, 15.1)).toBe(true)
    expect(isFlapping(true, 15)).toBe(false)
  })
})

describe('names that all objects have', () => {
  it('are labels like any other', () => {
    expect(matches(parseMatchers('constructor=""'), {})).toBe(true)
    expect(matches(parseMatchers('toString=~".+"'), {})).toBe(false)
    const labels = JSON.parse('{"__proto__": "a", "constructor": "b"}') as Record<string, string>
    expect(matches(parseMatchers('__proto__="a",constructor="b"'), labels)).toBe(true)
    const tree = routeTree({ receiver: 'ops', groupBy: ['constructor', '__proto__'] })
    expect(groupLabels(tree, {})).toEqual({})
    expect(Object.entries(groupLabels(tree, labels))).toEqual([
      ['constructor', 'b'],
      ['__proto__', 'a'],
    ])
  })

  it('a matcher is read in time that grows with its length', () => {
    const before = performance.now()
    for (const text of [`a=${' '.repeat(100_000)}"`, `a=${'\\"'.repeat(50_000)}x"`, `a${' '.repeat(100_000)}b`]) {
      try {
        parseMatchers(text)
      } catch {
        // Refused is good, too.
      }
    }
    expect(performance.now() - before).toBeLessThan(2_000)
  })
})
