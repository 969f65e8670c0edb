import { expect, it } from 'vitest'
import { renderExplanation } from './explain.ts'

it('a trail is told step by step, with what the others stood at', () => {
  const text = renderExplanation(
    {
      id: 'a',
      events: [],
      requests: [
        {
          id: 'a',
          pid: 1,
          startedAt: 0,
          client: '10.0.0.7',
          method: 'GET',
          target: '/cart\u001b[2J',
          service: 'shop',
          status: 200,
          durationMs: 3.3,
          tries: 2,
          reasons: ['retried'],
          steps: [
            { at: 0, step: 'picked', endpoint: 'shop-1' },
            { at: 0.4, step: 'failed', endpoint: 'shop-1', note: 'notConnected (ECONNREFUSED): tried again' },
            {
              at: 0.5,
              step: 'picked',
              endpoint: 'shop-2',
              candidates: [
                { endpoint: 'shop-1', weight: 1, active: 0, skipped: 'tried before by this request' },
                { endpoint: 'shop-2', weight: 1, active: 2, responseMs: 2.9 },
              ],
            },
            { at: 3.3, step: 'ended', note: '200' },
          ],
        },
      ],
    },
    { paint: (_tone, words) => words },
  )
  expect(text).not.toContain('\u001b')
  expect(text.split('\n')[1]).toBe('200 after 3.3 ms and 2 attempts, service shop, from 10.0.0.7, worker 1')
  expect(text).toContain('      +0.40 ms  failed    shop-1  notConnected (ECONNREFUSED): tried again')
  expect(text).toContain('shop-1: skipped: tried before by this request')
  expect(text).toContain('shop-2: weight 1, 2 in flight, 2.9 ms')
  expect(text.split('\n').at(-1)).toBe('      +3.30 ms  ended     200')
})
