import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ParkingLot, releaseBurst, releasePerFinished, releasePerLook, type ParkingLimits } from './parking-lot.ts'

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
    expect(lot.park('a', 1, 6, limits, first.deadline)).toEqual({ deadline: 50 })
    expect(lot.park('b', 1, 6, limits, second.deadline)).toEqual({ deadline: 51 })
    expect(lot.open(0)).toEqual(['a', 'b', 'c'])
    expect(lot.park('a', 1, 50, limits, first.deadline)).toBeUndefined()
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
              depart(released)
              break
            }
            case 'finished': {
              const released = lot.finished()
              expect(released).toEqual(model.slice(0, released.length).map(({ id }) => id))
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
