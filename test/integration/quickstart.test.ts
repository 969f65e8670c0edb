/** The quickstart's services alone: what they promise to the balancer and to browsers. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { Agent, get } from 'node:http'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { loadConfig } from '../../src/config/index.ts'
import { until } from '../chaos/wait.ts'

const children: ChildProcess[] = []

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function start(file: string): Promise<{ child: ChildProcess; port: number; exited: Promise<unknown[]> }> {
  const port = await freePort()
  const child = spawn(process.execPath, [`examples/quickstart/${file}`], {
    env: { ...process.env, PORT: String(port), HOLDFAST_INSTANCE: 'it-1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const exited = once(child, 'exit')
  await once(child.stdout, 'data')
  return { child, port, exited }
}

describe('examples/quickstart/holdfast.yml', () => {
  it('is a valid configuration with its data where npm start is run', () => {
    const { config } = loadConfig({ file: 'examples/quickstart/holdfast.yml', env: {}, cwd: process.cwd() })
    expect(config.data).toBe(`${process.cwd()}/.holdfast`)
    expect(Object.values(config.services).map(({ name, instances, routes }) => [name, instances, routes.map(({ path }) => path)])).toEqual([
      ['shop', { min: 3, max: 3 }, ['/']],
      ['chat', { min: 3, max: 3 }, ['/chat']],
    ])
  })
})

describe('shop', () => {
  it('answers programs with JSON and browsers with a page', async () => {
    const { port } = await start('shop.mjs')
    const at = `http://127.0.0.1:${port}`
    expect(await (await fetch(at)).json()).toMatchObject({ service: 'shop', instance: 'it-1' })
    const page = await fetch(at, { headers: { accept: 'text/html,*/*' } })
    expect([page.headers.get('content-type'), page.headers.get('vary')]).toEqual(['text/html; charset=utf-8', 'accept'])
    expect(await page.text()).toContain('<h1>It holds</h1>')
    expect((await fetch(`${at}/health`)).status).toBe(200)
    expect((await fetch(`${at}/nowhere`)).status).toBe(404)
  })

  it('counts orders and refuses bad ones', async () => {
    const { port } = await start('shop.mjs')
    const order = async (body: string): Promise<{ status: number; number?: number }> => {
      const response = await fetch(`http://127.0.0.1:${port}/orders`, { method: 'POST', body })
      const { number } = (await response.json()) as { number?: number }
      return { status: response.status, ...(number !== undefined && { number }) }
    }
    expect([await order('{"item":"tea"}'), await order('{'), await order('x'.repeat(70_000)), await order('')]).toEqual([
      { status: 201, number: 1 },
      { status: 400 },
      { status: 413 },
      { status: 201, number: 2 },
    ])
    expect(await (await fetch(`http://127.0.0.1:${port}/orders`)).json()).toMatchObject({ orders: 2 })
  })

  it('streams in chunks', async () => {
    const { port } = await start('shop.mjs')
    const response = await fetch(`http://127.0.0.1:${port}/stream`)
    expect(response.headers.get('transfer-encoding')).toBe('chunked')
    expect((await response.text()).trim().split('\n')).toHaveLength(10)
  })

  it('finishes what it has begun on SIGTERM, then ends with 0, idle keep-alive connections or not', async () => {
    const { child, port, exited } = await start('shop.mjs')
    const agent = new Agent({ keepAlive: true })
    const slow = new Promise<number>((resolve, reject) => {
      get({ port, host: '127.0.0.1', path: '/slow?ms=400', agent }, (response) => {
        response.resume().on('end', () => {
          resolve(response.statusCode ?? 0)
        })
      }).on('error', reject)
    })
    await new Promise((resolve) => setTimeout(resolve, 100))
    child.kill('SIGTERM')
    expect(await slow).toBe(200)
    expect(await exited).toEqual([0, null])
    agent.destroy()
  })
})

describe('chat', () => {
  async function open(port: number): Promise<{ socket: WebSocket; messages: string[] }> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`)
    const messages: string[] = []
    socket.on('message', (data: Buffer, isBinary) => {
      messages.push(isBinary ? `${data.length} bytes` : (JSON.parse(data.toString()) as { text: string }).text)
    })
    await once(socket, 'open')
    return { socket, messages }
  }

  it('hands what one says to all, whole, also in fragments with a ping between, up to 64 KiB', async () => {
    const { port } = await start('chat.mjs')
    const [ann, bob] = [await open(port), await open(port)]
    ann.socket.send('häl', { fin: false })
    ann.socket.ping('are you there')
    const [pong] = (await once(ann.socket, 'pong')) as [Buffer]
    ann.socket.send('lo', { fin: true })
    bob.socket.send('x'.repeat(65_536))
    bob.socket.send(Buffer.alloc(300))
    await until('all of it', () => (bob.messages.length >= 4 && ann.messages.length >= 3) || undefined)
    expect(pong.toString()).toBe('are you there')
    const said = ['you are connected to it-1', 'hällo', 'x'.repeat(65_536)]
    expect(ann.messages).toEqual(said)
    expect(bob.messages).toEqual([...said, '300 bytes'])
    ann.socket.close(4000, 'bye')
    expect((await once(ann.socket, 'close'))[0]).toBe(4000)
  })

  it.each<[string, { data: string | Buffer; fin?: boolean }[], number]>([
    ['a message that is too long', [{ data: 'x'.repeat(65_537) }], 1009],
    ['fragments that are too long together', [{ data: 'x'.repeat(40_000), fin: false }, { data: 'x'.repeat(40_000) }], 1009],
    ['text that is not UTF-8', [{ data: Buffer.from([0xff, 0xfe]) }], 1007],
  ])('closes on %s', async (_what, parts, code) => {
    const { port } = await start('chat.mjs')
    const { socket } = await open(port)
    for (const { data, fin = true } of parts) socket.send(data, { fin, binary: false })
    expect((await once(socket, 'close'))[0]).toBe(code)
  })

  it.each([
    ['no mask', [0x81, 0x01, 0x61]],
    ['a reserved bit', [0xc1, 0x80, 0, 0, 0, 0]],
    ['an unknown opcode', [0x83, 0x80, 0, 0, 0, 0]],
    ['a ping in fragments', [0x09, 0x80, 0, 0, 0, 0]],
    ['a continuation of nothing', [0x80, 0x80, 0, 0, 0, 0]],
    ['a close code of one byte', [0x88, 0x81, 0, 0, 0, 0, 3]],
    ['a close code that may not be sent', [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xed]],
  ])('closes with 1002 on a frame with %s, however its bytes arrive', async (_what, frame) => {
    const { port } = await start('chat.mjs')
    const raw: Socket = connect(port, '127.0.0.1')
    const received: Buffer[] = []
    raw.on('data', (chunk: Buffer) => received.push(chunk))
    // The last bytes may meet a connection that the first ones have ended; its end may come before they are all written.
    raw.on('error', () => undefined)
    const closed = new Promise((resolve) => raw.once('close', resolve))
    raw.write(
      `GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16, 1).toString('base64')}\r\n\r\n`,
    )
    await until('the welcome', () => Buffer.concat(received).includes('"listeners":1}') || undefined)
    const before = Buffer.concat(received).length
    raw.setNoDelay(true)
    for (const byte of frame) {
      if (raw.writable) raw.write(Buffer.from([byte]))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await closed
    const answer = Buffer.concat(received).subarray(before)
    expect([answer[0], answer.readUInt16BE(2)]).toEqual([0x88, 1002])
  })

  it('refuses what is no WebSocket, and says on SIGTERM that it goes away', async () => {
    const { child, port, exited } = await start('chat.mjs')
    const plain = await fetch(`http://127.0.0.1:${port}/chat`)
    expect([plain.status, plain.headers.get('upgrade')]).toEqual([426, 'websocket'])
    const { socket } = await open(port)
    const closed = once(socket, 'close')
    child.kill('SIGTERM')
    expect((await closed)[0]).toBe(1001)
    expect(await exited).toEqual([0, null])
  })
})
