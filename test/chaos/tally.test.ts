import { describe, expect, it } from 'vitest'
import type { Exchange, Method, Outcome } from './load.ts'
import { brokenPromises } from './promises.ts'
import { postsInFlightAt, tally } from './tally.ts'

const exchange = (method: Method, id: string, outcome: Outcome, startedAt = 0, endedAt = startedAt + 10): Exchange => ({
  method,
  id,
  startedAt,
  endedAt,
  outcome,
})
const ok: Outcome = { type: 'ok' }
const reset: Outcome = { type: 'connection', code: 'ECONNRESET' }
const explained: Outcome = { type: 'status', status: 502, reason: 'holdfast; error=connection_terminated' }
const unexplained: Outcome = { type: 'status', status: 502, reason: undefined }
const disturbed = { actions: 1, postsInFlight: 2, workerConnections: 2 }

describe('tally', () => {
  it('sets what clients were told against what the origin executed', () => {
    const counted = tally(
      [
        exchange('POST', 'fine', ok),
        exchange('POST', 'twice', ok),
        exchange('POST', 'ran-but-failed', explained),
        exchange('POST', 'never-ran', reset),
        exchange('POST', 'lied', ok),
        exchange('GET', 'g', unexplained),
      ],
      ['fine', 'twice', 'twice', 'ran-but-failed'],
    )
    expect(counted).toMatchObject({
      requests: 6,
      failedGet: 1,
      failedPost: 2,
      failedPostExplained: 1,
      cut: 1,
      executedTwice: 1,
      executedButFailed: 1,
      acknowledgedNotExecuted: 1,
      failures: { 'POST 502': 1, 'POST ECONNRESET': 1, 'GET 502': 1 },
    })
  })

  it('finds the longest time without a successful answer, in order of the answers', () => {
    const counted = tally([exchange('GET', 'c', ok, 900, 1000), exchange('GET', 'a', ok, 0, 100), exchange('GET', 'b', reset, 100, 500)], [])
    expect(counted.longestGapMs).toBe(900)
  })
})

describe('what a kill may cost', () => {
  it('is every POST that was on its way while something died, each once, and no GET', () => {
    const exchanges = [
      exchange('POST', 'over before', ok, 0, 90),
      exchange('POST', 'caught', reset, 90, 110),
      exchange('POST', 'sent while it died', reset, 115, 130),
      exchange('POST', 'sent after', ok, 150, 160),
      exchange('POST', 'through both kills', ok, 50, 500),
      exchange('GET', 'g', reset, 90, 110),
    ]
    expect(postsInFlightAt([100], exchanges)).toBe(3)
    expect(postsInFlightAt([100, 105], exchanges)).toBe(3)
    expect(postsInFlightAt([], exchanges)).toBe(0)
  })
})

describe('promises', () => {
  const run = (...exchanges: Exchange[]): ReturnType<typeof tally> =>
    tally(
      exchanges,
      exchanges.filter(({ outcome }) => outcome.type === 'ok').map(({ id }) => id),
    )

  it('are kept by a run without a loss', () => {
    for (const losses of ['none', 'explained', 'cut'] as const) {
      expect(brokenPromises({ losses }, run(exchange('GET', 'g', ok), exchange('POST', 'p', ok)), disturbed)).toEqual([])
    }
  })

  it('are not proved by a run in which nothing happened', () => {
    expect(brokenPromises({ losses: 'none' }, run(), { ...disturbed, actions: 0 })).toHaveLength(2)
  })

  it('allow a failed POST at a kill only with its reason, and only as many as were in flight', () => {
    const failed = (id: string, outcome: Outcome): Exchange => exchange('POST', id, outcome)
    expect(brokenPromises({ losses: 'explained' }, run(failed('1', explained), failed('2', explained)), disturbed)).toEqual([])
    expect(brokenPromises({ losses: 'explained' }, run(failed('1', unexplained)), disturbed)).toEqual([
      '1 POSTs failed without a 502 that names the reason',
    ])
    expect(brokenPromises({ losses: 'explained' }, run(...['1', '2', '3'].map((id) => failed(id, explained))), disturbed)).toEqual([
      '3 POSTs failed, with 2 in flight at the kills',
    ])
    expect(brokenPromises({ losses: 'none' }, run(failed('1', explained)), disturbed)).toEqual(['1 POSTs failed'])
  })

  it('never allow a failed GET, but for the connections of a killed worker', () => {
    const cut = ['1', '2', '3'].map((id) => exchange('GET', id, reset))
    expect(brokenPromises({ losses: 'explained' }, run(...cut), disturbed)).toEqual(['3 GETs failed'])
    expect(brokenPromises({ losses: 'cut' }, run(...cut.slice(1)), disturbed)).toEqual([])
    expect(brokenPromises({ losses: 'cut' }, run(...cut), disturbed)).toEqual(['3 requests were cut, on 2 connections of killed workers'])
    expect(brokenPromises({ losses: 'cut' }, run(exchange('GET', 'g', unexplained)), disturbed)).toEqual(['1 requests were answered with an error'])
  })

  it('never allow a POST to run twice or an acknowledged one not to have run', () => {
    const counted = tally([exchange('POST', 'twice', ok), exchange('POST', 'lied', ok)], ['twice', 'twice'])
    expect(brokenPromises({ losses: 'explained' }, counted, disturbed)).toEqual([
      '1 POSTs were executed twice',
      '1 POSTs were acknowledged and never executed',
    ])
  })
})
