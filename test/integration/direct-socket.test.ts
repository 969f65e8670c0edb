import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DirectSocket } from '../../src/balancer/worker/direct-socket.ts'

let server: Server
let peer: Socket
let socket: DirectSocket

/** Connected, with a peer that reads when it is told to. */
beforeEach(async () => {
  server = createServer({ allowHalfOpen: true, pauseOnConnect: true })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  socket = new DirectSocket({ allowHalfOpen: true }).connect(port, '127.0.0.1')
  const [[accepted]] = (await Promise.all([once(server, 'connection'), once(socket, 'connect')])) as [[Socket], unknown]
  peer = accepted
  peer.on('error', () => undefined)
})

afterEach(() => {
  socket.destroy()
  peer.destroy()
  server.close()
})

async function readAll(): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of peer) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}

describe('a socket that writes straight to the connection', () => {
  it('holds nothing of what the kernel takes at once, and uses the same bytes again', async () => {
    const bytes = Buffer.alloc(100)
    for (let i = 0; i < 50; i++) {
      bytes.fill(i)
      expect(socket.write(bytes)).toBe(true)
      expect(socket.writableLength).toBe(0)
    }
    socket.end()
    const read = await readAll()
    expect(read).toEqual(Buffer.concat(Array.from({ length: 50 }, (_, i) => Buffer.alloc(100, i))))
  })

  it('tells of what the kernel has not taken, keeps the order, and drains', async () => {
    socket.write('first ')
    const pieces = Array.from({ length: 200 }, (_, i) => Buffer.alloc(100_000, i))
    const said = pieces.map((piece) => socket.write(piece))
    expect(said[0]).toBe(true)
    expect(said.at(-1)).toBe(false)
    expect(socket.writableLength).toBeGreaterThan(0)
    expect(socket.writableNeedDrain).toBe(true)
    const drained = once(socket, 'drain')
    const all = readAll()
    await drained
    expect(socket.writableLength).toBe(0)
    expect(socket.write(Buffer.from(' last'))).toBe(true)
    socket.end()
    expect((await all).equals(Buffer.concat([Buffer.from('first '), ...pieces, Buffer.from(' last')]))).toBe(true)
  })

  it('ends behind what it still holds', async () => {
    const bytes = Buffer.alloc(20_000_000, 7)
    socket.write(Buffer.from('x'))
    expect(socket.write(bytes)).toBe(false)
    socket.destroySoon()
    expect((await readAll()).length).toBe(bytes.length + 1)
  })

  it('says at once that a write has failed', async () => {
    const failed = once(socket, 'error')
    socket.write(Buffer.from('x'))
    peer.resetAndDestroy()
    // What the peer has sent is heard in a turn of its own: until then the socket does not know.
    await sleep(20)
    socket.pause()
    if (!socket.destroyed) socket.write(Buffer.from('y'))
    const [error] = (await failed) as [NodeJS.ErrnoException]
    expect(['EPIPE', 'ECONNRESET']).toContain(error.code)
    expect(socket.errored).toBe(error)
    expect(socket.write(Buffer.from('z'))).toBe(false)
  })

  it('fails with what it holds when the peer is gone', async () => {
    socket.write(Buffer.from('x'))
    expect(socket.write(Buffer.alloc(20_000_000))).toBe(false)
    const failed = once(socket, 'error')
    peer.resetAndDestroy()
    const [error] = (await failed) as [NodeJS.ErrnoException]
    expect(['EPIPE', 'ECONNRESET']).toContain(error.code)
    expect(socket.destroyed).toBe(true)
  })
})
