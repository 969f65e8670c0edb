/** A running system, asked wrongly: by nobody's friend, by the wrong person, in no language at all. */
import { connect, type NetConnectOpts } from 'node:net'
import { existsSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { socketPath } from '../../src/balancer/paths.ts'
import { Product, type Running } from '../support/product.ts'

let product: Product
let control: Running

beforeAll(async () => {
  product = await Product.create()
  product.configure({ web: { instances: 2 } })
  control = await product.up()
})
afterAll(async () => {
  await product.down()
  expect(await product.end()).toEqual([])
})

const errorLine = (text: string | RegExp): unknown => expect.stringMatching(text)

describe('without a control process', () => {
  it.each([
    ['status', []],
    ['scale', ['web', '2']],
    ['restart', ['web']],
    ['logs', ['web']],
    ['events', []],
    ['maintenance', ['web', 'on']],
  ])('%s ends with 3 and says how to start one', async (command, args) => {
    const idle = await Product.create()
    idle.configure()
    const { code, stdout, stderr } = await idle.run(command, ...args)
    expect([code, stdout, stderr]).toEqual([3, '', errorLine(/^error: holdfast is not running in .*\/data; start it with: holdfast up/)])
    const json = await idle.run(command, ...args, '--json')
    expect([json.code, JSON.parse(json.stdout)]).toMatchObject([3, { success: false, error: { code: 'not_running' } }])
    expect(await idle.end()).toEqual([])
  })

  it('an address where nobody is ends with 3', async () => {
    const { code, stderr } = await product.run('status', '--url', `http://127.0.0.1:${product.ports.spare}`, '--token', 'x')
    expect([code, stderr]).toEqual([3, errorLine(/^error: could not reach holdfast at http:\/\/127\.0\.0\.1:\d+/)])
  })
})

describe('credentials', () => {
  const url = (): string => product.control?.url ?? ''

  it.each([['garbage'], ['eyJhbGciOiJub25lIn0.eyJyb2xlIjoiYWRtaW4ifQ.'], [`hf_${'a'.repeat(40)}`]])('%s is refused with 4', async (token) => {
    const { code, stderr } = await product.run('status', '--url', url(), '--token', token)
    expect([code, stderr]).toEqual([4, errorLine(/^error: /)])
  })

  it('none at all is refused with 4', async () => {
    const stranger = await Product.create()
    const { code, stderr } = await stranger.run('status', '--url', url())
    expect([code, stderr]).toEqual([4, errorLine(/^error: /)])
    await stranger.end()
  })

  it('a viewer may look and may not touch', async () => {
    const { data } = JSON.parse((await product.must('token', 'create', '--role', 'viewer', '--ttl', '5m', '--json')).stdout) as {
      data: { token: string }
    }
    const as = ['--url', url(), '--token', data.token]
    expect((await product.run('status', ...as)).code).toBe(0)
    for (const args of [['scale', 'web', '3'], ['restart', 'web'], ['maintenance', 'web', 'on'], ['token', 'create', '--role', 'admin'], ['down']]) {
      const { code, stderr } = await product.run(...args, ...as)
      expect([args, code, stderr]).toEqual([args, 4, errorLine(/^error: .*(role|viewer|operator|admin)/)])
    }
    expect((await product.service()).desired).toBe(2)
  })
})

describe('wrong words', () => {
  it.each([
    ['scale', ['nobody', '2']],
    ['restart', ['nobody']],
    ['logs', ['nobody']],
    ['status', ['nobody']],
    ['maintenance', ['nobody', 'on']],
  ])('%s of an unknown service ends with 1 and names it', async (command, args) => {
    const { code, stderr } = await product.run(command, ...args)
    expect([code, stderr]).toEqual([1, errorLine(/^error: .*nobody/)])
  })

  it.each([
    ['scale', ['web', 'many']],
    ['scale', ['web', '-1']],
    ['scale', ['web']],
    ['maintenance', ['web', 'perhaps']],
    ['stats', []],
    ['status', ['--colour']],
    ['logs', ['web', '--since', 'yesterday']],
  ])('%s %j is bad usage: 2', async (command, args) => {
    const { code, stderr } = await product.run(command, ...args)
    expect([code, stderr]).toEqual([2, errorLine(/^error: /)])
  })
})

describe('garbage on every listener', () => {
  const tooLarge = `GET /${'a'.repeat(200_000)} HTTP/1.1\r\nHost: x\r\n\r\n`
  const garbage: readonly (string | Buffer)[] = [
    randomBytes(65_536),
    Buffer.alloc(10_000),
    '\r\n'.repeat(2_000),
    'GET / HTTP/1.1\r\n',
    'GET / HTTP/9.9\r\nHost: x\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    '{"type":"shutdown","deadlineMs":0',
    `${'['.repeat(100_000)}\n`,
    `{"type":"nonsense"}\n{"type":"view","id":1,"view":null}\n{}\n[]\n7\nnull\n"x"\n`,
    tooLarge,
  ]

  /** Sends and goes, or is sent away; whichever is first. */
  function throwAt(where: NetConnectOpts, what: string | Buffer): Promise<void> {
    return new Promise((resolve) => {
      const socket = connect(where)
      const leave = (): void => {
        socket.destroy()
        resolve()
      }
      socket.on('error', leave)
      socket.on('end', leave)
      socket.on('data', () => undefined)
      socket.on('connect', () => {
        socket.write(what)
        setTimeout(leave, 60)
      })
    })
  }

  const listeners = (): readonly (readonly [string, NetConnectOpts])[] => {
    const { web, api, metrics } = product.ports
    const tcp = [web, api, metrics].map((port) => [String(port), { port, host: '127.0.0.1' }] as const)
    return [...tcp, ['the socket of the proxy', { path: socketPath(product.path('data'), 'proxy') }] as const]
  }

  it('crashes nothing, and what comes later works', async () => {
    const before = product.survivors()
    const pids = await product.pids()
    expect(existsSync(socketPath(product.path('data'), 'proxy'))).toBe(true)
    for (const [, where] of listeners()) {
      for (const each of garbage) await throwAt(where, each)
      await Promise.all(garbage.map((each) => throwAt(where, each)))
    }
    expect(control.running).toBe(true)
    expect(product.survivors()).toEqual(before)
    expect(await product.pids()).toEqual(pids)
    expect((await product.get()).status).toBe(200)
    expect((await fetch(`http://127.0.0.1:${product.ports.metrics}/metrics`)).status).toBe(200)
    // The proxy still takes orders of the control process.
    await product.must('scale', 'web', '3')
    await product.settled(3)
    await product.must('scale', 'web', '2')
    await product.settled(2)
    expect((await product.events('proxy.workerExited')).length + (await product.events('proxy.disconnected')).length).toBe(0)
  })
})
