/** Roles: writes go to the one primary of real PostgreSQL and Redis servers, through failovers, by their own client libraries. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { createClient } from 'redis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ProxySignal, ServiceView } from '../../src/balancer/index.ts'
import { endpoint, eventually, freePort, pause, service, startProxy, type RunningProxy } from '../support/balancer-harness.ts'
import { makePair } from '../support/certificates.ts'
import { hasRedis, Postgres, postgresFolder, Redis } from '../support/databases.ts'

let proxy: RunningProxy
let readPort: number
const folder = mkdtempSync(join(tmpdir(), 'holdfast-roles-'))

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

beforeEach(async () => {
  proxy = await startProxy()
  readPort = await freePort()
})

afterEach(async () => {
  await proxy.stop()
})

const ask = { intervalMs: 1_000, timeoutMs: 500 }

function database(kind: 'postgres' | 'redis', ports: readonly number[], more: Partial<NonNullable<ServiceView['tcp']>> = {}): ServiceView {
  return service(
    ports.map((port) => endpoint(port)),
    {
      name: 'db',
      routes: [],
      algorithm: 'least-connections',
      connectTimeoutMs: 300,
      managed: true,
      parking: { timeoutMs: 10_000, requests: 100, bytes: 1_000_000 },
      tcp: { kind, listener: 'write', replicas: 'read', readFromPrimary: true, idleMs: 60_000, ask, ...more },
    },
  )
}

async function route(view: ServiceView): Promise<void> {
  await proxy.apply({
    listeners: [
      { name: 'write', host: '127.0.0.1', port: proxy.port, protocol: 'tcp' },
      { name: 'read', host: '127.0.0.1', port: readPort, protocol: 'tcp' },
    ],
    services: [view],
  })
}

type RoleChanged = Extract<ProxySignal, { type: 'roleChanged' }>
const roleChanges = (): RoleChanged[] => proxy.signals.filter((signal) => signal.type === 'roleChanged')
const roleNow = (port: number): string => roleChanges().findLast((change) => change.endpoint === `e${port}`)?.to ?? 'unknown'
const becomes = (port: number, role: string): Promise<unknown> => eventually(`${port} is ${role}`, () => roleNow(port) === role)

/** Tries until it can; a connection attempt that fails is made again, as any pool does. */
async function until<T>(action: () => Promise<T>, withinMs = 10_000): Promise<T> {
  const end = performance.now() + withinMs
  for (;;) {
    try {
      return await action()
    } catch (error) {
      if (performance.now() > end) throw error
      await pause(10)
    }
  }
}

describe.skipIf(postgresFolder() === undefined)('PostgreSQL', () => {
  let a: Postgres
  let b: Postgres

  beforeAll(async () => {
    a = await Postgres.primary()
    a.sql("create role holdfast login password 'pw'")
    a.sql('create table writes (at int)')
    b = await a.replica()
  }, 60_000)

  afterAll(async () => {
    await a.kill()
    await b.kill()
    Postgres.cleanUp()
  })

  /** The port of the server behind the connection, after one statement. */
  async function session(port: number, statement = 'select 1'): Promise<{ client: pg.Client; server: number; broken: Promise<void> }> {
    const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres', connectionTimeoutMillis: 8_000 })
    const broken = new Promise<void>((resolve) => {
      client.on('error', () => undefined)
      client.on('end', () => {
        resolve()
      })
    })
    await client.connect()
    try {
      await client.query(statement)
      const { rows } = await client.query<{ port: number }>("select current_setting('port')::int as port")
      return { client, server: rows[0]!.port, broken }
    } catch (error) {
      await client.end().catch(() => undefined)
      throw error
    }
  }

  it('asks with the rights of a plain role, and says it when the password is wrong', async () => {
    await route(database('postgres', [a.port, b.port], { ask: { ...ask, user: 'holdfast', password: 'pw', database: 'postgres' } }))
    await becomes(a.port, 'primary')
    await becomes(b.port, 'replica')
    await route(database('postgres', [a.port, b.port], { ask: { ...ask, user: 'holdfast', password: 'wrong' } }))
    const refused = await eventually('the refusal', () => proxy.signals.find((signal) => signal.type === 'roleRefused'))
    expect(refused).toMatchObject({ service: 'db', reason: 'password authentication failed for user "holdfast"' })
    const { endpoints } = await proxy.telemetry()
    expect(endpoints[`e${a.port}`]).toMatchObject({ health: 'healthy', role: { role: 'unknown' } })
  })

  it('asks by TLS, where connections without it are refused, and believes no certificate of another name', async () => {
    const pair = makePair(folder, 'db.internal', { hosts: ['db.internal'] })
    a.serveTls(pair, 'holdfast')
    const asked = { ...ask, user: 'holdfast', password: 'pw' }
    const believed = { ca: pair.cert, serverName: 'db.internal', verify: true }
    await route(database('postgres', [a.port], { ask: asked }))
    await eventually('the refusal', () => proxy.signals.find((signal) => signal.type === 'roleRefused'))
    await route(database('postgres', [a.port], { ask: { ...asked, tls: believed } }))
    await becomes(a.port, 'primary')
    expect(a.sql("select ssl from pg_stat_ssl natural join pg_stat_activity where usename = 'holdfast'")).toBe('t')
    await route(database('postgres', [a.port], { ask: { ...asked, tls: { ...believed, serverName: 'other.internal' } } }))
    const reason = 'shows a certificate for another name'
    await eventually('another name', () => proxy.signals.find((signal) => signal.type === 'roleRefused' && signal.reason.includes(reason)))
    a.servePlain()
  })

  it('sends writers to the primary, readers to the replica, and counts them', async () => {
    await route(database('postgres', [b.port, a.port]))
    const writers = await Promise.all(Array.from({ length: 5 }, () => session(proxy.port, 'insert into writes values (1)')))
    const readers = await Promise.all(Array.from({ length: 5 }, () => session(readPort)))
    expect(new Set(writers.map(({ server }) => server))).toEqual(new Set([a.port]))
    expect(new Set(readers.map(({ server }) => server))).toEqual(new Set([b.port]))
    const { endpoints, services } = await proxy.telemetry()
    expect(services.db).toMatchObject({ tunnels: 10, active: 10 })
    expect(endpoints[`e${a.port}`]).toMatchObject({ active: 5, role: { role: 'primary' } })
    expect(endpoints[`e${b.port}`]).toMatchObject({ active: 5, role: { role: 'replica', lagMs: 0 } })
    expect(endpoints[`e${a.port}`]!.tcp!.received).toBeGreaterThan(500)
    await Promise.all([...writers, ...readers].map(({ client }) => client.end()))
  })

  it('tells a client that finds no primary so, in its own protocol', async () => {
    await route({ ...database('postgres', [b.port]), parking: { timeoutMs: 500, requests: 10, bytes: 1_000_000 } })
    await becomes(b.port, 'replica')
    await expect(session(proxy.port)).rejects.toMatchObject({ code: '57P03', message: 'holdfast: no primary is known' })
    expect((await session(readPort)).server).toBe(b.port)
  })

  it('follows a failover: clients write again within about two seconds of the promotion, and never to the old primary', async () => {
    await route(database('postgres', [a.port, b.port]))
    await becomes(a.port, 'primary')
    const writer = await session(proxy.port)
    const reader = await session(readPort)
    await a.kill()
    await writer.broken
    b.promote()
    // How long the promotion itself takes is a matter of PostgreSQL and its disk.
    const promotedAt = performance.now()
    const next = await until(() => session(proxy.port, 'insert into writes values (2)'))
    const backMs = performance.now() - promotedAt
    expect(next.server).toBe(b.port)
    expect(backMs).toBeLessThan(4_000)
    expect(await until(async () => (await session(readPort)).server)).toBe(b.port)
    // The old one comes back and knows nothing of it.
    await a.start()
    expect(a.sql('select pg_is_in_recovery()')).toBe('f')
    await becomes(a.port, 'stale')
    for (let i = 0; i < 5; i++) expect((await session(proxy.port)).server).toBe(b.port)
    // Also when it is alone: what was written to the other is missing here.
    await b.kill()
    await eventually('nobody is the primary', () => roleNow(b.port) === 'unknown')
    await pause(600)
    expect(roleNow(a.port)).toBe('stale')
    await b.start()
    await becomes(b.port, 'primary')
    await next.client.end().catch(() => undefined)
    await reader.client.end().catch(() => undefined)
  })

  it('cuts the writers of a primary that was stopped while another one took over', async () => {
    const c = await b.replica()
    try {
      await route(database('postgres', [b.port, c.port]))
      await becomes(b.port, 'primary')
      const writer = await session(proxy.port)
      b.signal('SIGSTOP')
      c.promote()
      await becomes(c.port, 'primary')
      await writer.broken
      expect((await until(() => session(proxy.port, 'insert into writes values (3)'))).server).toBe(c.port)
      b.signal('SIGCONT')
      await becomes(b.port, 'stale')
      for (let i = 0; i < 5; i++) expect((await session(proxy.port)).server).toBe(c.port)
      expect(c.sql('select count(*) from writes where at = 3')).toBe('1')
      expect(b.sql('select count(*) from writes where at = 3')).toBe('0')
    } finally {
      b.signal('SIGCONT')
      await c.kill()
    }
  })
})

describe.skipIf(!hasRedis())('Redis', () => {
  let a: Redis
  let b: Redis
  let c: Redis
  const servers = (): number[] => [a.port, b.port, c.port]

  beforeEach(async () => {
    ;[a, b, c] = [await Redis.start(), await Redis.start(), await Redis.start()]
    await b.follow(a)
    await c.follow(a)
  })

  afterEach(async () => {
    for (const each of [a, b, c]) await each.end()
  })

  const connected = async (port: number): Promise<ReturnType<typeof createClient>> => {
    const client = createClient({ socket: { host: '127.0.0.1', port, connectTimeout: 5_000, reconnectStrategy: 20 } })
    client.on('error', () => undefined)
    await client.connect()
    return client as ReturnType<typeof createClient>
  }
  const serverOf = async (client: ReturnType<typeof createClient>): Promise<number> => Number(/tcp_port:(\d+)/.exec(await client.info('server'))![1])

  it('sends writers to the primary and spreads readers over the replicas', async () => {
    await route(database('redis', servers()))
    const writer = await connected(proxy.port)
    expect(await serverOf(writer)).toBe(a.port)
    const readers = await Promise.all(Array.from({ length: 6 }, () => connected(readPort)))
    const ports = await Promise.all(readers.map(serverOf))
    expect(ports.filter((port) => port === b.port)).toHaveLength(3)
    expect(ports.filter((port) => port === c.port)).toHaveLength(3)
    for (const client of [writer, ...readers]) client.destroy()
  })

  it('reads from the primary only where that is wanted', async () => {
    await route(database('redis', [a.port]))
    const client = await connected(readPort)
    expect(await serverOf(client)).toBe(a.port)
    client.destroy()
    await route({ ...database('redis', [a.port], { readFromPrimary: false }), parking: { timeoutMs: 300, requests: 10, bytes: 1_000_000 } })
    const refused = createClient({ socket: { host: '127.0.0.1', port: readPort, reconnectStrategy: false } })
    refused.on('error', () => undefined)
    await expect(refused.connect()).rejects.toThrow('no endpoint is available')
  })

  it('a demotion on the living server cuts its writers at once, and they come back at the new primary', async () => {
    await route(database('redis', servers()))
    const writer = await connected(proxy.port)
    expect(await serverOf(writer)).toBe(a.port)
    await b.follow(c).catch(() => undefined)
    b.cli('replicaof', 'no', 'one')
    a.cli('replicaof', '127.0.0.1', String(b.port))
    await becomes(b.port, 'primary')
    await until(async () => {
      await writer.set('key', 'value')
      expect(await serverOf(writer)).toBe(b.port)
    })
    expect(b.cli('get', 'key')).toBe('value')
    expect(Object.values((await proxy.telemetry()).endpoints).reduce((sum, { tcp }) => sum + (tcp?.cut ?? 0), 0)).toBeGreaterThan(0)
    writer.destroy()
  })

  it('under load through a failover: every write that was acknowledged after the promotion is at the new primary', async () => {
    await route(database('redis', servers()))
    await becomes(a.port, 'primary')
    const clients = await Promise.all(Array.from({ length: 8 }, () => connected(proxy.port)))
    let stop = false
    let promoted = Infinity
    let firstAfter = Infinity
    const acknowledged: string[] = []
    const load = clients.map(async (client, index) => {
      for (let i = 0; !stop; i++) {
        const began = performance.now()
        const key = `k${index}-${i}`
        try {
          await client.set(key, '1')
        } catch {
          await pause(5)
          continue
        }
        if (began < promoted) continue
        acknowledged.push(key)
        firstAfter = Math.min(firstAfter, performance.now())
      }
    })
    await pause(300)
    await a.kill()
    b.cli('replicaof', 'no', 'one')
    promoted = performance.now()
    // It comes back empty, and takes itself for the primary.
    await a.start()
    await eventually('written again', () => firstAfter < Infinity)
    await pause(500)
    stop = true
    await Promise.all(load)
    expect(firstAfter - promoted).toBeLessThan(3_000)
    const found = Number(b.cli('exists', ...acknowledged.slice(0, 5_000)))
    expect(found).toBe(Math.min(5_000, acknowledged.length))
    for (const client of clients) client.destroy()
  })

  it('asks by TLS', async () => {
    const pair = makePair(folder, 'redis.internal', { hosts: ['redis.internal'] })
    const port = await freePort()
    const files = ['--tls-cert-file', pair.certFile, '--tls-key-file', pair.keyFile, '--tls-ca-cert-file', pair.certFile]
    const secure = await Redis.start('--tls-port', String(port), '--tls-auth-clients', 'no', ...files)
    try {
      await route(database('redis', [port], { ask: { ...ask, tls: { ca: pair.cert, serverName: 'redis.internal', verify: true } } }))
      await becomes(port, 'primary')
    } finally {
      await secure.end()
    }
  })

  it('says that it may not ask', async () => {
    const locked = await Redis.start('--requirepass', 'pw')
    try {
      await route(database('redis', [locked.port]))
      const refused = await eventually('the refusal', () => proxy.signals.find((signal) => signal.type === 'roleRefused'))
      expect(refused).toMatchObject({ reason: expect.stringContaining('NOAUTH') as string })
      await route(database('redis', [locked.port], { ask: { ...ask, password: 'pw' } }))
      await becomes(locked.port, 'primary')
    } finally {
      await locked.end()
    }
  })
})
