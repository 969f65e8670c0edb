/**
 * Many clients at once that mean harm: what they may cost in memory, that everybody else is served all the while, and that the workers
 * after it are the ones from before. Every flood is watched by one honest client with a request every few milliseconds.
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { gunzipSync, gzipSync } from 'node:zlib'
import { request } from 'undici'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { TlsView } from '../../src/balancer/core/tls-view.ts'
import { cpuMicros } from '../../bench/lib/process.ts'
import { quantileOf } from '../../bench/lib/statistics.ts'
import {
  ask,
  eventually,
  fieldOf,
  freePort,
  get,
  Origin,
  pause,
  plain,
  RawClient,
  service,
  startProxy,
  type RunningProxy,
} from '../support/balancer-harness.ts'
import { makePair } from '../support/certificates.ts'

const mebibyte = 1024 * 1024
const linux = process.platform === 'linux'
/** Half of the honest requests, under attack: far above what is usual, since attackers, origin and honest client share one process here. */
const servedWithinMs = 1_000

let proxy: RunningProxy
let origin: Origin
let workers: readonly number[]
let securePort: number
let directory: string
let tls: TlsView
const sockets: Socket[] = []

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-flood-'))
  const { cert, key } = makePair(directory, 'a', { hosts: ['a.test'] })
  tls = { certificates: [{ cert, key, hosts: [] }], minVersion: 'TLSv1.2', requireClientCert: false }
  proxy = await startProxy()
  securePort = await freePort()
  origin = await Origin.start(({ socket, target }) => {
    if (target.startsWith('/bomb')) socket.write(bomb)
    else if (target.startsWith('/crumbs')) socket.write(crumbs)
    else if (target.startsWith('/page')) socket.write(page)
    else socket.write(plain(target))
  })
  await route()
  workers = await pids()
})

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  expect(await pids()).toEqual(workers)
  expect(origin.malformed).toEqual([])
  expect((await ask(proxy.port, get('/after'))).text).toBe('/after')
})

afterAll(async () => {
  await proxy.stop()
  await origin.stop()
  rmSync(directory, { recursive: true })
})

async function route(more: Parameters<typeof service>[1] = {}): Promise<void> {
  const listeners = [
    { name: 'web', host: '127.0.0.1', port: proxy.port },
    { name: 'secure', host: '127.0.0.1', port: securePort, tls },
  ]
  const routes = listeners.map(({ name }) => ({ listener: name, path: '/', stripPath: false }))
  await proxy.apply({ listeners, services: [service([origin], { routes, ...more })] })
}

const pids = async (): Promise<readonly number[]> => (await proxy.telemetry()).workers.map(({ pid }) => pid)

const memory = (): number => 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${workers[0]!}/status`, 'latin1'))?.[1])

/** As if nobody saw it: errors are the point. */
function opened(port: number): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    sockets.push(socket)
    socket.on('error', () => resolve(socket))
    socket.once('connect', () => resolve(socket))
    socket.resume()
  })
}

/** In groups, so that the flood is not one of the backlog. */
async function openMany(count: number, port = proxy.port, each?: (socket: Socket, index: number) => void): Promise<Socket[]> {
  const all: Socket[] = []
  while (all.length < count) {
    const group = await Promise.all(Array.from({ length: Math.min(200, count - all.length) }, () => opened(port)))
    group.forEach((socket, index) => each?.(socket, all.length + index))
    all.push(...group)
  }
  return all
}

/** Runs the attack while an honest client asks again and again; resolves with how long its answers took. */
async function honestDuring(attack: () => Promise<unknown>): Promise<readonly number[]> {
  const times: number[] = []
  const over = new AbortController()
  const honest = (async () => {
    while (!over.signal.aborted) {
      const from = performance.now()
      const client = await RawClient.to(proxy.port)
      client.send(get('/honest'))
      expect((await client.answer()).text).toBe('/honest')
      client.destroy()
      times.push(performance.now() - from)
      await pause(5)
    }
  })()
  await attack().finally(() => over.abort())
  await honest
  return times
}

const usual = (times: readonly number[]): number => quantileOf(times, 0.5)

const bombBody = gzipSync(Buffer.alloc(64 * mebibyte))
const bomb = Buffer.concat([
  Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: ${bombBody.length}\r\n\r\n`),
  bombBody,
])
const page = Buffer.from(plain('p'.repeat(256 * 1024)))
const crumbCount = 200_000
const crumbs = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(crumbCount)}0\r\n\r\n`,
)

describe.runIf(linux)('10,000 idle connections', () => {
  it('cost little, hinder nobody, and are forgotten', { timeout: 120_000 }, async (context) => {
    const limit = Number(execFileSync('/bin/sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }))
    if (limit < 12_000) {
      context.skip(`this machine allows a process ${limit} open files`)
      return
    }
    const before = memory()
    // One request each: as a browser leaves them, not as a scanner does.
    const idle = await openMany(10_000, proxy.port, (socket, index) => socket.write(get(`/${index}`)))
    await eventually('all are answered', () => idle.every(({ bytesRead }) => bytesRead > 0), 30_000)
    const each = (memory() - before) / idle.length
    const times = await honestDuring(() => pause(1_000))
    console.log(
      `10,000 idle connections: ${(each / 1024).toFixed(1)} KiB each; an honest request takes ${usual(times).toFixed(1)} ms, p90 ${quantileOf(times, 0.9).toFixed(1)} ms`,
    )
    expect(each).toBeLessThan(24 * 1024)
    expect(usual(times)).toBeLessThan(100)
    for (const socket of idle) socket.destroy()
    await eventually('they are forgotten', () => proxy.client.telemetry()?.connections.active === 0, 20_000)
    // What the first ten thousand took is there for the next: a second wave of them needs next to nothing more.
    const settled = memory()
    const again = await openMany(10_000, proxy.port, (socket, index) => socket.write(get(`/${index}`)))
    await eventually('all are answered', () => again.every(({ bytesRead }) => bytesRead > 0), 30_000)
    expect(memory() - settled).toBeLessThan(64 * mebibyte)
  })
})

describe('floods', () => {
  it('of heads that never end, of bodies that never come, and of readers that do not read', { timeout: 60_000 }, async () => {
    const begun = 'GET /slow HTTP/1.1\r\nHost: a\r\n'
    const times = await honestDuring(async () => {
      const heads = await openMany(600, proxy.port, (socket) => socket.write(begun))
      const bodies = await openMany(300, proxy.port, (socket) => socket.write('POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx'))
      const readers = await openMany(300, proxy.port, (socket) => socket.pause().write(get('/page').repeat(4)))
      for (let tick = 0; tick < 20; tick++) {
        for (const socket of heads) if (socket.writable) socket.write('A: b\r\n')
        for (const socket of bodies) if (socket.writable) socket.write('x')
        await pause(100)
      }
      for (const socket of readers) socket.destroy()
    })
    expect(usual(times)).toBeLessThan(servedWithinMs)
  })

  it('of resets, at every moment of a connection', { timeout: 60_000 }, async () => {
    const stages = ['', 'GET', get('/whole'), get('/page'), 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc', get('/a').repeat(50)]
    const times = await honestDuring(async () => {
      for (const port of [proxy.port, securePort]) {
        await openMany(3_000, port, (socket, index) => {
          socket.write(stages[index % stages.length]!)
          if (index % 2 === 0) setImmediate(() => socket.resetAndDestroy())
          else socket.resetAndDestroy()
        })
      }
    })
    expect(usual(times)).toBeLessThan(servedWithinMs)
    await eventually('nobody is left', () => proxy.client.telemetry()?.connections.active === 0, 20_000)
  })

  it('of heads at the limit of what is taken, and beyond', { timeout: 60_000 }, async () => {
    const before = memory()
    const large = get('/', `A: ${'x'.repeat(31 * 1024)}\r\n`)
    const many = get('/', 'A: b\r\n'.repeat(120))
    const beyond = `GET / HTTP/1.1\r\nHost: a\r\n${'A: b\r\n'.repeat(20_000)}`
    const times = await honestDuring(async () => {
      for (let round = 0; round < 5; round++) {
        await openMany(200, proxy.port, (socket, index) => socket.write([large, many, beyond][index % 3]!.repeat(3)))
        for (const socket of sockets.splice(0)) socket.destroy()
      }
    })
    expect(usual(times)).toBeLessThan(servedWithinMs)
    if (linux) expect(memory() - before).toBeLessThan(96 * mebibyte)
  })
})

describe('what is compressed', () => {
  it('passes as it is, whoever asked for what: a bomb is not opened here', async () => {
    await route({ rules: { compression: { enabled: true, encodings: ['br', 'gzip'], minSize: 0 } } })
    const before = linux ? memory() : 0
    for (const accept of ['', 'Accept-Encoding: identity\r\n', 'Accept-Encoding: br, gzip\r\n']) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => ask(proxy.port, get('/bomb', accept))))
      for (const { body, fields } of answers) {
        expect(fieldOf({ fields }, 'content-encoding')).toBe('gzip')
        expect(body.equals(bombBody)).toBe(true)
      }
    }
    if (linux) expect(memory() - before).toBeLessThan(48 * mebibyte)
    const packed = gzipSync('the body of a request')
    const head = `POST /packed HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: ${packed.length}\r\n\r\n`
    await ask(proxy.port, Buffer.concat([Buffer.from(head), packed]))
    // The last of a flood may come behind it.
    const seen = origin.requests.findLast(({ body }) => body.length > 0)!
    expect([fieldOf(seen, 'content-encoding'), seen.body.equals(packed)]).toEqual(['gzip', true])
    await route()
  })

  it('may come in crumbs', { timeout: 60_000 }, async () => {
    await route({ rules: { compression: { enabled: true, encodings: ['gzip'], minSize: 0 } } })
    const before = linux ? memory() : 0
    const codings = ['gzip', 'identity'] as const
    const used = new Map<string, number>()
    for (const coding of codings) {
      const from = linux ? cpuMicros(workers) : 0
      for (let i = 0; i < 4; i++) {
        const { body } = await request(`http://127.0.0.1:${proxy.port}/crumbs`, { headers: { 'accept-encoding': coding } })
        const bytes = Buffer.from(await body.arrayBuffer())
        expect((coding === 'gzip' ? gunzipSync(bytes) : bytes).length).toBe(crumbCount)
        if (coding === 'gzip') expect(bytes.length).toBeLessThan(crumbCount / 10)
      }
      used.set(coding, linux ? cpuMicros(workers) - from : 0)
    }
    // A flush for every crumb took five seconds each.
    expect(used.get('gzip')).toBeLessThan(2_000_000)
    if (linux) expect(memory() - before).toBeLessThan(96 * mebibyte)
    await route()
  })
})

describe('TLS', () => {
  const secure = (options: object = {}): Promise<TLSSocket> =>
    new Promise((resolve, reject) => {
      const socket = connectTls({ host: '127.0.0.1', port: securePort, rejectUnauthorized: false, ...options }, () => resolve(socket))
      sockets.push(socket)
      socket.once('error', reject)
    })

  it('garbage, half a hello, and an end in the middle of a handshake', { timeout: 60_000 }, async () => {
    const hello = Buffer.from('16030100c8010000c40303', 'hex')
    const times = await honestDuring(async () => {
      await openMany(1_500, securePort, (socket, index) => {
        if (index % 5 === 0) socket.write(Buffer.alloc(20_000, index))
        else if (index % 5 === 1) socket.write(hello)
        else if (index % 5 === 2) socket.end(hello)
        else if (index % 5 === 3) socket.write(get('/plain'))
        else socket.write(Buffer.concat([hello, Buffer.alloc(200, index)]))
      })
      await pause(300)
    })
    expect(usual(times)).toBeLessThan(servedWithinMs)
    const fine = await secure()
    fine.write(get('/fine'))
    await eventually('an answer', () => fine.bytesRead > 0)
  })

  it('renegotiation ends the connection before it costs much', async () => {
    const socket = await secure({ maxVersion: 'TLSv1.2' })
    socket.on('error', () => undefined)
    let done = 0
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve())
      const again = (): void => {
        const begun = socket.renegotiate({ rejectUnauthorized: false }, (error) => {
          if (error !== null) return
          done++
          again()
        })
        if (begun === false) resolve()
      }
      again()
      setTimeout(resolve, 3_000)
    })
    expect(done).toBeLessThan(5)
  })
})

describe('slowhttptest', () => {
  const installed = ((): boolean => {
    try {
      execFileSync('slowhttptest', ['-h'], { stdio: 'ignore' })
      return true
    } catch (error) {
      return (error as NodeJS.ErrnoException).code !== 'ENOENT'
    }
  })()

  const attacks = [
    ['-H', '-i', '1', '-x', '8'],
    ['-B', '-i', '1', '-s', '100000', '-x', '8'],
    ['-X', '-w', '1', '-y', '8', '-n', '1', '-z', '1', '-k', '3'],
  ]

  it.runIf(installed)('slow headers, slow bodies and slow reading at once: the others are served all the while', { timeout: 60_000 }, async () => {
    const url = `http://127.0.0.1:${proxy.port}/page`
    const attack = (options: readonly string[]): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const tool = spawn('slowhttptest', [...options, '-c', '800', '-r', '400', '-l', '8', '-p', '3', '-v', '0', '-u', url], { stdio: 'ignore' })
        tool.once('error', reject)
        tool.once('close', resolve)
      })
    const times = await honestDuring(() => Promise.all(attacks.map(attack)))
    expect(usual(times)).toBeLessThan(servedWithinMs)
  })
})
