import { describe, expect, it } from 'vitest'
import { Bar, type BarOptions } from './bar.ts'

/** Each row is an excursion as far as said, or none (0). */
function height(distances: readonly number[], { firing = false, ...options }: BarOptions & { readonly firing?: boolean } = {}): number {
  const bar = new Bar({ factor: 1, ...options })
  distances.forEach((distance, row) => bar.observe({ row, distance, far: distance > 3, back: distance <= 2, firing }))
  return bar.height
}

describe('the bar', () => {
  it('is nothing until there were five excursions, then the fifth farthest, whatever the farthest is', () => {
    expect(height([9, 0, 8, 0, 1e6, 0, 7, 0])).toBe(0)
    expect(height([9, 0, 8, 0, 1e6, 0, 7, 0, 12, 0])).toBe(7)
    expect(height([9, 0, 8, 0, 1e6, 0, 7, 0, 12, 0, 10, 0])).toBe(8)
    expect(height([9, 0, 8, 0, 1e6, 0, 7, 0, 12, 0], { factor: 2 })).toBe(14)
  })

  it('takes for one what is away without coming back, as far as its farthest', () => {
    expect(height([9, 2.5, 8, 3, 11, 2.1, 7, 4, 12, 0], { rank: 1 })).toBe(12)
    expect(height([9, 2.5, 8, 3, 11, 2.1, 7, 4, 12, 0], { rank: 2 })).toBe(0)
  })

  it('forgets', () => {
    const distances = [9, 0, 9, 0, 9, 0, 9, 0, 9, 0]
    expect(height([...distances, ...Array<number>(90).fill(0)], { memoryRows: 100 })).toBe(9)
    expect(height([...distances, ...Array<number>(100).fill(0)], { memoryRows: 100 })).toBe(0)
    const many = Array.from({ length: 1_000 }, (_, i) => (i % 2 === 0 ? 2_000 - i : 0))
    expect(height(many)).toBe(1_120)
  })

  it('gives an episode three places at once, and one more each 96 rows', () => {
    const swings = (rows: number): number[] => Array.from({ length: rows }, (_, i) => (i % 2 === 0 ? 50 + i : 0))
    expect(height(swings(90), { firing: true })).toBe(0)
    expect(height(swings(150), { firing: true })).toBe(0)
    expect(height(swings(300), { firing: true })).toBeGreaterThan(0)
  })
})
