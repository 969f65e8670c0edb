/** The feed of the live stream, in virtual time. */
import { beforeEach, describe, expect, it } from 'vitest'
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts'
import { ms, seconds } from '../../kernel/time.ts'
import { EventStream } from '../event-stream.ts'
import { FakeOperations } from '../testing/fake-operations.ts'
import { LiveFeed } from './feed.ts'
import type { LiveMessage } from './types.ts'

let operations: FakeOperations
let clock: VirtualClock
let feed: LiveFeed
beforeEach(() => {
  operations = new FakeOperations()
  clock = new VirtualClock()
  feed = new LiveFeed(operations, clock)
})

async function join(): Promise<{ readonly messages: LiveMessage[]; readonly stream: EventStream }> {
  const stream = new EventStream()
  const messages: LiveMessage[] = []
  stream.body.setEncoding('utf8').on('data', (text: string) => {
    for (const [, json = ''] of text.matchAll(/^data: (.*)$/gm)) messages.push(JSON.parse(json) as LiveMessage)
  })
  await feed.join(stream)
  await turn()
  return { messages, stream }
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const happen = (message: string): void =>
  void operations.emit('service.healthChanged', { service: 'shop', message, data: { from: 'healthy', to: 'degraded' } })

describe('the feed', () => {
  it('tells who comes everything, and then a message a second, also when nothing has changed', async () => {
    const { messages } = await join()
    expect(messages).toMatchObject([{ part: 'only', set: { services: { shop: { name: 'shop' } } } }])
    await clock.advance(seconds(3))
    await turn()
    expect(messages).toHaveLength(4)
    expect(messages[1]).toEqual({ at: expect.any(Number) as number })
  })

  it('tells of an event at once, with the state that it led to', async () => {
    const { messages } = await join()
    await clock.advance(ms(300))
    happen('one')
    happen('two')
    await clock.advance(ms(20))
    await turn()
    expect(messages[1]?.events?.map(({ message }) => message)).toEqual(['one', 'two'])
    expect(messages).toHaveLength(2)
  })

  it('is not driven by a storm of events', async () => {
    const { messages } = await join()
    for (let i = 0; i < 1_000; i++) {
      happen(`n${i}`)
      await clock.advance(ms(1))
    }
    await turn()
    expect(messages.length).toBeLessThanOrEqual(12)
    expect(messages.flatMap(({ events = [] }) => events).length).toBeGreaterThan(900)
  })

  it('cuts off who does not take the whole, rather than hold for it what comes meanwhile', async () => {
    const [shop] = operations.serviceList
    operations.serviceList = Array.from({ length: 300 }, (_, n) => ({
      ...shop!,
      name: `s${n}`,
      reason: 'x'.repeat(1_000),
      endpoints: [],
      instances: [],
    }))
    const stream = new EventStream()
    void feed.join(stream)
    await turn()
    await clock.advance(seconds(119))
    expect(stream.closed).toBe(false)
    await clock.advance(seconds(3))
    await turn()
    expect([stream.closed, operations.listening, clock.pending]).toEqual([true, 0, 0])
  })

  it('looks only while somebody watches, and forgets nobody', async () => {
    expect([operations.listening, clock.pending]).toEqual([0, 0])
    const [one, two] = [await join(), await join()]
    expect(operations.listening).toBe(1)
    await clock.advance(seconds(1))
    one.stream.body.destroy()
    await turn()
    expect(operations.listening).toBe(1)
    two.stream.body.destroy()
    await turn()
    expect([operations.listening, clock.pending]).toEqual([0, 0])
    const { messages } = await join()
    expect(messages).toMatchObject([{ part: 'only' }])
  })
})
