/** Sessions and splits through the real data plane: several workers, raw sockets, processes that are killed. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { RouteConditions } from '../../src/balancer/core/route-conditions.ts'
import type { RouteView } from '../../src/balancer/core/routing-view.ts'
import type { StickyView } from '../../src/balancer/core/sessions/view.ts'
import { ask, endpoint, eventually, fieldOf, get, plain, service, type Origin, type SeenAnswer } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, origin } = useProxy({ per: 'file', workers: 3 })
const sticky: StickyView = { cookie: 'hf', drain: false }

const origins = (names: string): Promise<Origin[]> =>
  Promise.all(
    names.split('').map((name) => origin(({ socket }) => socket.write(plain(name, 'Cache-Control: public, max-age=60\r\nSet-Cookie: app=1\r\n')))),
  )

const setCookies = (answer: SeenAnswer): string[] => answer.fields.filter(([name]) => name === 'set-cookie').map(([, value]) => value)
const ours = (answer: SeenAnswer): string | undefined => setCookies(answer).find((each) => each.startsWith('hf='))
const valueOf = (answer: SeenAnswer): string => /^hf=([^;]+)/.exec(ours(answer) ?? '')![1]!
const cookie = (value: string): string => `Cookie: ${value}\r\n`
const askMany = (count: number, fields = ''): Promise<SeenAnswer[]> =>
  Promise.all(Array.from({ length: count }, () => ask(proxy.port, get('/', fields))))
const many = (count: number): string => Array.from({ length: count }, (_, i) => `c${i}=${i}`).join('; ')
const texts = (answers: readonly SeenAnswer[]): string => [...new Set(answers.map(({ text }) => text))].toSorted().join('')

describe('a session', () => {
  it('keeps its client at one endpoint, by whichever worker, and is told once', async () => {
    await proxy.route(service(await origins('abc'), { sticky }))
    const first = await ask(proxy.port, get())
    expect(ours(first)).toMatch(/^hf=[\w-]{11}\.\w+\.\w+\.[\w-]{22}; Path=\/; HttpOnly; SameSite=Lax$/)
    expect(setCookies(first)).toContain('app=1')
    expect(first.fields.filter(([name]) => name === 'cache-control').map(([, value]) => value)).toEqual(['public, max-age=60', 'private'])
    const more = await askMany(30, cookie(`hf=${valueOf(first)}`))
    expect(texts(more)).toBe(first.text)
    expect(more.filter((answer) => ours(answer) !== undefined)).toEqual([])
    expect(more.every((answer) => fieldOf(answer, 'cache-control') === 'public, max-age=60')).toBe(true)
    expect(texts(await askMany(30))).toBe('abc')
  })

  it.each([
    ['hf=VALUE', []],
    ['a=1; hf=VALUE; b="x; y"', ['a=1; b="x; y"']],
    ['hf=forged; a=1; hf=VALUE', ['a=1']],
    [`${many(300)}; hf=VALUE`, [many(300)]],
    [`${'hf=x; '.repeat(1_000)}z=1; hf=VALUE`, ['z=1']],
    ['a="; hf=VALUE', ['a="']],
    ['hf=VALUE\r\nCookie: b=2; hf=x', ['b=2']],
    ['hfx=1; xhf=2;hf=VALUE ;HF=3', ['hfx=1; xhf=2;HF=3']],
  ])('is not shown to the service: %.30s', async (sent, seen) => {
    const [made] = await origins('a')
    await proxy.route(service([made!], { sticky }))
    const value = valueOf(await ask(proxy.port, get()))
    const answer = await ask(proxy.port, get('/', `X-A: 1\r\n${cookie(sent.replace('VALUE', value))}X-B: 2\r\n`))
    expect([answer.status, ours(answer) === undefined]).toEqual([200, !sent.startsWith('hf=x; hf=x')])
    const { fields, head } = made!.requests.at(-1)!
    expect(fields.filter(([name]) => name === 'cookie').map(([, each]) => each)).toEqual(seen)
    expect(head).not.toContain(value)
    expect(made!.malformed).toEqual([])
  })

  it('is begun anew when the cookie is forged, of another service, or too old', async () => {
    const [a, b] = await origins('ab')
    await proxy.route(service([a!, b!], { sticky: { ...sticky, ttlSeconds: 1 } }))
    const first = await ask(proxy.port, get())
    const value = valueOf(first)
    expect(ours(first)).toContain('; Max-Age=1;')
    expect(ours(await ask(proxy.port, get('/', cookie(`hf=${value.slice(0, -1)}${value.endsWith('a') ? 'b' : 'a'}`))))).toBeDefined()
    await new Promise((resolve) => setTimeout(resolve, 2_100))
    const answers = await askMany(20, cookie(`hf=${value}`))
    expect(answers.every((answer) => ours(answer) !== undefined)).toBe(true)
    expect(texts(answers)).toBe('ab')
    await proxy.route({ ...service([a!, b!], { sticky }), name: 'other' })
    expect(ours(await ask(proxy.port, get('/', cookie(`hf=${value}`))))).toBeDefined()
  })

  it.each(['maintenance', 'draining', 'refuses'] as const)('leaves an endpoint that is out (%s) at once, and stays with the next', async (how) => {
    const [a, b] = await origins('ab')
    const of = (state: 'active' | 'maintenance' | 'draining'): ReturnType<typeof service> =>
      service([endpoint(a!.port, { state }), endpoint(b!.port)], { sticky, algorithm: 'round-robin' })
    await proxy.route(of('active'))
    const answers = await askMany(10)
    const value = valueOf(answers.find(({ text }) => text === 'a')!)
    if (how === 'refuses') await a!.stop()
    else await proxy.route(of(how))
    const moved = await ask(proxy.port, get('/', cookie(`hf=${value}`)))
    expect([moved.status, moved.text]).toEqual([200, 'b'])
    expect(texts(await askMany(10, cookie(`hf=${valueOf(moved)}`)))).toBe('b')
  })

  it('may stay at a draining endpoint until its deadline', async () => {
    const [a, b] = await origins('ab')
    const of = (state: 'active' | 'draining'): ReturnType<typeof service> =>
      service([endpoint(a!.port, { state }), endpoint(b!.port)], { sticky: { ...sticky, drain: true } })
    await proxy.route(of('active'))
    const value = valueOf((await askMany(10)).find(({ text }) => text === 'a')!)
    await proxy.route(of('draining'))
    const began = performance.now()
    const drained = proxy.client.drained(`e${a!.port}`, 1_500)
    expect(texts(await askMany(10, cookie(`hf=${value}`)))).toBe('a')
    expect(texts(await askMany(10))).toBe('b')
    await drained
    expect(performance.now() - began).toBeGreaterThan(1_400)
  })
})

describe('a split', () => {
  const versions = (made: readonly Origin[], shares: Record<string, number>, more: object = {}): ReturnType<typeof service> =>
    service(
      made.map(({ port }, i) => endpoint(port, { revision: i === 0 ? 'v1' : 'v2' })),
      { split: { shares, by: { by: 'header', name: 'x-user' } }, ...more },
    )
  const user = (i: number, more = ''): Promise<SeenAnswer> => ask(proxy.port, get('/', `X-User: user-${i}\r\n${more}`))

  it('gives each client its side: 1,000 clients, growing shares, never back', async () => {
    const made = await origins('ab')
    let before = new Set<number>()
    for (const share of [0.05, 0.25, 0.5]) {
      await proxy.route(versions(made, { v1: 1 - share, v2: share }))
      const members = new Set<number>()
      for (let i = 0; i < 1_000; i += 50) {
        const answers = await Promise.all(Array.from({ length: 50 }, (_, k) => user(i + k)))
        answers.forEach(({ text }, k) => text === 'b' && members.add(i + k))
      }
      expect(Math.abs(members.size - 1_000 * share)).toBeLessThan(4 * Math.sqrt(1_000 * share * (1 - share)))
      expect([...before].filter((i) => !members.has(i))).toEqual([])
      before = members
    }
  })

  it('lets the other side serve while one has nobody, and nobody where the share is 0', async () => {
    const made = await origins('ab')
    await proxy.route(versions(made, { v1: 0, v2: 1 }))
    expect(texts(await askMany(20))).toBe('b')
    await made[1]!.stop()
    const answer = await ask(proxy.port, get())
    expect(answer.status).toBe(502)
    expect(made[0]!.requests).toEqual([])
    await proxy.route(versions(made, { v1: 0.01, v2: 0.99 }))
    expect(texts(await askMany(20))).toBe('a')
  })

  it('goes before a session, and a session keeps the side when the client comes from elsewhere', async () => {
    const made = await origins('ab')
    const more = { sticky }
    await proxy.route(versions(made, { v1: 1, v2: 0 }, more))
    const value = valueOf(await user(1))
    await proxy.route(versions(made, { v1: 0, v2: 1 }, more))
    const moved = await user(1, cookie(`hf=${value}`))
    expect([moved.text, ours(moved) !== undefined]).toEqual(['b', true])
    await proxy.route(versions(made, { v1: 0.5, v2: 0.5 }, more))
    for (let i = 0; i < 10; i++) {
      const known = await user(i)
      const elsewhere = await ask(proxy.port, get('/', cookie(`hf=${valueOf(known)}`)))
      expect(elsewhere.text).toBe(known.text)
    }
  })
})

describe('a route with conditions', () => {
  it('is taken by requests that meet all of them, the one with the most first', async () => {
    const [a, b, c] = await origins('abc')
    const route = (when?: RouteConditions): RouteView => ({ listener: 'web', path: '/', stripPath: false, when })
    await proxy.route(
      service([a!], { routes: [route()] }),
      { ...service([b!], { routes: [route({ headers: { 'x-beta': '*' } })] }), name: 'beta' },
      { ...service([c!], { routes: [route({ headers: { 'x-beta': '1' }, cookies: { team: 'red*' }, query: { debug: '1' } })] }), name: 'team' },
    )
    const to = async (target: string, fields: string): Promise<string> => (await ask(proxy.port, get(target, fields))).text
    expect(await to('/', '')).toBe('a')
    expect(await to('/', 'X-Beta: 2\r\n')).toBe('b')
    expect(await to('/?debug=1', 'X-Beta: 1\r\n')).toBe('b')
    expect(await to('/?debug=1', 'X-Beta: 1\r\nCookie: a=b\r\nCookie: team=red-7\r\n')).toBe('c')
    expect(await to('/?debug=%31', 'x-beta: 0\r\nX-BETA: 1\r\nCookie: team=redder\r\n')).toBe('c')
    expect(await to('/debug=1', 'X-Beta: 1\r\nCookie: team=red\r\n')).toBe('b')
    expect(await to('/', 'X_Beta: 1\r\n')).toBe('a')
  })
})

describe('sessions, when processes die,', () => {
  it('outlive workers and the proxy, by keys that nobody else reads', async () => {
    const [a, b] = await origins('ab')
    const view = service([a!, b!], { sticky })
    await proxy.route(view)
    const first = await ask(proxy.port, get())
    const mine = cookie(`hf=${valueOf(first)}`)
    const file = join(proxy.directory, 'session-keys')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const keys = readFileSync(file)
    const { workers } = await proxy.telemetry()
    for (const { pid } of workers) process.kill(pid, 'SIGKILL')
    await eventually('it serves again', () => proxy.signals.filter(({ type }) => type === 'workerExited').length >= 3)
    const settled = async (): Promise<SeenAnswer[]> => {
      for (;;) {
        try {
          return await askMany(10, mine)
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
      }
    }
    expect(texts(await settled())).toBe(first.text)
    process.kill(proxy.pid, 'SIGKILL')
    await eventually('an heir has come', () => proxy.signals.some(({ type }) => type === 'connected'))
    const after = await settled()
    expect(texts(after)).toBe(first.text)
    expect(after.filter((answer) => ours(answer) !== undefined)).toEqual([])
    expect(readFileSync(file)).toEqual(keys)
  })
})
