/** What every event log promises (`src/store/port.ts`), as one suite. */
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { eventLevels, type EventLog, type EventQuery, type StoredEvent } from '../../src/store/index.ts'
import { selectEvents } from '../../src/store/core/select-events.ts'

/** Makes an empty log; `end` is called when the test is over. */
export type EventLogFactory = (options: { eventsMax?: number }) => Promise<{ readonly log: EventLog; readonly end: () => Promise<void> }>

function eventOf(seq: number, more: Partial<StoredEvent> = {}): StoredEvent {
  const event = { id: `e${seq}`, seq, time: 1_000 + seq, type: 'instance.exited', level: 'info', service: 'web', instance: undefined, ...more }
  return { ...event, event: { ...event, data: { text: '\u0000😀' } } }
}

export function describeEventLog(name: string, factory: EventLogFactory): void {
  describe(name, () => {
    const ends: (() => Promise<void>)[] = []
    const make = async (options: { eventsMax?: number } = {}): Promise<EventLog> => {
      const { log, end } = await factory(options)
      ends.push(end)
      return log
    }
    afterEach(async () => {
      for (const end of ends.splice(0)) await end()
    })
    const seqs = (events: readonly StoredEvent[]): number[] => events.map(({ seq }) => seq)

    it('is empty at first', async () => {
      const log = await make()
      expect(log.query({})).toEqual([])
      expect(log.lastSeq()).toBe(0)
    })

    it('gives at once what was appended, whole, the newest first', async () => {
      const log = await make()
      const events = [eventOf(1), eventOf(2, { service: undefined, instance: 'web-1' }), eventOf(7)]
      events.forEach((event) => log.append(event))
      expect(log.query({})).toEqual(JSON.parse(JSON.stringify(events.toReversed())))
      expect(log.lastSeq()).toBe(7)
    })

    it('gives pages in both directions', async () => {
      const log = await make()
      for (let seq = 1; seq <= 10; seq++) log.append(eventOf(seq))
      expect(seqs(log.query({ limit: 3 }))).toEqual([10, 9, 8])
      expect(seqs(log.query({ limit: 3, after: 8 }))).toEqual([7, 6, 5])
      expect(seqs(log.query({ limit: 3, order: 'ascending' }))).toEqual([1, 2, 3])
      expect(seqs(log.query({ limit: 3, order: 'ascending', after: 3 }))).toEqual([4, 5, 6])
    })

    it('gives 100 when not asked for a number, and never more than 1,000', async () => {
      const log = await make()
      for (let seq = 1; seq <= 1_100; seq++) log.append(eventOf(seq))
      expect(log.query({})).toHaveLength(100)
      expect(log.query({ limit: 5_000 })).toHaveLength(1_000)
      expect(log.query({ limit: 0 })).toHaveLength(0)
      expect(log.query({ limit: -1 })).toHaveLength(0)
    })

    it('finds by service, type, noun, level and time', async () => {
      const log = await make()
      log.append(eventOf(1, { type: 'instance.exited', level: 'error' }))
      log.append(eventOf(2, { type: 'instance.started', service: 'api' }))
      log.append(eventOf(3, { type: 'instances.counted', level: 'debug' }))
      log.append(eventOf(4, { type: 'config.applied', service: undefined, level: 'critical' }))
      expect(seqs(log.query({ service: 'api' }))).toEqual([2])
      expect(seqs(log.query({ type: 'instance.exited' }))).toEqual([1])
      expect(seqs(log.query({ type: 'instance' }))).toEqual([2, 1])
      expect(seqs(log.query({ level: 'warning' }))).toEqual([4, 1])
      expect(seqs(log.query({ since: 1_003 }))).toEqual([4, 3])
    })

    it('keeps the newest when there are too many', async () => {
      const log = await make({ eventsMax: 50 })
      for (let seq = 1; seq <= 175; seq++) {
        log.append(eventOf(seq))
        expect(log.query({ limit: 1_000 }).length).toBe(Math.min(seq, 50))
      }
      expect(log.query({ order: 'ascending', limit: 1 })[0]?.seq).toBe(126)
      expect(log.lastSeq()).toBe(175)
    })

    it('takes an event that comes late', async () => {
      const log = await make()
      for (const seq of [1, 4, 2]) log.append(eventOf(seq))
      expect(seqs(log.query({}))).toEqual([4, 2, 1])
      expect(log.lastSeq()).toBe(4)
    })

    it('answers any query as the plain selection does', async () => {
      const event = fc.record({
        type: fc.constantFrom('a.x', 'a.y', 'ab.x', 'b.x'),
        level: fc.constantFrom(...eventLevels),
        service: fc.constantFrom(undefined, 'web', 'api'),
        time: fc.nat(20),
      })
      const query: fc.Arbitrary<EventQuery> = fc.record(
        {
          type: fc.constantFrom('a', 'a.x', 'ab', 'c'),
          level: fc.constantFrom(...eventLevels),
          service: fc.constantFrom('web', 'api'),
          since: fc.nat(20),
          after: fc.nat(30),
          order: fc.constantFrom('ascending' as const, 'descending' as const),
          limit: fc.nat(30),
        },
        { requiredKeys: [] },
      )
      await fc.assert(
        fc.asyncProperty(fc.array(event, { maxLength: 30 }), fc.array(query, { minLength: 1, maxLength: 10 }), async (given, queries) => {
          const { log, end } = await factory({})
          const events = given.map((one, i) => eventOf(i + 1, one))
          events.forEach((one) => log.append(one))
          for (const one of queries) expect(seqs(log.query(one))).toEqual(seqs(selectEvents(events, one)))
          await end()
        }),
        { numRuns: 30 },
      )
    })
  })
}
