import { describe, expect, it } from 'vitest'
import { AnomalyDetector } from './anomaly.ts'

const minute = 60_000
/** The same noise each time. */
const noise = (i: number): number => ((i * 7_919) % 101) / 101 - 0.5
const day = (i: number): number => 100 + 50 * Math.sin((2 * Math.PI * i) / 288)

function episodes(rows: readonly (readonly [at: number, value: number])[], detector = new AnomalyDetector()): number[] {
  return rows.flatMap(([at, value], i) => (detector.observe(at, value).began ? [i] : []))
}

describe('the anomaly rule', () => {
  it('finds a peak once, and keeps quiet about noise', () => {
    const rows = Array.from({ length: 2_000 }, (_, i) => [i * 5 * minute, 100 + noise(i) + (i >= 1_500 && i < 1_510 ? 30 : 0)] as const)
    expect(episodes(rows)).toEqual([1_500])
  })

  it('knows a daily rhythm, also over a gap, and finds what the level would miss', () => {
    const rows = Array.from(
      { length: 288 * 8 },
      (_, i) => [i * 5 * minute, day(i) + noise(i) + (i >= 288 * 7 + 72 && i < 288 * 7 + 80 ? -40 : 0)] as const,
    )
    expect(episodes(rows)).toEqual([288 * 7 + 72])
    const withGap = rows.filter((_, i) => i < 1_000 || i >= 1_100)
    expect(episodes(withGap).map((i) => withGap[i]?.[0])).toEqual([(288 * 7 + 72) * 5 * minute])
  })

  it('raises its threshold after an episode, and lowers it again', () => {
    const peaks = (apart: number): number =>
      episodes(Array.from({ length: 3_000 }, (_, i) => [i * 5 * minute, 100 + noise(i) + (i >= 1_000 && i % apart === 0 ? 20 : 0)] as const)).length
    expect(peaks(100)).toBeLessThan(10)
    expect(peaks(900)).toBeGreaterThanOrEqual(2)
  })

  it('needs no more memory however long times do not rise', () => {
    const detector = new AnomalyDetector()
    for (let i = 0; i < 50_000; i++) detector.observe(0, 100 + noise(i))
    expect(detector.observe(0, 200).began).toBe(true)
  })
})
