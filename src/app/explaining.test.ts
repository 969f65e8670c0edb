import { describe, expect, it } from 'vitest'
import type { AnyEvent } from '../kernel/events.ts'
import { eventsAbout, explanationOf } from './explaining.ts'

const event = (seq: number, cause?: number): AnyEvent =>
  ({ id: `e${seq}`, seq, cause: cause === undefined ? undefined : `e${cause}` }) as unknown as AnyEvent

describe('an event is explained', () => {
  const events = [event(9, 7), event(8), event(7, 3), event(5, 3), event(3, 1), event(1)]

  it('by what led to it, and what came of it', () => {
    expect(eventsAbout('e3', events).map(({ id }) => id)).toEqual(['e1', 'e3', 'e5', 'e7'])
    expect(eventsAbout('e9', events).map(({ id }) => id)).toEqual(['e1', 'e3', 'e7', 'e9'])
  })

  it('when a cause has left the log, as far as it goes', () => {
    expect(eventsAbout('e7', [event(7, 3)]).map(({ id }) => id)).toEqual(['e7'])
  })

  it('or refused when nobody knows it', () => {
    expect(() => explanationOf('nobody', [], events)).toThrow(expect.objectContaining({ code: 'unknown_id' }))
  })
})
