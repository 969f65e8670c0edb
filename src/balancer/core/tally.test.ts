import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Tally } from './tally.ts'

describe('Tally', () => {
  it('counts by class, times apart, and begins anew when it was taken', () => {
    const tally = new Tally()
    expect(tally.any).toBe(false)
    tally.finished(200, 1_000)
    tally.finished(204, 2_000)
    tally.finished(503, 10)
    tally.finished(0, 10)
    tally.finished(101)
    expect(tally.any).toBe(true)
    const { responses, duration } = tally.take()
    expect(responses).toEqual({ aborted: 1, '1xx': 1, '2xx': 2, '5xx': 1 })
    expect([duration.count, duration.sum]).toEqual([4, 3_020])
    expect(tally.any).toBe(false)
    expect(tally.take()).toEqual({ responses: {}, duration: { count: 0, sum: 0, buckets: [] } })
  })

  it('loses nothing, however often it is taken', () => {
    const request = fc.tuple(fc.constantFrom(0, 101, 200, 304, 404, 502), fc.integer({ min: 0, max: 1e9 }), fc.boolean())
    fc.assert(
      fc.property(fc.array(request, { maxLength: 50 }), (requests) => {
        const tally = new Tally()
        const taken = requests.flatMap(([status, us, take]) => {
          tally.finished(status, us)
          return take ? [tally.take()] : []
        })
        taken.push(tally.take())
        const answers = taken.flatMap(({ responses }) => Object.values(responses)).reduce((sum, count) => sum + count, 0)
        expect(answers).toBe(requests.length)
        expect(taken.reduce((sum, { duration }) => sum + duration.count, 0)).toBe(requests.length)
      }),
    )
  })
})
