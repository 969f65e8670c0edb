import { describe, expect, it } from 'vitest'
import { askTimeoutMs, shortMs } from '../core/lease.ts'
import type { WorkerToPrimary } from '../messages.ts'
import { Leases } from './leases.ts'
import { parkingOverdraftRequests } from './limits.ts'
import { Parking, type Parked } from './parking.ts'

class Request implements Parked {
  refused = false

  unpark(): void {
    throw new Error('nobody lets it go here')
  }

  parkingExpired(): void {
    throw new Error('its time is not up')
  }

  parkingRefused(): void {
    this.refused = true
  }
}

const quota = 'parking.requests/api'
const limits = { requests: 1_000, bytes: 1_000_000, timeoutMs: 60_000 }

function bench(): {
  readonly told: WorkerToPrimary[]
  readonly leases: Leases
  readonly parking: Parking
  park(count: number, now: number): Request[]
} {
  const told: WorkerToPrimary[] = []
  const leases = new Leases((message) => told.push(message))
  const parking = new Parking('api', leases)
  parking.setLimits(limits)
  leases.granted({ type: 'lease', quota: 'parking.bytes/api', amount: 1_000_000, share: 1_000_000, answer: false }, 0)
  leases.granted({ type: 'lease', quota, amount: 4, share: 4, answer: false }, 0)
  told.length = 0
  const park = (count: number, now: number): Request[] =>
    Array.from({ length: count }, () => new Request()).filter((request) => parking.park(request, 1, now) !== undefined)
  return { told, leases, parking, park }
}

const refusedOf = (requests: readonly Request[]): boolean[] => requests.map(({ refused }) => refused)

describe('parking in one worker', () => {
  it('asks before its part is used up, and keeps what is granted', () => {
    const { told, leases, park } = bench()
    park(2, 1)
    expect(told).toEqual([])
    const more = park(3, 1)
    expect(told).toEqual([{ type: 'ask', quota, need: 0, want: 3 }])
    leases.granted({ type: 'lease', quota, amount: 3, share: 4, answer: true }, 2)
    expect(refusedOf(more)).toEqual([false, false, false])
    // What came undecided beyond that answer is asked for next.
    park(4, 2)
    expect(told.at(-1)).toMatchObject({ type: 'ask', need: 1 })
  })

  it('refuses the youngest when there is no more, and nobody twice', () => {
    const { told, leases, parking, park } = bench()
    const requests = park(8, 1)
    leases.granted({ type: 'lease', quota, amount: 0, share: 4, answer: true }, 2)
    expect(told.at(-1)).toEqual({ type: 'ask', quota, need: 4, want: 8 })
    parking.lot.leave(requests[7]!)
    leases.granted({ type: 'lease', quota, amount: 1, share: 4, answer: true }, 3)
    expect(refusedOf(requests)).toEqual([false, false, false, false, false, true, true, false])
    expect(parking.lot.size).toBe(5)
    expect(park(1, 3)).toEqual([])
    expect(park(1, 3 + shortMs)).toHaveLength(1)
  })

  it('lets no more in undecided than the overdraft, and decides by itself when nobody answers', () => {
    const { leases, parking, park } = bench()
    const requests = park(parkingOverdraftRequests + 10, 1)
    expect(requests).toHaveLength(4 + parkingOverdraftRequests)
    leases.sweep(askTimeoutMs)
    expect(parking.lot.size).toBe(4 + parkingOverdraftRequests)
    leases.sweep(1 + askTimeoutMs)
    expect(parking.lot.size).toBe(4)
    expect(refusedOf(requests.slice(0, 5))).toEqual([false, false, false, false, true])
  })

  it('gives back what is called back and not in use, and says so also when that is nothing', () => {
    const { told, leases, park } = bench()
    park(1, 1)
    leases.recalled(quota)
    leases.recalled(quota)
    leases.recalled('parking.requests/gone')
    expect(told).toEqual([
      { type: 'giveBack', quota, amount: 3, recalled: true },
      { type: 'giveBack', quota, amount: 0, recalled: true },
      { type: 'giveBack', quota: 'parking.requests/gone', amount: 0, recalled: true },
    ])
    expect(leases.held()).toEqual({ [quota]: 1, 'parking.bytes/api': 1_000_000 })
  })

  it('has no place and holds nothing when the view has no parking', () => {
    const { leases, parking, park } = bench()
    parking.setLimits(undefined)
    expect(park(1, 1)).toEqual([])
    expect(leases.held()).toEqual({})
    // Sent before the primary had the view, heard after it: with the next view it would be more than the limit.
    leases.granted({ type: 'lease', quota, amount: 5, share: 4, answer: true }, 2)
    parking.setLimits(limits)
    expect(leases.held()).toEqual({})
  })
})
