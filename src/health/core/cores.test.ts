/** The small rules of this room, each with its edges. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Prng } from '../../kernel/random.ts'
import { isEqual, valueAt } from './json-path.ts'
import { isBlind, seesAgain, type Voice } from './own-network.ts'
import { quorum, type Vantage } from './quorum.ts'
import { firstAt, isLate, nextAt, place } from './schedule.ts'
import { levelOf } from './thresholds.ts'
import { trafficSays } from './traffic-veto.ts'

describe('the schedule', () => {
  it('spreads a thousand names evenly over the interval', () => {
    const counts = Array.from({ length: 10 }, () => 0)
    for (let i = 0; i < 1_000; i++) {
      const at = Math.floor(place(`check-${i}`) * 10)
      counts[at] = (counts[at] ?? 0) + 1
    }
    expect(Math.min(...counts)).toBeGreaterThan(70)
    expect(Math.max(...counts)).toBeLessThan(130)
  })

  it('makes the first one within ten seconds, however long the interval', () => {
    expect(firstAt('a', 3_600_000, 0)).toBeLessThan(10_000)
    expect(firstAt('a', 500, 7)).toBeLessThan(507)
  })

  it('never lies in the past, and is an interval away give or take a tenth', () => {
    fc.assert(
      fc.property(fc.nat(1e6), fc.integer({ min: 100, max: 1e6 }), fc.nat(1e6), fc.nat(), (due, wait, behind, seed) => {
        const now = due + behind
        const next = nextAt(due, wait, now, new Prng(seed))
        return next > now && next <= Math.max(due, now) + wait * 1.1 + 1e-6 && next >= due + wait * 0.9 - 1e-6
      }),
    )
  })

  it('is late after two intervals', () => {
    expect([isLate(0, 2_000, 1_000), isLate(0, 2_001, 1_000)]).toEqual([false, true])
  })
})

describe('thresholds', () => {
  const disk = { warnAt: 80, criticalAt: 95, falling: false, hysteresis: 0.05 }
  const certificate = { warnAt: 21, criticalAt: 7, falling: true, hysteresis: 0.05 }
  const walk = (values: readonly number[], bounds: typeof disk): string => {
    let level = 'ok' as ReturnType<typeof levelOf>
    return values.map((value) => (level = levelOf(value, level, bounds)).charAt(0)).join('')
  }

  it('are crossed at once and left only with a margin', () => {
    expect(walk([79, 80, 78, 76, 75.9, 95, 91, 90.3, 90, 50], disk)).toBe('owwwocccwo')
  })

  it('count downwards where less is worse', () => {
    expect(walk([30, 21, 22, 22.1, 7, 7.3, 7.4, 60], certificate)).toBe('owwoccwo')
  })

  it('mean nothing for what is no number, or when there are none', () => {
    expect(levelOf(NaN, 'critical', disk)).toBe('ok')
    expect(levelOf(1e9, 'ok', { ...disk, warnAt: undefined, criticalAt: undefined })).toBe('ok')
  })
})

describe('is it us', () => {
  const voices = (failed: number, passed: number, group = 'host'): Voice[] =>
    Array.from({ length: failed + passed }, (_, i) => ({ group: `${group}-${i}`, passed: i >= failed }))

  it('when four fifths of the unrelated fail', () => {
    expect(isBlind(voices(8, 2), 'me', [])).toBe(true)
    expect(isBlind(voices(7, 3), 'me', [])).toBe(false)
  })

  it('cannot be said by fewer than four voices, nor by those that belong together', () => {
    expect(isBlind(voices(3, 0), 'me', [])).toBeUndefined()
    const gateway = Array.from({ length: 50 }, () => ({ group: 'gateway', passed: false }))
    expect(isBlind(gateway, 'me', [])).toBeUndefined()
    expect(isBlind([...gateway, ...voices(0, 4)], 'me', [])).toBe(false)
    expect(isBlind(voices(9, 0), 'host-0', [])).toBe(true)
  })

  it('is what two canaries say, before all others', () => {
    expect(isBlind(voices(0, 9), 'me', [false, false])).toBe(true)
    expect(isBlind(voices(9, 0), 'me', [false, true])).toBe(false)
    expect(isBlind(voices(9, 0), 'me', [false])).toBe(true)
  })

  it('is over when half of them pass, or a canary answers', () => {
    expect([seesAgain(voices(5, 5), []), seesAgain(voices(6, 4), []), seesAgain([], [])]).toEqual([true, false, false])
    expect([seesAgain([], [true, false]), seesAgain(voices(0, 9), [false, false])]).toEqual([true, false])
  })
})

describe('traffic against a probe', () => {
  it.each([
    [false, 20, 0, 'probe broken'],
    [false, 19, 0, undefined],
    [false, 30, 11, undefined],
    [false, 60, 30, undefined],
    [true, 20, 10, 'traffic'],
    [true, 20, 9, undefined],
    [true, 19, 19, undefined],
  ] as const)('passes: %s, of %d requests %d failed: %s', (passes, requests, failed, verdict) => {
    expect(trafficSays(passes, { requests, failed })).toBe(verdict)
  })
})

describe('quorum', () => {
  const from = (views: string): Vantage[] =>
    Array.from(views, (view, i) => ({
      node: `n${i}`,
      reachable: view !== '-',
      view: view === 'd' ? ('down' as const) : view === 'u' ? ('up' as const) : ('unknown' as const),
    }))

  it.each([
    ['d', 'down'],
    ['u', 'up'],
    ['?', 'unknown'],
    ['du', 'partial'],
    ['dd', 'down'],
    ['ddu', 'down'],
    ['duu', 'partial'],
    ['d--', 'down'],
    ['d-u', 'partial'],
    ['dduuu', 'down'],
    ['---', 'unknown'],
  ])('%s is %s', (views, verdict) => {
    expect(quorum(from(views)).verdict).toBe(verdict)
  })

  it('is never down by one voice against another, and always by all', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('d', 'u', '-', '?'), { maxLength: 9 }), (views) => {
        const down = views.filter((view) => view === 'd').length
        const up = views.filter((view) => view === 'u').length
        const { verdict } = quorum(from(views.join('')))
        return (verdict !== 'down' || down >= 2 || up === 0) && (verdict !== 'up' || down === 0)
      }),
    )
  })
})

describe('a value of a JSON document', () => {
  const document = { status: { db: 'ok', 'a b': [{ ready: true }, { ready: false }] }, count: 3, none: null }

  it.each([
    ['status.db', 'ok'],
    ['$.status.db', 'ok'],
    ['status["a b"][1].ready', false],
    ['count', 3],
    ['none', null],
    ['', document],
    ['$', document],
    ['status.db.length', undefined],
    ['constructor', undefined],
    ['status..db', undefined],
    ['status[', undefined],
  ])('%s', (path, value) => {
    expect(valueAt(document, path)).toEqual(value)
  })

  it('is compared as JSON, as a text, as a number', () => {
    expect([
      isEqual('ok', 'ok'),
      isEqual('ok', '"ok"'),
      isEqual(true, 'true'),
      isEqual(3, '3.0'),
      isEqual(null, 'null'),
      isEqual('3', '4'),
      isEqual(0, ''),
    ]).toEqual([true, true, true, true, true, false, false])
  })

  it('is found for every path, or is not there', () => {
    fc.assert(fc.property(fc.string({ maxLength: 30 }), (path) => valueAt(document, path) !== Symbol()))
  })
})
