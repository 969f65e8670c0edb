/** Requests that wait for an endpoint: what is kept of them, who leaves, and what they are told when they waited in vain. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { machineNow } from '../../src/kernel/system.ts'
import {
  ask,
  endpoint,
  eventually,
  fieldOf,
  freePort,
  get,
  pause,
  plain,
  readUntil,
  service,
  type RawClient,
  type SeenAnswer,
} from '../support/balancer-harness.ts'
import type { ServiceView } from '../../src/balancer/index.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, origin, connect } = useProxy({ per: 'file' })
const mebi = 1024 * 1024
let port: number

beforeEach(async () => {
  port = await freePort()
})
afterEach(() => proxy.route())

const parking = { timeoutMs: 10_000, requests: 10, bytes: 4 * mebi }
const parked = (more: Partial<ServiceView> = {}): ServiceView => service([port], { managed: true, parking, ...more })

/** A client whose request waits, with what was sent of its body. */
async function waiting(fields: string, body: Buffer | string = ''): Promise<RawClient> {
  const client = await connect()
  client.send(`POST / HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`)
  client.send(body)
  return client
}

const parkedNow = async (): Promise<number> => (await proxy.telemetry()).services.api?.parked ?? 0
const waits = (count: number) => readUntil(proxy, `${count} wait`, ({ services }) => services.api?.parked === count)

/** An endpoint at last. */
const serve = () => origin(({ socket, body }) => socket.write(plain(String(body.length))), port)

describe('the body of a request that waits', () => {
  it.each([
    ['counted', (bytes: number) => [`Content-Length: ${bytes}\r\n`, Buffer.alloc(bytes, 'x')] as const],
    [
      'chunked',
      (bytes: number) => ['Transfer-Encoding: chunked\r\n', Buffer.from(`${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n0\r\n\r\n`)] as const,
    ],
  ])('is taken in, and sent when there is an endpoint (%s)', async (_, made) => {
    await proxy.route(parked())
    const clients = []
    for (const bytes of [10, 100_000, 800_000]) {
      const [fields, body] = made(bytes)
      clients.push(await waiting(fields, body))
    }
    await waits(3)
    await pause(100)
    await serve()
    const answers = await Promise.all(clients.map((client) => client.answer()))
    expect(answers.map(({ text }) => text)).toEqual(['10', '100000', '800000'])
  })

  it('that is longer than 1 MiB stays with its client, and arrives whole', async () => {
    await proxy.route(parked())
    const clients = [await waiting(`Content-Length: ${3 * mebi}\r\n`, Buffer.alloc(3 * mebi, 'x'))]
    const chunk = `${mebi.toString(16)}\r\n${'x'.repeat(mebi)}\r\n`
    clients.push(await waiting('Transfer-Encoding: chunked\r\n', `${chunk.repeat(3)}0\r\n\r\n`))
    await waits(2)
    await serve()
    for (const client of clients) expect((await client.answer()).text).toBe(String(3 * mebi))
  })

  it('is taken in only as far as parking.bytes go, and arrives whole all the same', async () => {
    await proxy.route(parked({ parking: { ...parking, bytes: 400_000 } }))
    const clients: RawClient[] = []
    for (let i = 0; i < 6; i++) clients.push(await waiting('Content-Length: 200000\r\n'))
    await waits(6)
    for (const client of clients) client.send(Buffer.alloc(200_000, 'x'))
    await pause(200)
    // What bodies may take leaves room for others to come.
    clients.push(await waiting('Content-Length: 50000\r\n', Buffer.alloc(50_000)))
    await waits(7)
    await serve()
    const answers = await Promise.all(clients.map((client) => client.answer()))
    expect(answers.map(({ text }) => text)).toEqual([...Array.from({ length: 6 }, () => '200000'), '50000'])
  })

  it('is refused when it is malformed, or does not come', async () => {
    await proxy.route(parked())
    const malformed = await waiting('Transfer-Encoding: chunked\r\n', 'zz\r\n')
    expect((await malformed.answer()).status).toBe(400)
    expect(await parkedNow()).toBe(0)
  })

  it('is awaited from who asked whether it may come, and taken from who does not wait for that', async () => {
    await proxy.route(parked())
    const client = await waiting('Expect: 100-continue\r\nContent-Length: 5\r\n')
    await waits(1)
    client.send('hello')
    await pause(50)
    await serve()
    await eventually('it is answered', () => client.text.includes('200 OK'))
    expect(client.text.slice(-1)).toBe('5')
  })
})

describe('a client that leaves while it waits', () => {
  it.each([
    ['with half of its body sent', 'Content-Length: 900000\r\n', Buffer.alloc(300_000), 'destroy'],
    ['with half of its chunks sent', 'Transfer-Encoding: chunked\r\n', Buffer.from('5\r\nhello\r\n'), 'destroy'],
    ['with a reset', 'Content-Length: 900000\r\n', Buffer.alloc(300_000), 'reset'],
    ['before it was told to go on', 'Expect: 100-continue\r\nContent-Length: 900000\r\n', Buffer.alloc(0), 'destroy'],
    ['with all of its body sent', 'Content-Length: 300000\r\n', Buffer.alloc(300_000), 'destroy'],
  ])('%s leaves its place within 50 ms', async (_, fields, body, how) => {
    await proxy.route(parked())
    const client = await waiting(fields, body)
    await waits(1)
    await pause(50)
    const began = performance.now()
    if (how === 'reset') client.socket.resetAndDestroy()
    else client.destroy()
    await eventually('it has left', async () => (await parkedNow()) === 0)
    // Two readings lie in it, each a round through all processes.
    expect(performance.now() - began).toBeLessThan(50)
  })

  it('with more of its body than is taken in keeps its place until its time is up', async () => {
    await proxy.route(parked({ parking: { ...parking, timeoutMs: 600 } }))
    const client = await waiting(`Content-Length: ${50 * mebi}\r\n`, Buffer.alloc(20 * mebi))
    await waits(1)
    client.destroy()
    await pause(100)
    expect(await parkedNow()).toBe(1)
    await waits(0)
  })
})

const document = 'Accept: text/html,application/xhtml+xml;q=0.9\r\n'
const refresh = (answer: SeenAnswer): string | undefined => /<meta http-equiv="refresh" content="(\d+)">/.exec(answer.text)?.[1]

describe('what waited in vain', () => {
  const none = { parking: { ...parking, timeoutMs: 100 } }

  it('is told when an endpoint is expected', async () => {
    await proxy.route(parked({ ...none, bootMs: 20_000, readyAtMachineMs: machineNow() + 4_400 }))
    const answer = await ask(proxy.port, get())
    expect([answer.status, fieldOf(answer, 'retry-after')]).toEqual([503, '5'])
    expect(fieldOf(answer, 'proxy-status')).toContain('details="parked too long"')
    await proxy.route(parked({ parking: { ...parking, requests: 1, bytes: 10 }, bootMs: 20_000, readyAtMachineMs: machineNow() - 1_000 }))
    const full = await ask(proxy.port, get())
    expect([full.status, fieldOf(full, 'retry-after')]).toEqual([503, '1'])
    expect(fieldOf(full, 'proxy-status')).toContain('error=destination_unavailable; details="parked queue full"')
  })

  it('is not kept longer than an endpoint that is overdue is worth', async () => {
    await proxy.route(parked({ parking: { ...parking, patienceMs: 300 }, readyAtMachineMs: machineNow() + 300 }))
    const began = performance.now()
    expect((await ask(proxy.port, get())).status).toBe(503)
    expect(performance.now() - began).toBeGreaterThan(500)
    expect(performance.now() - began).toBeLessThan(2_000)
    const again = performance.now()
    expect((await ask(proxy.port, get())).status).toBe(503)
    expect(performance.now() - again).toBeLessThan(1_000)
  })

  it('has no more time than its caller gave', async () => {
    await proxy.route(parked())
    const began = performance.now()
    const answer = await ask(proxy.port, get('/', `X-Deadline: ${Date.now() + 300}\r\n`))
    expect([answer.status, fieldOf(answer, 'proxy-status')]).toEqual([504, expect.stringContaining('deadline of the caller')])
    expect(performance.now() - began).toBeLessThan(450)
  })

  it.each([
    ['a browser that opens a page', `${document}Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n`, '7'],
    ['an old browser', document, '7'],
    ['a script', `${document}Sec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\n`, undefined],
    ['a frame', `${document}Sec-Fetch-Dest: iframe\r\nSec-Fetch-Mode: navigate\r\n`, undefined],
    ['a program', 'Accept: application/json\r\n', undefined],
  ])('is, for %s, shown as it should be', async (_, fields, seconds) => {
    await proxy.route(parked({ ...none, bootMs: 6_600 }))
    const answer = await ask(proxy.port, get('/', fields))
    expect([answer.status, fieldOf(answer, 'retry-after'), refresh(answer)]).toEqual([503, '7', seconds])
    expect(fieldOf(answer, 'cache-control')).toBe('no-store')
    expect(fieldOf(answer, 'content-type')).toContain(fields.includes('json') ? 'application/json' : 'text/html')
    expect(answer.text).not.toContain('<script')
  })

  it('gets the page of the operator, where there is one', async () => {
    const pages = { '503': { contentType: 'text/html', body: 'ours' } }
    await proxy.route(parked({ ...none, rules: { pages } }))
    expect((await ask(proxy.port, get('/', document))).text).toBe('ours')
  })

  it('gets its page early when that is wanted, and nobody else does', async () => {
    await proxy.route(parked({ parking: { ...parking, pageAfterMs: 100 }, bootMs: 1_000 }))
    const began = performance.now()
    const program = ask(proxy.port, get())
    const page = await ask(proxy.port, get('/', document))
    expect([page.status, refresh(page)]).toEqual([503, '1'])
    expect(performance.now() - began).toBeLessThan(1_000)
    await serve()
    expect((await program).status).toBe(200)
    await proxy.route(service([endpoint(port)], { parking: { ...parking, pageAfterMs: 0 }, managed: true }))
    expect((await ask(proxy.port, get('/', document))).status).toBe(200)
  })
})
