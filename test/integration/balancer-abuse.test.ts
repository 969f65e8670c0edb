/** Clients that are slow, greedy, rude or gone: what they may cost, and that nothing is left of them. */
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { mutatedAnswer, mutatedRequests } from '../../src/balancer/testing/mutations.ts'
import { between, Prng } from '../../src/kernel/random.ts'
import { ask, eventually, fieldOf, get, Origin, pause, plain, post, service } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, routed: origin, connect } = useProxy({ per: 'file' })
let worker: number

beforeAll(async () => {
  await proxy.route(service([]))
  worker = (await proxy.telemetry()).workers[0]!.pid
})

/** The worker's memory as the kernel counts it, once what can move has moved. */
async function workerMemory(): Promise<number> {
  await pause(500)
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${worker}/status`, 'latin1'))?.[1]
  return Number(resident) * 1024
}

const mebibyte = 1024 * 1024
const streamed = 64 * mebibyte

describe.runIf(process.platform === 'linux')('memory', () => {
  it('does not grow with what a slow reader leaves unread; the answer arrives whole in the end', async () => {
    await origin(
      Origin.start(({ socket }) => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${streamed}\r\n\r\n`)
        const piece = Buffer.alloc(mebibyte, 1)
        let left = streamed / mebibyte
        const write = (): void => {
          while (left-- > 0) {
            if (!socket.write(piece)) {
              socket.once('drain', write)
              return
            }
          }
        }
        write()
      }),
    )
    const before = await workerMemory()
    const client = await connect()
    client.send(get())
    await eventually('it begins', () => client.rest.length > 1_000)
    client.socket.pause()
    expect((await workerMemory()) - before).toBeLessThan(24 * mebibyte)
    client.socket.resume()
    expect((await client.answer()).body.length).toBe(streamed)
  })

  it('does not grow with a body that the origin does not read', async () => {
    const slow = await origin(
      Origin.raw((socket) => {
        socket.pause()
        let bytes = 0
        socket.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > streamed) socket.write(plain('all of it'))
        })
      }),
    )
    const before = await workerMemory()
    const client = await connect()
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${streamed}\r\n\r\n`)
    client.send(Buffer.alloc(streamed))
    expect((await workerMemory()) - before).toBeLessThan(24 * mebibyte)
    for (const socket of slow.sockets) socket.resume()
    expect((await client.answer()).text).toBe('all of it')
    expect(slow.connections).toBe(1)
  })

  it('does not grow with pipelined requests whose answers nobody reads', async () => {
    const body = 'x'.repeat(32 * 1024)
    const eager = await origin(Origin.start(({ socket }) => socket.write(plain(body))))
    const before = await workerMemory()
    const client = await connect()
    client.socket.pause()
    for (let i = 0; i < 5_000; i++) client.send(get(`/${i}`))
    expect((await workerMemory()) - before).toBeLessThan(24 * mebibyte)
    // What the two kernels hold is answered; the rest waits.
    expect(eager.requests.length).toBeLessThan(1_000)
    client.socket.resume()
    for (let i = 0; i < 50; i++) expect((await client.answer()).text.length).toBe(body.length)
  })

  it('does not grow with bodies made of the smallest pieces', async () => {
    let closed = 0
    await origin(Origin.raw((socket) => socket.on('close', () => closed++).resume()))
    const before = await workerMemory()
    const clients = await Promise.all(Array.from({ length: 8 }, () => connect()))
    const pieces = Buffer.from('01\r\nx\r\n'.repeat(60_000))
    for (const client of clients) {
      client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
      client.send(pieces)
    }
    expect((await workerMemory()) - before).toBeLessThan(48 * mebibyte)
  })
})

describe('limits', () => {
  it.each([
    ['a field of 40 KiB', get('/', `A: ${'x'.repeat(40 * 1024)}\r\n`), 431],
    ['200 fields', get('/', 'A: b\r\n'.repeat(200)), 431],
    ['a target of 40 KiB', get(`/${'x'.repeat(40 * 1024)}`), 431],
    ['a head without end', `GET / HTTP/1.1\r\nHost: a\r\n${'A: b\r\n'.repeat(10_000)}`, 431],
    ['extensions of 8 KiB', `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;${'x'.repeat(8_192)}\r\na\r\n0\r\n\r\n`, 400],
    ['trailers of 32 KiB', `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: ${'x'.repeat(32 * 1024)}\r\n\r\n`, 400],
    ['HTTP/2 with prior knowledge', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['HTTP/3.0', 'GET / HTTP/3.0\r\nHost: a\r\n\r\n', 505],
    ['an unknown coding', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n', 501],
    ['an unknown expectation', get('/', 'Expect: 200-maybe\r\n'), 417],
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
  ])('%s is refused with its status, and the connection ends', async (_what, bytes, status) => {
    await origin(Origin.start(({ socket }) => socket.write(plain('ok'))))
    const client = await connect()
    client.send(bytes)
    const answer = await client.answer()
    expect(answer.status).toBe(status)
    expect(fieldOf(answer, 'proxy-status')).toContain('error=http_request_error')
    await client.end()
  })

  it('reading a large answer slowly to its end is no offence, even on a connection that closes', async () => {
    await origin(Origin.start(({ socket }) => socket.end(`HTTP/1.1 200 OK\r\n\r\n${'y'.repeat(6 * mebibyte)}`)))
    const client = await connect()
    client.send('GET / HTTP/1.0\r\nHost: a\r\n\r\n')
    await eventually('it begins', () => client.rest.length > 0)
    client.socket.pause()
    await pause(3_000)
    client.socket.resume()
    expect((await client.answer()).body.length).toBe(6 * mebibyte)
  })
})

describe('nothing is left', () => {
  it('of clients that vanish at every stage', async () => {
    const random = new Prng(7)
    const busy = await origin(
      Origin.start(({ target, socket }) => {
        const answer = (): boolean =>
          socket.write(target.startsWith('/stream') ? `HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n${'z'.repeat(200_000)}` : plain(target))
        if (!target.startsWith('/silent')) setTimeout(answer, random.next() * 5)
      }),
    )
    const stages = [
      'GET / HT',
      get('/whole'),
      get('/silent'),
      get('/stream'),
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\npart',
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel',
      'POST /silent HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n',
      get('/whole') + get('/silent') + get('/whole'),
    ]
    await Promise.all(
      Array.from({ length: 160 }, async (_, index) => {
        const client = await connect()
        client.send(stages[index % stages.length]!)
        await pause(random.next() * 40)
        if (random.next() < 0.5) client.socket.resetAndDestroy()
        else client.destroy()
      }),
    )
    // Those who left behind a whole request look like half-closed ones: their requests end with the origin's timeout.
    await proxy.route(service([busy], { timeoutMs: 100 }))
    for (const socket of busy.sockets) socket.destroy()
    // The readings of before know nothing of these clients.
    await proxy.telemetry()
    const telemetry = await eventually('no client is left', () => proxy.client.telemetry()?.connections.active === 0 && proxy.client.telemetry())
    expect(telemetry.services.api).toMatchObject({ active: 0, parked: 0, tunnels: 0 })
    expect(telemetry.endpoints[`e${busy.port}`]?.active).toBe(0)
    expect((await ask(proxy.port, post('still alive'))).text).toBe('/')
  })

  it('of tunnels, whoever ends them', async () => {
    const echo = await origin(
      Origin.raw((socket) => {
        socket.once('data', () => socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'))
        socket.on('end', () => socket.end())
      }),
    )
    const opened = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const client = await connect()
        client.send(get('/', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'))
        expect((await client.answer()).status).toBe(101)
        return client
      }),
    )
    await eventually('all are counted', () => proxy.client.telemetry()?.services.api?.tunnels === 12)
    opened.forEach((client, index) => {
      if (index % 3 === 0) client.socket.end()
      else if (index % 3 === 1) client.socket.resetAndDestroy()
    })
    await eventually('two thirds are gone', () => echo.sockets.size === 4)
    for (const socket of echo.sockets) socket.resetAndDestroy()
    await Promise.all(opened.map((client) => eventually('its end', () => client.ended || client.closed)))
    for (const client of opened) client.destroy()
    // The readings of before know nothing of these clients.
    await proxy.telemetry()
    const telemetry = await eventually('no client is left', () => proxy.client.telemetry()?.connections.active === 0 && proxy.client.telemetry())
    expect(telemetry.services.api).toMatchObject({ tunnels: 0, active: 0 })
    expect(telemetry.endpoints[`e${echo.port}`]?.active).toBe(0)
  })
})

describe('accidents', () => {
  it('in requests and answers end no process, and no answer is taken for that of another request', async () => {
    const random = new Prng(99)
    const accidental = await origin(
      Origin.start(({ target, socket }) => {
        if (target === '/probe') socket.write(plain('well'))
        else if (random.next() < 0.05) socket.resetAndDestroy()
        else socket.end(Buffer.from(mutatedAnswer(random), 'latin1'))
      }),
    )
    await proxy.route(service([accidental], { timeoutMs: 150 }))
    for (let round = 0; round < 30; round++) {
      await Promise.all(
        Array.from({ length: 30 }, async () => {
          const client = await connect()
          client.send(mutatedRequests(random))
          await Promise.race([eventually('its end', () => client.ended || client.closed), pause(between(random, 5, 60))])
          client.destroy()
        }),
      )
      expect((await ask(proxy.port, get('/probe'))).text).toBe('well')
    }
    expect(proxy.signals.filter(({ type }) => type === 'workerExited')).toEqual([])
    expect(accidental.malformed).toEqual([])
    // The readings of before know nothing of these clients.
    await proxy.telemetry()
    const telemetry = await eventually('no client is left', () => proxy.client.telemetry()?.connections.active === 0 && proxy.client.telemetry())
    expect(telemetry.services.api).toMatchObject({ active: 0, tunnels: 0 })
  })
})

describe('patience', () => {
  it('a head that does not come is answered 408 after ten seconds', async () => {
    await origin(Origin.start(({ socket }) => socket.write(plain('ok'))))
    const client = await connect()
    client.send('GET / HTTP/1.1\r\nHost: a\r\n')
    const trickle = setInterval(() => client.send('A: b\r\n'), 200)
    const answer = await client.answer('GET', 15_000)
    clearInterval(trickle)
    expect(answer.status).toBe(408)
  })
})
