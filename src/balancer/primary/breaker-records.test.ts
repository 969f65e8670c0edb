import { expect, it } from 'vitest'
import type { BreakerMessage } from '../messages.ts'
import { BreakerRecords } from './breaker-records.ts'

const change = (to: BreakerMessage['to'], more: Partial<BreakerMessage> = {}): Omit<BreakerMessage, 'type'> => ({
  endpoint: 'e',
  service: 'api',
  from: 'closed',
  to,
  reason: 'failures',
  calls: 20,
  failed: 15,
  slow: 0,
  openings: 1,
  ...more,
})

it('knows until when a breaker is open, and how often in a row it was', () => {
  const records = new BreakerRecords()
  records.changed(change('open', { openForMs: 5_000, openings: 3 }), 'open', 1_000)
  records.changed(change('open', { openForMs: 6_000, openings: 1, reason: 'told' }), 'open', 1_001)
  expect(records.all).toEqual([{ endpoint: 'e', state: 'open', openings: 3, openUntil: 6_000, at: 1_000 }])
  expect(new BreakerRecords(records.all).all).toEqual(records.all)
  // One of two tries it again: it is open as a whole still.
  records.changed(change('halfOpen', { openings: 3 }), 'open', 6_500)
  expect(records.all[0]?.state).toBe('open')
  records.changed(change('halfOpen', { openings: 3 }), 'halfOpen', 6_600)
  records.changed(change('closed', { openings: 3 }), 'closed', 9_000)
  expect(records.all).toEqual([{ endpoint: 'e', state: 'closed', openings: 3, openUntil: 0, at: 9_000 }])
  records.retain(new Set(['e']), 9_000 + 599_999)
  expect(records.all).toHaveLength(1)
  records.retain(new Set(['e']), 9_000 + 600_000)
  expect(records.all).toEqual([])
})

it('forgets what an operator has reset, and endpoints that are no more', () => {
  const records = new BreakerRecords()
  records.changed(change('open', { openForMs: 5_000 }), 'open', 0)
  records.changed(change('closed', { openings: 0, reason: 'reset' }), 'closed', 1)
  expect(records.all).toEqual([])
  records.changed(change('open', { openForMs: 5_000 }), 'open', 0)
  records.closed('e', 10)
  expect(records.all[0]).toMatchObject({ state: 'closed', at: 10 })
  records.retain(new Set(), 11)
  expect(records.all).toEqual([])
})
