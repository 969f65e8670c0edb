/** Those who read what is stored: many requests at once, slowly, not to the end, over HTTP/2. What one of them does is no matter of the others. */
import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { CacheView } from '../../src/balancer/core/cache-view.ts'
import { eventually, fieldOf, get, RawClient, readUntil, service } from '../support/balancer-harness.ts'
import { Http2Client } from '../support/http2-client.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, origin: originOf } = useProxy({ per: 'file', workers: 1 })
const cache: CacheView = { maxBodyBytes: 16 * 1024 * 1024, graceMs: 0, obeyClients: true, heuristic: 0 }
const bodies = new Map<string, Buffer>([
  ['/small', randomBytes(100)],
  ['/piece', randomBytes(12_000)],
  ['/large', randomBytes(8 * 1024 * 1024)],
])
let asked = 0

/** An origin of its own for each test; what was stored before stays. */
async function ready(paths: readonly string[]): Promise<void> {
  const origin = await originOf((request) => {
    asked++
    const body = bodies.get(request.target)!
    request.socket.write(`HTTP/1.1 200 OK\r\nCache-Control: max-age=3600\r\nContent-Length: ${body.length}\r\n\r\n`)
    request.socket.write(body)
  })
  await proxy.apply({
    listeners: [{ name: 'web', host: '127.0.0.1', port: proxy.port, http2: true }],
    services: [service([origin], { cache })],
  })
  for (const path of paths) for (let i = 0; i < 3; i++) await whole(path)
  asked = 0
}

async function whole(path: string): Promise<void> {
  const client = await RawClient.to(proxy.port)
  client.send(get(path))
  expect(digest((await client.answer()).body)).toBe(digest(bodies.get(path)!))
  client.destroy()
}

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('base64')

describe('readers of stored answers', () => {
  it('send sixteen requests at once, and get sixteen answers in their order', async () => {
    await ready(['/small', '/piece'])
    const client = await RawClient.to(proxy.port)
    const paths = Array.from({ length: 16 }, (_, i) => (i % 3 === 0 ? '/piece' : '/small'))
    client.send(paths.map((path, i) => (i === 7 ? get(path).replace('GET', 'HEAD') : get(path))).join(''))
    for (const [i, path] of paths.entries()) {
      const answer = await client.answer(i === 7 ? 'HEAD' : 'GET')
      expect(fieldOf(answer, 'content-length')).toBe(`${bodies.get(path)!.length}`)
      if (i !== 7) expect(answer.body.equals(bodies.get(path)!)).toBe(true)
    }
    client.destroy()
    expect(asked).toBe(0)
  })

  it('do not read for a while, and lose nothing of a thousand answers', async () => {
    await ready(['/piece'])
    const client = await RawClient.to(proxy.port)
    client.socket.pause()
    const count = 1_000
    client.send(get('/piece').repeat(count))
    // Others are served meanwhile.
    for (let i = 0; i < 5; i++) await whole('/piece')
    client.socket.resume()
    const ids = new Set<string>()
    let text = ''
    client.socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    const body = bodies.get('/piece')!.toString('latin1')
    await eventually('all answers', () => text.split('HTTP/1.1 200 OK').length === count + 1 && text.endsWith(body))
    for (const answer of text.split('HTTP/1.1 200 OK').slice(1)) {
      const end = answer.indexOf('\r\n\r\n')
      ids.add(/X-Request-Id: (\w+)/.exec(answer.slice(0, end))![1]!)
      if (answer.slice(end + 4) !== body) throw new Error('an answer is not what is stored')
    }
    expect(ids.size).toBe(count)
    client.destroy()
  })

  it('leave in the middle of a long one, or take their time for it', async () => {
    await ready(['/large'])
    const slow = await RawClient.to(proxy.port)
    slow.socket.pause()
    slow.send(get('/large'))
    for (let i = 0; i < 20; i++) {
      const leaver = await RawClient.to(proxy.port)
      leaver.socket.pause()
      leaver.send(get('/large'))
      leaver.socket.destroy()
    }
    await whole('/large')
    slow.socket.resume()
    expect(digest((await slow.answer()).body)).toBe(digest(bodies.get('/large')!))
    // The connection is fit for another one.
    slow.send(get('/large'))
    expect(digest((await slow.answer()).body)).toBe(digest(bodies.get('/large')!))
    slow.destroy()
    expect(asked).toBe(0)
    await readUntil(proxy, 'nobody is served any more', ({ services }) => services.api?.active === 0)
  })

  it('come by HTTP/2, many at once on one connection', async () => {
    await ready(['/small', '/large'])
    const client = await Http2Client.to(`http://127.0.0.1:${proxy.port}`)
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => client.ask({ ':authority': 'a.test', ':path': i === 9 ? '/large' : '/small' })),
    )
    for (const [i, answer] of answers.entries()) {
      expect(digest(Buffer.from(answer.text, 'latin1'))).toBe(digest(bodies.get(i === 9 ? '/large' : '/small')!))
      expect(answer.headers['cache-status']).toMatch(/^holdfast; hit; ttl=\d+$/)
    }
    expect(new Set(answers.map(({ headers }) => headers['x-request-id'])).size).toBe(50)
    await client.close()
    expect(asked).toBe(0)
  })
})
