import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EndpointView } from './routing-view.ts'
import { standingShare, warmLeast, warmShare, weigh, wellStanding, type Standing, type WeightFacts } from './weight.ts'

const view: EndpointView = { id: 'e', host: '127.0.0.1', port: 1, weight: 1, state: 'active' }
const facts = (more: Partial<WeightFacts> = {}): WeightFacts => ({ view, largest: 1, standing: wellStanding, warm: 1, healthy: true, ...more })
const standing = (more: Partial<Standing>): Partial<WeightFacts> => ({ standing: { ...wellStanding, ...more } })

describe('the weight of an endpoint', () => {
  it('is 100 without a reason when nothing speaks against it', () => {
    expect(weigh(facts())).toEqual({ weight: 100, reasons: [] })
  })

  it.each<[string, Partial<WeightFacts>, number, string]>([
    ['configured', { largest: 4 }, 25, 'its configured weight is 1, the largest 4'],
    ['eventLoop', standing({ lagMs: 100 }), 50, 'its event loop keeps others waiting for 100 ms'],
    ['heap', standing({ heapShare: 0.925 }), 50, '93 % of its heap is in use'],
    ['probes', standing({ failedProbes: 1, probesToFall: 4 }), 75, '1 of 4 probes failed that make it unhealthy'],
    ['errors', standing({ errorShare: 0.5 }), 25, '50 % of its requests failed of late'],
    ['latency', standing({ slowness: 6 }), 50, 'it takes 6.0 times as long as the others'],
    ['restarts', standing({ restartLoss: 0.3 }), 70, 'it was restarted of late'],
    ['slowStart', { warm: 0.4 }, 40, 'it joined a moment ago and gains its share slowly'],
    ['state', { gone: 'exit code=1' }, 0, 'gone: exit code=1'],
    ['state', { view: { ...view, state: 'draining' } }, 0, 'draining'],
    ['probes', { healthy: false, unhealthyWhy: 'GET / answered 500' }, 0, 'unhealthy: GET / answered 500'],
    ['ejection', { ejected: '5 errors in a row' }, 0, 'ejected: 5 errors in a row'],
    ['breaker', { breaker: 'open' }, 0, 'its circuit breaker is open'],
    ['breaker', { breaker: 'halfOpen' }, 100, 'its circuit breaker lets requests through on trial'],
    ['connect', { avoidedMs: 99.5 }, 0, 'avoided for 100 ms after failed connections'],
  ])('says its reason: %s', (factor, more, weight, why) => {
    const found = weigh(facts(more))
    expect(found.weight).toBeCloseTo(weight, 5)
    expect(found.reasons).toMatchObject([{ factor, why }])
  })

  it('is the product of its reasons', () => {
    const found = weigh(facts({ largest: 2, warm: 0.5, ...standing({ lagMs: 100 }) }))
    expect(found.weight).toBe(12.5)
    expect(found.reasons.map(({ factor, value }) => `${factor} ${value}`)).toEqual(['configured 0.5', 'eventLoop 0.5', 'slowStart 0.5'])
  })

  it('by standing is more than nothing, at most all, and falls with each thing that gets worse', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true })
    const some = fc.record<Standing>({
      ...{ lagMs: fc.double({ min: 0, max: 1e6, noNaN: true }), heapShare: share, errorShare: share },
      ...{ failedProbes: fc.integer({ min: 0, max: 3 }), probesToFall: fc.constant(4) },
      ...{ slowness: fc.double({ min: 1, max: 1e4, noNaN: true }), restartLoss: fc.double({ min: 0, max: 0.5, noNaN: true }) },
    })
    fc.assert(
      fc.property(some, some, (a, b) => {
        expect(standingShare(a)).toBeGreaterThan(0)
        expect(standingShare(a)).toBeLessThanOrEqual(1)
        for (const key of ['lagMs', 'heapShare', 'errorShare', 'failedProbes', 'slowness', 'restartLoss'] as const) {
          const worse = { ...a, [key]: Math.max(a[key], b[key]) }
          expect(standingShare(worse)).toBeLessThanOrEqual(standingShare(a))
        }
      }),
    )
  })

  it('rises linearly over the slow start, from a tenth', () => {
    expect([0, 500, 5_000, 10_000, 20_000].map((age) => warmShare(age, 10_000))).toEqual([0.1, 0.1, 0.5, 1, 1])
  })
})

it('those that are not in slow start get half again of an equal share at most, however many others are', () => {
  for (let all = 1; all <= 12; all++) {
    for (let warming = 0; warming < all; warming++) {
      const share = Math.max(warmShare(0, 10_000), warmLeast(all, warming))
      const ofOneOld = 1 / (all - warming + warming * share)
      expect(ofOneOld * all).toBeLessThanOrEqual(1.5 + 1e-9)
    }
  }
  expect([warmLeast(3, 1), warmLeast(10, 2), warmLeast(1, 0)]).toEqual([0, 0, 0])
})
