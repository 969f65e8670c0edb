import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { congestedAfterMs, ParkingLot, releaseBurst, releasePerFinished, releasePerLook, type ParkingLimits } from './parking-lot.ts'

const limits: ParkingLimits = { requests: 100, bytes: 1_000, timeoutMs: 50 }

describe('the parking lot', () => {
  it('lets a burst go first, then two for each that finishes', () => {
    const lot = new ParkingLot<number>()
    const last = 5
    const all = releaseBurst + 2 * releasePerFinished + releasePerLook + last
    for (let i = 0; i < all; i++) lot.park(i, 1, 0, limits)
    expect(lot.open(0)).toEqual(Array.from({ length: releaseBurst }, (_, i) => i))
    expect(lot.finished()).toEqual([releaseBurst, releaseBurst + 1])
    expect(lot.finished()).toHaveLength(releasePerFinished)
    // Those that were let go may never end (streams, long polls): a few go at each look all the same.
    expect(lot.open(releaseBurst)).toHaveLength(releasePerLook)
    // All that was let go is lost: nothing can finish any more, so another burst goes.
    expect(lot.open(0)).toHaveLength(last)
    expect(lot.size).toBe(0)
  })

  it('lets nothing go while nothing is open', () => {
    const lot = new ParkingLot<string>()
    lot.park('a', 1, 0, limits)
    expect(lot.finished()).toEqual([])
    lot.park('b', 1, 0, limits)
    lot.open(0)
    lot.park('c', 1, 0, limits)
    lot.close()
    expect(lot.finished()).toEqual([])
  })

  it('keeps their turn to those who come back', () => {
    const lot = new ParkingLot<string>()
    const first = lot.park('a', 1, 0, limits)!
    const second = lot.park('b', 1, 1, limits)!
    expect(lot.open(0)).toEqual(['a', 'b'])
    lot.close()
    lot.park('c', 1, 5, limits)
    expect(lot.park('b', 1, 6, limits, undefined, second)).toMatchObject({ deadline: 51 })
    expect(lot.park('a', 1, 6, limits, undefined, first)).toMatchObject({ deadline: 50 })
    expect(lot.open(0)).toEqual(['a', 'b', 'c'])
    expect(lot.park('a', 1, 50, limits, undefined, first)).toBeUndefined()
  })

  it('lets nobody wait longer than he can', () => {
    const lot = new ParkingLot<string>()
    lot.park('a', 1, 0, limits)
    expect(lot.park('b', 1, 0, limits, { until: 20 })).toMatchObject({ deadline: 20 })
    expect(lot.park('c', 1, 20, limits, { until: 20 })).toBeUndefined()
    expect(lot.park('d', 1, 20, limits, { until: 5_000 })).toMatchObject({ deadline: 70 })
    expect(lot.expired(20)).toEqual(['b'])
    expect(lot.open(0)).toEqual(['a', 'd'])
  })

  it('lets them wait as long as something is expected, and no longer than they may', () => {
    const lot = new ParkingLot<string>()
    const place = lot.park('a', 1, 0, limits, { expected: 20 })!
    expect(place).toMatchObject({ deadline: 20, latest: 50 })
    lot.park('b', 1, 0, limits, { until: 30, expected: 20 })
    expect(lot.expired(19)).toEqual([])
    expect(lot.expired(20, 40)).toEqual([])
    expect(lot.expired(30, 40)).toEqual(['b'])
    lot.open(0)
    expect(lot.park('a', 1, 35, limits, { expected: 60 }, place)).toMatchObject({ deadline: 50, latest: 50 })
    expect(lot.expired(50, 100)).toEqual(['a'])
    lot.park('c', 1, 60, limits, { expected: 70 })
    expect(lot.expired(70)).toEqual(['c'])
  })

  it('counts what more is held of one that waits, as far as there is room', () => {
    const lot = new ParkingLot<string>()
    lot.park('a', 100, 0, limits)
    lot.park('b', 100, 0, limits)
    expect(lot.resize('a', 900, limits.bytes)).toBe(true)
    expect(lot.resize('b', 101, limits.bytes)).toBe(false)
    expect(lot.bytes).toBe(1_000)
    expect(lot.resize('a', 400, 0)).toBe(true)
    expect(lot.resize('c', 1, limits.bytes)).toBe(false)
    lot.leave('a')
    expect(lot.bytes).toBe(100)
  })

  it('holds the bytes of those that were let go until they have found something, or are back', () => {
    const lot = new ParkingLot<string>()
    const place = lot.park('a', 600, 0, limits)
    lot.park('b', 300, 0, limits)
    lot.open(0)
    expect([lot.size, lot.bytes]).toEqual([0, 900])
    expect(lot.park('c', 300, 0, limits)).toBeUndefined()
    expect(lot.leave('b')).toBe(false)
    expect(lot.park('c', 300, 0, limits)).toBeDefined()
    expect(lot.park('a', 700, 0, limits, undefined, place)).toEqual(place)
    expect([lot.size, lot.bytes]).toEqual([2, 1_000])
  })

  describe('when more comes than goes', () => {
    /** `arrivals` and `services` in each 10 ms, for so long; who comes out, how late, and who leaves in vain. */
    const run = (arrivals: number, services: number, forMs: number, bootMs = 0): { readonly waits: number[]; readonly expired: number } => {
      const lot = new ParkingLot<number>()
      const room = { requests: 100_000, bytes: 1e9, timeoutMs: 3_000 }
      const waits: number[] = []
      let expired = 0
      const served = (ids: readonly number[], now: number): void => {
        for (const at of ids) waits.push(now - Math.floor(at))
      }
      for (let now = 0; now < forMs; now += 10) {
        for (let i = 0; i < arrivals; i++) lot.park(now + i / 1_000, 1, now, room)
        expired += lot.expired(now).length
        if (now < bootMs) continue
        if (now % 1_000 === 0) served(lot.open(1), now)
        for (let i = 0; i < services / releasePerFinished; i++) served(lot.finished(), now)
      }
      return { waits: waits.slice(waits.length / 2), expired }
    }
    const middle = (waits: readonly number[]): number => [...waits].sort((a, b) => a - b)[Math.floor(waits.length / 2)]!

    it('the newest goes first, and does not wait for nothing', () => {
      const { waits, expired } = run(4, 2, 20_000)
      expect(middle(waits)).toBeLessThan(100)
      expect(expired).toBeGreaterThan(0)
    })

    it('but not while it only waits for the first endpoint, nor when all can be served in time', () => {
      expect(run(2, 4, 8_000, 2_000).expired).toBe(0)
      const lot = new ParkingLot<number>()
      for (let now = 0; now <= 10 * congestedAfterMs; now += 10) {
        lot.park(now, 1, now, { ...limits, requests: 10_000, bytes: 1e6, timeoutMs: 20_000 })
        lot.expired(now)
      }
      expect(lot.newestFirst).toBe(false)
      expect(lot.open(0)[0]).toBe(0)
    })
  })

  it('is never above its limits, lets go in order of arrival, and everybody leaves exactly once (model)', () => {
    interface Waiting {
      readonly id: number
      readonly deadline: number
      readonly bytes: number
    }
    const command = fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant('park' as const), bytes: fc.nat(300) }) },
      fc.record({ do: fc.constant('leave' as const), who: fc.nat(30) }),
      fc.record({ do: fc.constant('open' as const), inFlight: fc.nat(2) }),
      fc.record({ do: fc.constant('finished' as const) }),
      fc.record({ do: fc.constant('close' as const) }),
      fc.record({ do: fc.constant('wait' as const), ms: fc.nat(30) }),
    )
    fc.assert(
      fc.property(fc.array(command, { maxLength: 80 }), (commands) => {
        const small: ParkingLimits = { requests: 6, bytes: 1_000, timeoutMs: 50 }
        const lot = new ParkingLot<number>()
        let model: Waiting[] = []
        let now = 0
        let next = 0
        const left = new Set<number>()
        const depart = (ids: readonly number[]): void => {
          expect(ids).toEqual(model.filter(({ id }) => ids.includes(id)).map(({ id }) => id))
          for (const id of ids) {
            expect(left.has(id)).toBe(false)
            left.add(id)
          }
          model = model.filter(({ id }) => !ids.includes(id))
        }
        for (const each of commands) {
          switch (each.do) {
            case 'park': {
              const id = next++
              const fits = model.length < small.requests && model.reduce((sum, { bytes }) => sum + bytes, 0) + each.bytes <= small.bytes
              const parked = lot.park(id, each.bytes, now, small)
              expect(parked !== undefined).toBe(fits)
              if (parked) model.push({ id, deadline: parked.deadline, bytes: each.bytes })
              break
            }
            case 'leave':
              lot.leave(each.who)
              if (model.some(({ id }) => id === each.who)) depart([each.who])
              break
            case 'open': {
              const released = lot.open(each.inFlight)
              expect(released).toEqual(model.slice(0, released.length).map(({ id }) => id))
              for (const id of released) lot.leave(id)
              depart(released)
              break
            }
            case 'finished': {
              const released = lot.finished()
              expect(released).toEqual(model.slice(0, released.length).map(({ id }) => id))
              for (const id of released) lot.leave(id)
              depart(released)
              break
            }
            case 'close':
              lot.close()
              break
            case 'wait': {
              now += each.ms
              const late = lot.expired(now)
              expect(late).toEqual(model.filter(({ deadline }) => deadline <= now).map(({ id }) => id))
              depart(late)
            }
          }
          expect(lot.size).toBe(model.length)
          expect(lot.bytes).toBe(model.reduce((sum, { bytes }) => sum + bytes, 0))
        }
        depart(lot.expired(Infinity))
        expect({ size: lot.size, bytes: lot.bytes, model }).toEqual({ size: 0, bytes: 0, model: [] })
      }),
      { numRuns: 500 },
    )
  })
})
