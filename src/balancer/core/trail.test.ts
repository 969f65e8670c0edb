import { describe, expect, it } from 'vitest'
import { Endpoint } from './endpoint.ts'
import { SlotLease } from './slots.ts'
import { candidatesMax, describeCandidates } from './trail.ts'

const endpoint = (id: string, more: Partial<{ weight: number; state: 'active' | 'draining' | 'maintenance' }> = {}): Endpoint =>
  new Endpoint({ id, host: 'h', port: 1, weight: 1, state: 'active', ...more }, 'shop')
const skips = (...from: Parameters<typeof describeCandidates>): (string | undefined)[] => describeCandidates(...from).map(({ skipped }) => skipped)

describe('the candidates of a choice', () => {
  it('say why each could not be chosen', () => {
    const [unhealthy, ejected, draining, gone, full] = [
      endpoint('a'),
      endpoint('b'),
      endpoint('c', { state: 'draining' }),
      endpoint('d'),
      endpoint('e'),
    ]
    unhealthy.healthy = false
    unhealthy.unhealthyWhy = 'GET / answered 500'
    ejected.ejectedUntil = 12_500
    ejected.ejectedWhy = '5 errors in a row'
    gone.gone = 'exit code=1'
    full.slots = new SlotLease()
    expect(skips([unhealthy, ejected, draining, gone, full, endpoint('f')], { now: 500 })).toEqual([
      'unhealthy: GET / answered 500',
      'ejected: 5 errors in a row, for 12 s more',
      'draining',
      'gone: exit code=1',
      'full: 0 requests are under way, as many as this worker may have there',
      undefined,
    ])
  })

  it('that were tried before, or are not for this client, say that first', () => {
    const [tried, other, last] = [endpoint('a'), endpoint('b'), endpoint('c')]
    tried.healthy = false
    const leftOut = (each: object): string | undefined => (each === other ? 'it is v1, the client is on side v2' : undefined)
    expect(skips([tried, other, last], { now: 0, tried: [tried], leftOut })).toEqual([
      'tried before by this request',
      'it is v1, the client is on side v2',
      undefined,
    ])
  })

  it('who was chosen all the same is no skipped one, and says what speaks against it', () => {
    const bad = endpoint('a')
    bad.healthy = false
    expect(describeCandidates([bad], { now: 0, chosen: bad })).toMatchObject([{ skipped: undefined, less: 'unhealthy', weight: 0 }])
  })

  it('that have just failed others are spared what cannot be tried again, while there is another', () => {
    const [doubtful, well] = [endpoint('a'), endpoint('b')]
    doubtful.errorRun = 1
    doubtful.ranAt = 0
    const spared = 'it has just failed others, and this request cannot be tried again'
    expect(skips([doubtful, well], { now: 10, onlyOnce: true, chosen: well })).toEqual([spared, undefined])
    expect(skips([doubtful, well], { now: 10, onlyOnce: true, chosen: doubtful })).toEqual([undefined, undefined])
    expect(skips([doubtful, well], { now: 10, chosen: well })).toEqual([undefined, undefined])
  })

  it('of a large service are the first', () => {
    expect(
      describeCandidates(
        Array.from({ length: 100 }, (_, i) => endpoint(String(i))),
        { now: 0 },
      ),
    ).toHaveLength(candidatesMax)
  })
})
