import { describe, expect, it } from 'vitest'
import { HoldfastError } from '../kernel/errors.ts'
import type { AnyEvent } from '../kernel/events.ts'
import { VirtualClock } from '../kernel/testing/virtual-clock.ts'
import { seconds } from '../kernel/time.ts'
import { MemoryEventLog, type EventLog, type StoredEvent } from '../store/index.ts'
import { EventBus, nestedEventsMax, recentEventsMax, unloggedEventsMax } from './event-bus.ts'

/** A log that can be made to fail. */
class FragileLog implements EventLog {
  readonly inner = new MemoryEventLog()
  failure: Error | undefined
  closed = false

  append(event: StoredEvent): void {
    if (this.failure) throw this.failure
    this.inner.append(event)
  }

  query(...query: Parameters<EventLog['query']>): readonly StoredEvent[] {
    return this.inner.query(...query)
  }

  lastSeq(): number {
    if (this.closed) throw new HoldfastError('store_unavailable', 'the event log is closed')
    return this.inner.lastSeq()
  }
}

function makeBus(log: EventLog = new MemoryEventLog()) {
  const clock = new VirtualClock()
  const listenerErrors: string[] = []
  const logErrors: string[] = []
  let made = 0
  const bus = new EventBus({
    log,
    clock,
    region: 'here',
    newId: () => `id${++made}`,
    onListenerError: (error, event) => listenerErrors.push(`${event.seq}: ${String(error)}`),
    onLogError: (error) => logErrors.push(String(error)),
  })
  const stop = (reason = 'test') => bus.emit('holdfast.stopped', { message: `stopped: ${reason}`, data: { reason } })
  return { bus, clock, listenerErrors, logErrors, stop }
}

const full = new HoldfastError('disk_full', 'no room')
const seqs = (events: readonly AnyEvent[]): number[] => events.map(({ seq }) => seq)
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('an event', () => {
  it('gets id, number, time, region and level', async () => {
    const { bus, clock } = makeBus()
    await clock.advance(seconds(3))
    const seen: AnyEvent[] = []
    bus.on('*', (event) => seen.push(event))
    expect(
      bus.emit('instance.unhealthy', { message: 'web-1 fails', data: { reason: 'probe' }, service: 'web', instance: 'web-1', cause: 'id0' }),
    ).toBe('id1')
    expect(seen).toEqual([
      {
        id: 'id1',
        seq: 1,
        time: clock.wallTime(),
        type: 'instance.unhealthy',
        level: 'info',
        message: 'web-1 fails',
        region: 'here',
        service: 'web',
        instance: 'web-1',
        cause: 'id0',
        data: { reason: 'probe' },
      },
    ])
    expect(bus.query({})).toEqual(seen)
  })

  it('continues the numbers of the log', () => {
    const log = new MemoryEventLog()
    makeBus(log).stop()
    const { bus, stop } = makeBus(log)
    stop()
    expect(seqs(bus.query({}))).toEqual([2, 1])
  })

  it('is frozen, and a copy of what the announcer gave', () => {
    const { bus } = makeBus()
    const changes = ['a']
    let seen: AnyEvent | undefined
    bus.on('config.applied', (event) => (seen = event))
    bus.emit('config.applied', { message: 'applied', data: { file: undefined, changes } })
    changes.push('b')
    expect(seen?.data).toEqual({ changes: ['a'] })
    expect(() => (seen as unknown as { data: { changes: string[] } }).data.changes.push('c')).toThrow(TypeError)
    expect(() => ((seen as unknown as { seq: number }).seq = 9)).toThrow(TypeError)
  })

  it('whose data is not JSON is still announced', () => {
    const { bus } = makeBus()
    const circle: string[] = []
    circle.push(circle as unknown as string)
    bus.emit('config.applied', { message: 'applied', data: { file: undefined, changes: circle } })
    expect(bus.query({})[0]).toMatchObject({ message: 'applied', data: { unreadable: expect.stringContaining('circular') as string } })
  })
})

describe('a listener', () => {
  it('hears its type, or every one, until disposed', () => {
    const { bus, stop } = makeBus()
    const heard: string[] = []
    const one = bus.on('holdfast.stopped', (event) => heard.push(`one ${event.data.reason}`))
    const all = bus.on('*', (event) => heard.push(`all ${event.type}`))
    stop('x')
    bus.emit('config.refused', { message: 'no', data: { file: undefined, problems: [] } })
    one[Symbol.dispose]()
    stop('y')
    all[Symbol.dispose]()
    stop('z')
    expect(heard).toEqual(['one x', 'all holdfast.stopped', 'all config.refused', 'all holdfast.stopped'])
  })

  it('that throws or rejects breaks nobody', async () => {
    const { bus, stop, listenerErrors } = makeBus()
    const heard: number[] = []
    bus.on('*', () => {
      throw new Error('thrown')
    })
    // A listener may turn out to be asynchronous; its type does not forbid it.
    const rejecting: (event: AnyEvent) => unknown = () => Promise.reject(new Error('rejected'))
    bus.on('*', rejecting)
    bus.on('*', ({ seq }) => heard.push(seq))
    stop()
    await settled()
    expect(heard).toEqual([1])
    expect(listenerErrors).toEqual(['1: Error: thrown', '1: Error: rejected'])
  })

  it('hears everything in order, also what other listeners announce', () => {
    const { bus, stop } = makeBus()
    const heard: string[] = []
    bus.on('holdfast.stopped', ({ data }) => {
      if (data.reason !== 'first') return
      stop('second')
      heard.push('announced')
    })
    bus.on('*', ({ seq }) => heard.push(`last ${seq}`))
    stop('first')
    expect(heard).toEqual(['announced', 'last 1', 'last 2'])
  })

  it('that was disposed by another one hears no more', () => {
    const { bus, stop } = makeBus()
    const heard: string[] = []
    bus.on('*', () => second[Symbol.dispose]())
    const second = bus.on('*', () => heard.push('second'))
    stop()
    expect(heard).toEqual([])
  })

  it('registered twice counts twice', () => {
    const { bus, stop } = makeBus()
    let heard = 0
    const listener = (): void => {
      heard++
    }
    const first = bus.on('*', listener)
    bus.on('*', listener)
    stop()
    first[Symbol.dispose]()
    stop()
    expect(heard).toBe(3)
  })

  it('that answers every event with another is stopped', () => {
    const { bus, stop, listenerErrors } = makeBus()
    let heard = 0
    const circle = bus.on('*', () => {
      heard++
      stop()
    })
    stop()
    expect(heard).toBe(nestedEventsMax + 1)
    expect(listenerErrors).toHaveLength(1)
    circle[Symbol.dispose]()
    stop()
    expect(listenerErrors).toHaveLength(1)
  })
})

describe('replay', () => {
  it('gives what came after a number, from memory or from the log', () => {
    const { bus, stop } = makeBus()
    expect(bus.since(0)).toEqual([])
    for (let n = 0; n < recentEventsMax + 10; n++) stop()
    expect(seqs(bus.since(recentEventsMax + 8))).toEqual([recentEventsMax + 9, recentEventsMax + 10])
    expect(seqs(bus.since(5, 3))).toEqual([6, 7, 8])
    expect(bus.since(10)).toHaveLength(recentEventsMax)
    expect(bus.since(recentEventsMax + 10)).toEqual([])
  })

  it('reaches back before a restart', () => {
    const log = new MemoryEventLog()
    const before = makeBus(log)
    for (let n = 0; n < 5; n++) before.stop()
    const { bus, stop } = makeBus(log)
    expect(seqs(bus.since(3))).toEqual([4, 5])
    stop()
    expect(seqs(bus.since(3))).toEqual([4, 5, 6])
    expect(seqs(bus.since(5))).toEqual([6])
  })
})

describe('when the log cannot be written', () => {
  it('listeners hear all the same, it is told once, and the events are written when it can', () => {
    const log = new FragileLog()
    const { bus, stop, logErrors } = makeBus(log)
    const heard: number[] = []
    bus.on('*', ({ seq }) => heard.push(seq))
    stop()
    log.failure = full
    for (let n = 0; n < 3; n++) stop()
    expect(heard).toEqual([1, 2, 3, 4])
    expect(logErrors).toHaveLength(1)
    expect(bus.unlogged).toBe(3)
    expect(seqs(bus.query({}))).toEqual([4, 3, 2, 1])
    expect(seqs(bus.query({ limit: 2, order: 'ascending' }))).toEqual([1, 2])
    log.failure = undefined
    stop()
    expect(bus.unlogged).toBe(0)
    expect(log.inner.query({ order: 'ascending' }).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5])
    log.failure = full
    stop()
    expect(logErrors).toHaveLength(2)
  })

  it('keeps no more than it promised', () => {
    const log = new FragileLog()
    log.failure = full
    const { bus, stop } = makeBus(log)
    for (let n = 0; n < unloggedEventsMax + 7; n++) stop()
    expect(bus.unlogged).toBe(unloggedEventsMax)
    expect(bus.lost).toBe(7)
  })

  it('an event that it will never take does not hold up the others', () => {
    const log = new FragileLog()
    const { bus, stop, logErrors } = makeBus(log)
    log.failure = new HoldfastError('store_conflict', 'number 1 is taken')
    stop()
    log.failure = undefined
    stop()
    expect(bus.lost).toBe(1)
    expect(bus.unlogged).toBe(0)
    expect(logErrors).toHaveLength(1)
    expect(log.inner.query({}).map(({ seq }) => seq)).toEqual([2])
  })

  it('events wait for a log that is not open yet', () => {
    const log = new FragileLog()
    log.closed = true
    const { bus, stop } = makeBus(log)
    const heard: string[] = []
    bus.on('*', ({ seq, id }) => heard.push(`${seq} ${id}`))
    expect(stop()).toBe('id1')
    expect(heard).toEqual([])
    log.closed = false
    stop()
    expect(heard).toEqual(['1 id1', '2 id2'])
  })
})
