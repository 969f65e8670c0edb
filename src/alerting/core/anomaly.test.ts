import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AnomalyDetector } from './anomaly.ts'

const minute = 60_000
/** The same noise each time. */
const noise = (i: number): number => ((i * 7_919) % 101) / 101 - 0.5
const day = (i: number): number => 100 + 50 * Math.sin((2 * Math.PI * i) / 288)

/** Mulberry32, evenly in [0, 1). */
function chance(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function walking(next: () => number): () => number {
  let at = 0
  return () => (at += next() - 0.5)
}

const every = (minutes: number, values: readonly number[]): (readonly [at: number, value: number])[] =>
  values.map((value, i) => [i * minutes * minute, value])
const series = (length: number, value: (i: number) => number): number[] => Array.from({ length }, (_, i) => value(i))

function episodes(rows: readonly (readonly [at: number, value: number])[], detector = new AnomalyDetector()): number[] {
  return rows.flatMap(([at, value], i) => (detector.observe(at, value).began ? [i] : []))
}
const within = (i: number, from: number, count: number): boolean => i >= from && i < from + count

describe('the anomaly rule', () => {
  it('finds a peak once, and keeps quiet about noise', () => {
    const rows = every(
      5,
      series(2_000, (i) => 100 + noise(i) + (within(i, 1_500, 10) ? 30 : 0)),
    )
    expect(episodes(rows)).toEqual([1_500])
  })

  it('knows a daily rhythm, also over a gap, and finds what the level would miss, not again the day after', () => {
    const dip = 288 * 7 + 72
    const rows = every(
      5,
      series(288 * 10, (i) => day(i) + noise(i) - (within(i, dip, 8) ? 40 : 0)),
    )
    expect(episodes(rows)).toEqual([dip])
    const withGap = rows.filter((_, i) => i < 1_000 || i >= 1_100)
    expect(episodes(withGap).map((i) => withGap[i]?.[0])).toEqual([dip * 5 * minute])
  })

  it('says what it expected, and by what', () => {
    const detector = new AnomalyDetector()
    for (let i = 0; i < 288 * 4; i++) detector.observe(i * 5 * minute, day(i))
    const { by, expected, began } = detector.observe(288 * 4 * 5 * minute, 180)
    expect({ by, began }).toEqual({ by: 'season', began: true })
    expect(expected).toBeCloseTo(100, -1)
  })

  it('learns what comes again and again, and forgets it', () => {
    const spikes = (apart: number): number =>
      episodes(
        every(
          5,
          series(12_000, (i) => 100 + noise(i) + (i >= 1_000 && i % apart === 0 ? 20 : 0)),
          // No rhythm of a day, which would know them by their time.
        ),
        new AnomalyDetector({ seasonMs: 1_000 }),
      ).length
    expect(spikes(100)).toBe(5)
    expect(spikes(500)).toBe(5)
    expect(spikes(2_000)).toBe(5)
  })

  it('lets a series with heavy tails set its own bar, and finds what is beyond it', () => {
    const next = chance(7)
    const tailed = every(
      5,
      series(10_000, (i) => (1 - next()) ** (-1 / 2.5) + (within(i, 7_000, 5) ? 100 : 0)),
    )
    const found = episodes(tailed)
    expect(found).toContain(7_000)
    expect(found.length).toBeLessThan(25)
  })

  it('takes a new level for the usual one: an episode for each shift, near to another as well', () => {
    const shifts = [1_500, 1_900, 2_500, 4_000]
    const rows = (sign: number): (readonly [number, number])[] =>
      every(
        1,
        series(5_000, (i) => 100 + noise(i) + 20 * shifts.filter((at, nth) => i >= at && (sign > 0 || nth % 2 === 0)).length),
      )
    expect(episodes(rows(1))).toEqual(shifts)
    expect(
      episodes(
        every(
          1,
          series(5_000, (i) => 100 + noise(i) + 20 * (shifts.filter((at) => i >= at).length % 2)),
        ),
      ),
    ).toEqual(shifts)
  })

  it('does not take a short incident that swings for the usual', () => {
    const incidents = [2_000, 2_500, 3_000]
    const rows = every(
      1,
      series(4_000, (i) => 100 + noise(i) - (incidents.some((at) => within(i, at, 30)) && i % 2 === 0 ? 80 : 0)),
    )
    expect(episodes(rows).slice(0, 2)).toEqual([2_000, 2_500])
  })

  it('keeps quiet about what rises, saws and has few values, and nearly so about what wanders', () => {
    const next = chance(3)
    const quiet = {
      trend: series(10_000, (i) => 0.05 * i + noise(i)),
      saw: series(10_000, (i) => (i % 97) + noise(i)),
      integers: series(10_000, () => Math.floor(4 * next())),
    }
    for (const [name, values] of Object.entries(quiet)) expect([name, episodes(every(1, values))]).toEqual([name, []])
    const walks = series(10, (seed) => episodes(every(1, series(10_000, walking(chance(seed))))).length)
    expect(walks.reduce((sum, found) => sum + found)).toBeLessThanOrEqual(10)
  })

  it('never fires on a constant, whatever it is, nor on its rounding', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e100, max: 1e100 }), (value) => {
        expect(
          episodes(
            every(
              1,
              series(500, (i) => value * (1 + (i % 3) * Number.EPSILON)),
            ),
          ),
        ).toEqual([])
      }),
      { numRuns: 30 },
    )
  })

  it('does not depend on the unit, nor on where zero is', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: -20, max: 20 }), fc.integer({ min: -1_000, max: 1_000 }), (seed, power, shift) => {
        const next = chance(seed)
        const values = series(3_000, () => Math.floor(8 * next()) + (next() < 0.003 ? 100 : 0))
        const found = episodes(every(5, values))
        expect(
          episodes(
            every(
              5,
              values.map((value) => value * 2 ** power),
            ),
          ),
        ).toEqual(found)
        expect(
          episodes(
            every(
              5,
              values.map((value) => value + shift),
            ),
          ),
        ).toEqual(found)
      }),
      { numRuns: 20 },
    )
  })

  it('makes one episode of one spike, wherever it is and however high', () => {
    fc.assert(
      fc.property(fc.integer({ min: 200, max: 2_900 }), fc.integer({ min: 8, max: 1e6 }), fc.integer({ min: 1, max: 30 }), (at, height, length) => {
        const values = series(3_500, (i) => 100 + noise(i) + (within(i, at, length) ? height : 0))
        expect(episodes(every(5, values))).toEqual([at])
      }),
      { numRuns: 60 },
    )
  })

  it('passes over what is no number', () => {
    const values = series(2_000, (i) => 100 + noise(i) + (within(i, 1_500, 10) ? 30 : 0))
    const rows = every(5, values).flatMap((row, i) => (i % 7 === 0 ? [row, [row[0], i % 2 === 0 ? NaN : Infinity] as const] : [row]))
    expect(episodes(rows).map((i) => rows[i]?.[0])).toEqual([1_500 * 5 * minute])
  })

  it('needs no more memory however long times do not rise', () => {
    const detector = new AnomalyDetector()
    for (let i = 0; i < 50_000; i++) detector.observe(0, 100 + noise(i))
    expect(detector.observe(0, 200).began).toBe(true)
  })
})
