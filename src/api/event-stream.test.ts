import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { seconds } from '../kernel/time.ts'
import { VirtualClock } from '../kernel/testing/virtual-clock.ts'
import { buildApi } from './app.ts'
import { apiBase, apiLimits } from './deps.ts'
import { EventStream, EventStreams } from './event-stream.ts'
import { followEvents, seqOf } from './follow-events.ts'
import { followLogs } from './follow-logs.ts'
import { FakeOperations, startOfTime } from './testing/fake-operations.ts'
import { ask, harness, type Harness } from './testing/harness.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A reader that takes everything as it comes. */
function read(stream: EventStream): { text: string; ended: boolean } {
  const got = { text: '', ended: false }
  stream.body.setEncoding('utf8')
  stream.body.on('data', (chunk: string) => (got.text += chunk))
  stream.body.on('end', () => (got.ended = true))
  return got
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn()
}

const messagesIn = (text: string): string[] =>
  [...text.matchAll(/^data: (.*)$/gm)].map(([, json]) => (JSON.parse(json ?? '') as { message?: string }).message ?? '')
const idsIn = (text: string): number[] => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))

function happen(operations: FakeOperations, message: string, service = 'shop'): string {
  return operations.emit('service.healthChanged', { service, message, data: { from: 'a', to: 'b' } })
}

describe('an event stream', () => {
  it('writes what the standard wants', async () => {
    const stream = new EventStream()
    const got = read(stream)
    stream.send({ id: '7', event: 'gap', data: { text: 'a\nb' } })
    stream.comment('still here')
    stream.end()
    await turn()
    expect(got.text).toBe('retry: 2000\n\nid: 7\nevent: gap\ndata: {"text":"a\\nb"}\n\n: still here\n\n')
    expect(got.ended).toBe(true)
  })

  it('cuts off a reader that does not read, and holds no more than its limit for it', () => {
    const stream = new EventStream(10_000)
    let sent = 0
    while (!stream.closed && sent < 1_000) {
      stream.send({ data: 'x'.repeat(100) })
      sent++
    }
    expect(stream.closed).toBe(true)
    expect(sent).toBeLessThan(100)
    expect(stream.body.destroyed).toBe(true)
    stream.send({ data: 'more' })
  })

  it('never ends by what is sent after its end', async () => {
    const stream = new EventStream()
    const got = read(stream)
    stream.end()
    stream.end()
    stream.send({ data: 'late' })
    await turn()
    expect(got).toEqual({ text: 'retry: 2000\n\n', ended: true })
  })
})

describe('all streams together', () => {
  it('beat every 15 s, and end when the credential does', async () => {
    const clock = new VirtualClock()
    const streams = new EventStreams(clock)
    let allowed = true
    const got = read(streams.open(() => allowed))
    await clock.advance(seconds(31))
    expect(got.text.match(/: still here/g)).toHaveLength(2)
    allowed = false
    await clock.advance(seconds(15))
    expect(got.text).toContain('event: error\ndata: {"code":"unauthorized"')
    expect(got.ended).toBe(true)
    await turn()
    expect([streams.size, clock.pending]).toEqual([0, 0])
  })

  it('are at most a hundred, and make room when one goes', async () => {
    const clock = new VirtualClock()
    const streams = new EventStreams(clock)
    const open = Array.from({ length: apiLimits.streamsMax }, () => streams.open(() => true))
    expect(() => streams.open(() => true)).toThrow('could not open a stream: 100 are open')
    open[0]?.body.destroy()
    await turn()
    streams.open(() => true).body.resume()
    for (const one of open) one.body.resume()
    streams.endAll()
    await turn()
    await turn()
    expect([streams.size, clock.pending]).toEqual([0, 0])
    expect(() => streams.open(() => true)).toThrow('the API is stopping')
  })
})

describe('following events', () => {
  let operations: FakeOperations
  beforeEach(() => {
    operations = new FakeOperations()
  })

  it('from now on, without what was before', async () => {
    happen(operations, 'before')
    const stream = new EventStream()
    const got = read(stream)
    await followEvents(stream, operations, {}, undefined)
    happen(operations, 'after')
    await turn()
    expect(messagesIn(got.text)).toEqual(['after'])
  })

  it('from where the reader was, each once and in order, however much there is and whatever happens meanwhile', async () => {
    for (let i = 1; i <= 1_700; i++) happen(operations, `m${i}`)
    const stream = new EventStream()
    const got = read(stream)
    const following = followEvents(stream, operations, {}, 200)
    for (let i = 1_701; i <= 1_750; i++) {
      happen(operations, `m${i}`)
      if (i % 10 === 0) await turn()
    }
    await following
    happen(operations, 'm1751')
    await turn()
    expect(idsIn(got.text)).toEqual(Array.from({ length: 1_551 }, (_, i) => i + 201))
    expect(messagesIn(got.text).at(-1)).toBe('m1751')
  })

  it('a long history is not mistaken for a slow reader', async () => {
    for (let i = 0; i < 3_000; i++) happen(operations, 'x'.repeat(1_000))
    const stream = new EventStream()
    const following = followEvents(stream, operations, {}, 0)
    await turn()
    expect(stream.body.readableLength).toBeLessThan(apiLimits.streamBufferBytesMax / 4)
    const got = read(stream)
    await following
    await turn()
    expect(stream.closed).toBe(false)
    expect(idsIn(got.text)).toHaveLength(3_000)
  })

  it('filters the history and what follows alike', async () => {
    happen(operations, 'old shop')
    happen(operations, 'old chat', 'chat')
    const stream = new EventStream()
    const got = read(stream)
    await followEvents(stream, operations, { service: 'shop', type: 'service', level: 'info' }, 0)
    happen(operations, 'new chat', 'chat')
    happen(operations, 'new shop')
    operations.emit('config.applied', { message: 'config', data: { file: undefined, changes: [] } })
    operations.emit('service.healthChanged', { service: 'shop', message: 'fine print', level: 'debug', data: { from: 'a', to: 'b' } })
    await turn()
    expect(messagesIn(got.text)).toEqual(['old shop', 'new shop'])
  })

  it('says so when the log no longer reaches back', async () => {
    for (let i = 0; i < 10; i++) happen(operations, `m${i}`)
    operations.stored.splice(0, 6)
    const stream = new EventStream()
    const got = read(stream)
    await followEvents(stream, operations, {}, 2)
    await turn()
    expect(got.text).toContain('event: gap\ndata: {"after":2,"next":7}')
    expect(idsIn(got.text)).toEqual([7, 8, 9, 10])
  })

  it('stops listening when the reader goes', async () => {
    const stream = new EventStream()
    read(stream)
    await followEvents(stream, operations, {}, undefined)
    expect(operations.listening).toBe(1)
    stream.body.destroy()
    await turn()
    expect(operations.listening).toBe(0)
  })

  it('a reader that goes in the middle of the history is let go', async () => {
    for (let i = 0; i < 3_000; i++) happen(operations, 'x'.repeat(1_000))
    const stream = new EventStream()
    const following = followEvents(stream, operations, {}, 0)
    await turn()
    stream.body.destroy()
    await following
    expect(operations.listening).toBe(0)
  })

  it('understands a seq, the id of an event, and nothing else', () => {
    const at = (seq: number, id: string): void => {
      happen(operations, id)
      const last = operations.stored.pop()
      if (last) operations.stored.push({ ...last, id, event: { ...last.event, id } })
      expect(last?.seq).toBe(seq)
    }
    const timePart = Array.from({ length: 10 }, (_, i) =>
      '0123456789ABCDEFGHJKMNPQRSTVWXYZ'.charAt(Math.floor(startOfTime / 32 ** (9 - i)) % 32),
    ).join('')
    at(1, `${timePart}0000000000000001`)
    at(2, `${timePart}0000000000000002`)
    expect(seqOf('41', operations)).toBe(41)
    expect(seqOf(`${timePart}0000000000000002`, operations)).toBe(2)
    expect(seqOf(`${timePart}000000000000000Z`, operations)).toBe(0)
    for (const other of [undefined, '', '-1', '1.5', 'x'.repeat(26), "'; DROP TABLE events", '9'.repeat(40)])
      expect(seqOf(other, operations)).toBeUndefined()
  })
})

describe('following logs', () => {
  const line = (text: string, time = startOfTime) => ({ time, service: 'shop', instance: 'shop-000001', stream: 'stdout', text }) as const
  const textsIn = (text: string): string[] =>
    [...text.matchAll(/^data: (.*)$/gm)].map(([, json]) => (JSON.parse(json ?? '') as { text: string }).text)

  it('sends the last lines, then each new one, none twice and none lost in between', async () => {
    const operations = new FakeOperations()
    operations.logLines = [line('a'), line('b'), line('b')]
    const stream = new EventStream()
    const got = read(stream)
    const following = followLogs(stream, operations, 'shop', {})
    // These three come while the last lines are being read: two of them are among those, one is new.
    for (const text of ['b', 'b', 'c']) operations.print(line(text))
    await following
    operations.print(line('d'))
    operations.print(line('d'))
    await turn()
    expect(textsIn(got.text)).toEqual(['a', 'b', 'b', 'c', 'd', 'd'])
    stream.body.destroy()
    await turn()
    expect(operations.listening).toBe(0)
  })

  it('sends what is found together, file by file, in the order of time', async () => {
    const operations = new FakeOperations()
    const stream = new EventStream()
    const got = read(stream)
    await followLogs(stream, operations, 'shop', {})
    for (const [text, time] of [
      ['a2', 2],
      ['a3', 2],
      ['b1', 1],
      ['b4', 4],
      ['c3', 3],
    ] as const)
      operations.print(line(text, startOfTime + time))
    await turn()
    operations.print(line('later', startOfTime))
    await turn()
    expect(textsIn(got.text)).toEqual(['b1', 'a2', 'a3', 'c3', 'b4', 'later'])
    stream.body.destroy()
    await turn()
  })
})

describe('streams over the API', () => {
  let h: Harness
  let app: FastifyInstance
  beforeEach(async () => {
    h = await harness()
    app = buildApi(h.deps)
    await app.ready()
  })
  afterEach(() => app.close())

  const stream = (url: string, headers: Record<string, string> = {}) =>
    app.inject({ url: apiBase + url, headers: { authorization: `Bearer ${h.tokens.viewer}`, ...headers } })

  it('resume after Last-Event-ID, and end when the API closes', async () => {
    for (let i = 1; i <= 5; i++) happen(h.operations, `m${i}`)
    const from = h.operations.stored[1]?.seq ?? 0
    const answer = stream(`/events/stream?after=0`, { 'last-event-id': String(from) })
    await until(() => h.operations.listening === 1)
    happen(h.operations, 'm6')
    await turn()
    await app.close()
    const { statusCode, headers, payload } = await answer
    expect([statusCode, headers]).toMatchObject([
      200,
      { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
    ])
    expect(messagesIn(payload)).toEqual(['m3', 'm4', 'm5', 'm6'])
  })

  it('end when the token that opened them does', async () => {
    const by = { name: 'root', role: 'admin', credential: 'local', expiresAt: undefined } as const
    const { token } = await h.access.mintToken({ subject: 'short', role: 'viewer', ttl: seconds(10), by })
    const answer = app.inject({ url: `${apiBase}/events/stream`, headers: { authorization: `Bearer ${token}` } })
    await until(() => h.operations.listening === 1)
    await h.clock.advance(seconds(75))
    expect((await answer).payload).toContain('"code":"unauthorized"')
  })

  it('end when the key that opened them is revoked', async () => {
    const by = { name: 'root', role: 'admin', credential: 'local', expiresAt: undefined } as const
    const { key, keyId } = await h.access.createApiKey({ name: 'ci', role: 'viewer', by })
    const answer = app.inject({ url: `${apiBase}/services/shop/logs?follow=true`, headers: { 'x-api-key': key } })
    await until(() => h.operations.listening === 1)
    await h.access.revokeApiKey(keyId, by)
    await h.clock.advance(seconds(15))
    expect((await answer).payload).toContain('"code":"unauthorized"')
  })

  it('a request that is still on its way when the API closes is told so instead of hanging', async () => {
    const answer = stream('/events/stream')
    await turn()
    await app.close()
    expect((await answer).statusCode).toBeOneOf([200, 503])
  })

  it('a log that cannot be followed any further says so on the stream', async () => {
    h.operations.failure = new Error('the file is gone: hunter2')
    const { payload } = await stream('/services/shop/logs?follow=true')
    expect(payload).toContain('event: error\ndata: {"code":"internal"')
    expect(payload).not.toContain('hunter2')
    expect(h.logged.join('')).toContain('hunter2')
  })

  it('have no HEAD, which would never end', async () => {
    expect((await ask(app, { method: 'HEAD', url: `${apiBase}/events/stream`, token: h.tokens.viewer })).status).toBe(404)
    expect((await ask(app, { method: 'HEAD', url: `${apiBase}/services`, token: h.tokens.viewer })).status).toBe(200)
  })

  it('are no longer counted when they have ended', async () => {
    const open = Array.from({ length: apiLimits.streamsMax }, () => stream('/events/stream'))
    await until(() => h.operations.listening === apiLimits.streamsMax)
    const refused = await ask(app, { url: `${apiBase}/events/stream`, token: h.tokens.viewer })
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '5' }, body: { error: { code: 'too_many_streams' } } })
    await app.close()
    await Promise.all(open)
    expect([h.operations.listening, h.clock.pending]).toEqual([0, 0])
  })
})
