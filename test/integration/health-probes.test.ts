/** Every kind of check against the real thing: PostgreSQL, Redis, TLS, DNS, HTTP, commands, files, processes, this machine. One configuration for all. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { connect, createServer as createTcpServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/index.ts'
import { Checks, definitionOf, MachineView } from '../../src/health/index.ts'
import type { CheckDetail } from '../../src/health/types.ts'
import { newId, systemClock, systemRandom } from '../../src/kernel/system.ts'
import { eventually, freePort } from '../support/balancer-harness.ts'
import { makePair } from '../support/certificates.ts'
import { hasRedis, Postgres, postgresFolder, Redis } from '../support/databases.ts'
import { DnsServer } from '../support/dns-server.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-checks-'))
const checks = new Checks({ clock: systemClock, random: systemRandom, events: { emit: () => newId() }, canaries: () => [] })
const ends: (() => unknown)[] = []

/** Makes a check that is written as in the file, once. */
async function look(text: string): Promise<
  Pick<CheckDetail, 'state' | 'message' | 'level'> & {
    readonly value: number | undefined
    readonly outcome: string | undefined
    readonly certificateDays: number
  }
> {
  const name = `check-${newId()}`
  const { config } = parseConfig(`services: {}\nhealth:\n  checks: [{ name: ${name}, interval: 7d, alertAfter: 1, ${text} }]\n`, {
    env: {},
    baseDir: folder,
  })
  const [one] = config.health?.checks ?? []
  if (!one) throw new Error('there is no check in the configuration')
  const registered = checks.register(definitionOf(one, { clock: systemClock, machine: new MachineView(systemClock), heartbeats: checks.heartbeats }))
  try {
    const { state, message, level, last } = await checks.run(name)
    return { state, message, level, value: last?.value, outcome: last?.outcome, certificateDays: (last?.certificateMs ?? NaN) / 86_400_000 }
  } finally {
    registered[Symbol.dispose]()
  }
}

async function listen(server: Server | TcpServer | TlsServer): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(() => server.close())
  return (server.address() as AddressInfo).port
}

beforeAll(async () => {
  await checks.start()
})

afterAll(async () => {
  checks.stop()
  for (const end of ends.reverse()) await end()
  rmSync(folder, { recursive: true, force: true })
})

describe('http', () => {
  it('judges status, text, JSON and time; a server that never answers is cut off', async () => {
    const held = new Set<Socket>()
    const server = createServer((request, response) => {
      if (request.url === '/hang') return
      if (request.url === '/endless') {
        const more = setInterval(() => response.write('x'.repeat(65_536)), 1)
        response.on('close', () => {
          clearInterval(more)
        })
        return
      }
      response.statusCode = request.url === '/broken' ? 503 : 200
      response.end(JSON.stringify({ status: { db: request.headers['x-check'] ?? 'ok' }, queue: 7, items: [{ ready: true }] }))
    })
    server.on('connection', (socket) => held.add(socket))
    ends.push(() => {
      for (const socket of held) socket.destroy()
    })
    const url = `http://127.0.0.1:${await listen(server)}`
    expect(await look(`http: "${url}/"`)).toMatchObject({ state: 'up', message: 'status 200' })
    expect(await look(`http: "${url}/broken"`)).toMatchObject({ state: 'down', message: 'expected status 200-399, got 503' })
    expect(await look(`http: { url: "${url}/broken", expect: { status: 503 } }`)).toMatchObject({ state: 'up' })
    expect(await look(`http: { url: "${url}/", expect: { body: sorry } }`)).toMatchObject({
      state: 'down',
      message: 'status 200, and the answer does not contain "sorry"',
    })
    expect(await look(`http: { url: "${url}/", expect: { json: status.db = ok } }`)).toMatchObject({ state: 'up', message: 'status.db is "ok"' })
    expect(await look(`http: { url: "${url}/", headers: { x-check: bad }, expect: { json: status.db = ok } }`)).toMatchObject({
      state: 'down',
      message: 'expected status.db to be ok, got "bad"',
    })
    expect(await look(`http: { url: "${url}/", expect: { json: "items[0].ready = true" } }`)).toMatchObject({ state: 'up' })
    expect(await look(`http: { url: "${url}/", expect: { json: nothing } }`)).toMatchObject({
      state: 'down',
      message: 'status 200, and there is no nothing in the answer',
    })
    expect(await look(`http: { url: "${url}/", expect: { json: queue } }, warnAt: 5`)).toMatchObject({ state: 'up', level: 'warning', value: 7 })
    expect(await look(`http: { url: "${url}/", method: HEAD }, warnAt: 1h, criticalAt: 2h`)).toMatchObject({ state: 'up', level: 'ok' })
    expect(await look(`http: { url: "${url}/endless", expect: { body: y } }, timeout: 10s`)).toMatchObject({ state: 'down' })
    expect(await look(`http: "${url}/hang", timeout: 200ms`)).toMatchObject({
      state: 'down',
      message: 'no answer within 200 ms: connected, and waiting for its answer',
    })
    expect(await look(`http: "http://127.0.0.1:${await freePort()}/"`)).toMatchObject({
      state: 'down',
      message: expect.stringContaining('ECONNREFUSED') as string,
    })
  })
})

describe('https', () => {
  it('reads how long the certificate is still valid, and warns or fails by that', async () => {
    const { cert, key, certFile } = makePair(folder, 'shop', { hosts: ['localhost'] })
    const port = await listen(createSecureServer({ cert, key }, (_request, response) => response.end('ok')))
    const at = (more: string): ReturnType<typeof look> => look(`http: { url: "https://localhost:${port}/", ${more} }`)
    const valid = expect.closeTo(30, 0) as number
    expect(await at(`ca: ${certFile}`)).toMatchObject({ state: 'up', level: 'ok', message: 'status 200', certificateDays: valid })
    expect(await at(`ca: ${certFile}, certificate: { warnAt: 40d, criticalAt: 7d }`)).toMatchObject({
      ...{ state: 'up', level: 'warning', certificateDays: valid },
      message: expect.stringMatching(/^status 200, and the certificate is valid for (29|30) more days, warning from 40d$/) as string,
    })
    expect(await at(`ca: ${certFile}, certificate: { warnAt: 90d, criticalAt: 60d }`)).toMatchObject({ state: 'down', level: 'critical' })
    expect(await at('')).toMatchObject({ state: 'down', message: expect.stringContaining('name its authority with ca') as string })
    expect(await at('ca: nowhere.pem')).toMatchObject({ outcome: 'inconclusive' })
    expect(await look(`http: "http://127.0.0.1:${port}/"`)).toMatchObject({ state: 'down' })
  })

  it('says what was found of whoever speaks something else, or stops in the middle', async () => {
    const says = async (text: string, then: 'end' | 'destroy' = 'end'): Promise<string> => {
      const server = createTcpServer((socket) => {
        socket.on('error', () => undefined).resume()
        socket.write(text, () => (then === 'end' ? socket.end() : socket.destroy()))
      })
      return `127.0.0.1:${await listen(server)}`
    }
    const greeting = await says('SSH-2.0-OpenSSH_9.2\r\n')
    const message = async (check: string): Promise<string | undefined> => (await look(check)).message
    expect(await message(`http: "http://${greeting}/"`)).toMatch(/^what it answers is not HTTP \(/)
    expect(await message(`http: "https://${greeting}/"`)).toBe('it does not speak TLS (wrong version number)')
    expect(await message(`tls: "${greeting}"`)).toBe('it does not speak TLS (wrong version number)')
    expect(await message(`http: "http://${await says(`HTTP/1.1 200 OK\r\nX-A: ${'y'.repeat(40_000)}\r\n`)}/"`)).toMatch(
      /^the head of its answer is larger/,
    )
    expect(
      await message(`http: { url: "http://${await says('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok', 'destroy')}/", expect: { body: x } }`),
    ).toMatch(/^it closed the connection in the middle of its answer$/)
    expect(await message(`http: "http://${await says('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n')}/"`)).toBe(
      'expected status 200-399, got 101',
    )
  })
})

describe('tcp and connections', () => {
  it('connects, and counts who is connected', async () => {
    const sockets = new Set<Socket>()
    const server = createTcpServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => undefined)
    })
    ends.push(() => {
      for (const socket of sockets) socket.destroy()
    })
    const port = await listen(server)
    expect(await look(`tcp: "127.0.0.1:${port}"`)).toMatchObject({ state: 'up', message: 'connected' })
    const clients = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
    ends.push(() => {
      for (const client of clients) client.destroy()
    })
    await Promise.all(clients.map((client) => once(client, 'connect')))
    expect(await look(`connections: ${port}, criticalAt: 2`)).toMatchObject({ state: 'down', value: 2 })
    expect(await look('connections: on')).toMatchObject({ state: 'up' })
    expect(await look(`tcp: "127.0.0.1:${await freePort()}"`)).toMatchObject({ state: 'down' })
  })
})

describe('tls', () => {
  it('knows how long a certificate is still valid, for whom it is, and who signed it', async () => {
    const good = makePair(folder, 'good', { hosts: ['shop.test'] })
    const port = await listen(createTlsServer({ cert: good.cert, key: good.key }, (socket) => socket.on('error', () => undefined)))
    const at = (more: string, rest = ''): ReturnType<typeof look> => look(`tls: { address: "127.0.0.1:${port}"${more} }${rest}`)
    const trusted = `, serverName: shop.test, ca: ${good.certFile}`
    expect(await at(trusted)).toMatchObject({ state: 'up', level: 'ok', message: expect.stringContaining('29 more days') as string })
    expect(await at(trusted, ', warnAt: 40d, criticalAt: 20d')).toMatchObject({ state: 'up', level: 'warning' })
    expect(await at(trusted, ', warnAt: 60d, criticalAt: 31d')).toMatchObject({ state: 'down', level: 'critical' })
    expect(await at(', serverName: shop.test')).toMatchObject({ state: 'down', message: expect.stringContaining('not to be trusted') as string })
    expect(await at(`, serverName: other.test, ca: ${good.certFile}`)).toMatchObject({
      state: 'down',
      message: expect.stringContaining('other.test') as string,
    })
    expect(await at(', verify: false')).toMatchObject({ state: 'up' })
    const plain = await listen(createTcpServer((socket) => socket.end('hello\n').on('error', () => undefined)))
    expect(await look(`tls: "127.0.0.1:${plain}"`)).toMatchObject({ state: 'down' })
  })
})

describe('dns', () => {
  it('asks a server for a record and compares what it answers', async () => {
    const server = await DnsServer.start()
    ends.push(() => {
      server.end()
    })
    server.records = {
      'shop.test': { A: ['192.0.2.1', '192.0.2.2'], MX: ['10 mail.shop.test'], TXT: ['v=spf1 -all'], SRV: ['1 2 8080 web.shop.test'] },
      'empty.test': {},
    }
    const ask = (more: string, rest = ''): ReturnType<typeof look> => look(`dns: { server: "127.0.0.1:${server.port}", ${more} }${rest}`)
    expect(await ask('name: shop.test')).toMatchObject({ state: 'up', message: '192.0.2.1, 192.0.2.2' })
    expect(await ask('name: shop.test, expect: [192.0.2.2]')).toMatchObject({ state: 'up' })
    expect(await ask('name: shop.test, expect: [192.0.2.3]')).toMatchObject({
      state: 'down',
      message: 'expected 192.0.2.3, got 192.0.2.1, 192.0.2.2',
    })
    expect(await ask('name: shop.test, type: MX, expect: ["10 mail.shop.test."]')).toMatchObject({ state: 'up' })
    expect(await ask('name: shop.test, type: TXT, expect: ["v=spf1 -all"]')).toMatchObject({ state: 'up' })
    expect(await ask('name: shop.test, type: SRV')).toMatchObject({ state: 'up', message: '1 2 8080 web.shop.test' })
    expect(await ask('name: other.test')).toMatchObject({ state: 'down', message: 'asked for A of other.test: there is no such name' })
    expect(await ask('name: empty.test')).toMatchObject({ state: 'down', message: 'asked for A of empty.test: there is no such record' })
    server.silent = true
    expect(await ask('name: shop.test', ', timeout: 300ms')).toMatchObject({
      state: 'down',
      message: expect.stringMatching(/^no answer within 300 ms: asking 127/) as string,
    })
  })
})

describe.runIf(hasRedis())('redis', () => {
  it('gets its PONG, or says why not', async () => {
    const redis = await Redis.start('--requirepass', 'hunter2')
    ends.push(() => redis.end())
    expect(await look(`redis: "redis://:hunter2@127.0.0.1:${redis.port}"`)).toMatchObject({ state: 'up', message: 'answered PONG' })
    const refused = await look(`redis: "redis://:hunter3@127.0.0.1:${redis.port}"`)
    expect(refused).toMatchObject({ state: 'down', message: expect.stringContaining('WRONGPASS') as string })
    expect(refused.message).not.toContain('hunter')
    expect(await look(`redis: "redis://127.0.0.1:${await freePort()}"`)).toMatchObject({
      state: 'down',
      message: expect.stringContaining('ECONNREFUSED') as string,
    })
  })
})

describe.runIf(postgresFolder() !== undefined)('postgres', () => {
  it('logs in and asks; a number that comes back has thresholds', async () => {
    const server = await Postgres.primary()
    ends.push(async () => {
      await server.kill()
      Postgres.cleanUp()
    })
    const at = (who: string, more = ''): string => `postgres: { url: "postgres://${who}@127.0.0.1:${server.port}/postgres"${more} }`
    server.sql("create role holdfast login password 'pw'")
    expect(await look(`${at('holdfast:pw')}, timeout: 10s`)).toMatchObject({ state: 'up', message: 'answered' })
    expect(await look(`${at('holdfast:pw', ', query: "select count(*) from generate_series(1, 12)"')}, timeout: 10s, criticalAt: 10`)).toMatchObject({
      state: 'down',
      level: 'critical',
      value: 12,
    })
    const wrong = await look(`${at('holdfast:wrong')}, timeout: 10s`)
    expect(wrong).toMatchObject({ state: 'down', message: expect.stringContaining('password authentication failed') as string })
    expect(wrong.message).not.toContain('wrong')
    expect(await look(`${at('holdfast:pw', ', query: "select nonsense"')}, timeout: 10s`)).toMatchObject({
      state: 'down',
      message: expect.stringContaining('nonsense') as string,
    })
    expect(await look(`${at('holdfast:pw', ', query: "select pg_sleep(60)"')}, timeout: 500ms`)).toMatchObject({ state: 'down' })
    await eventually(
      'the server is rid of it',
      () => server.sql("select count(*) from pg_stat_activity where query like 'select pg_sleep%'") === '0' || undefined,
    )
  }, 60_000)
})

describe('command', () => {
  const alive = (marker: string): string[] =>
    readdirSync('/proc').filter((pid) => {
      try {
        return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(marker)
      } catch {
        return false // it has ended
      }
    })

  it('passes by its exit code; its last line is the message, or the number', async () => {
    expect(await look('command: "echo all well"')).toMatchObject({ state: 'up', message: 'all well' })
    expect(await look('command: "echo out; echo broken >&2; exit 3"')).toMatchObject({
      state: 'down',
      message: 'expected exit code 0, got 3: broken',
    })
    expect(await look('command: { command: "exit 3", exitCode: 3 }')).toMatchObject({ state: 'up' })
    expect(await look('command: "echo 42", warnAt: 40')).toMatchObject({ state: 'up', level: 'warning', value: 42 })
    expect(await look('command: "kill -9 $$"')).toMatchObject({ state: 'down', message: 'ended by SIGKILL' })
    expect(await look('command: "head -c 3000000 /dev/zero | tr \'\\\\0\' x; echo; echo end"')).toMatchObject({ state: 'up', message: 'end' })
    expect(await look('command: { command: "true", cwd: nowhere }')).toMatchObject({ state: 'unknown', outcome: 'inconclusive' })
  })

  it('that floods is killed, and gets what services get of our environment', async () => {
    process.env.HOLDFAST_TEST_SECRET = 'hush'
    expect(await look(`command: "head -c 200000000 /dev/zero"`)).toMatchObject({
      state: 'down',
      message: 'it printed more than 64 MiB and was killed',
    })
    expect(await look(`command: "echo [$HOLDFAST_TEST_SECRET]"`)).toMatchObject({ state: 'up', message: '[]' })
    delete process.env.HOLDFAST_TEST_SECRET
    expect(await look(`command: { command: "true", cwd: /nowhere }`)).toMatchObject({
      outcome: 'inconclusive',
      message: 'could not be made: tried to run "true" in /nowhere: there is no such directory',
    })
  })

  it('is killed with all its children when its time is over, whatever it ignores', async () => {
    const marker = `holdfast-stubborn-${process.pid}`
    const script = join(folder, `${marker}.sh`)
    writeFileSync(script, `trap '' TERM INT HUP\nsleep 300 &\nwhile :; do sleep 0.2; done\n`)
    expect(await look(`command: "sh ${script}", timeout: 500ms`)).toMatchObject({
      state: 'down',
      message: 'no answer within 500 ms: it still ran, and was killed',
    })
    await eventually('nothing of it is left', () => alive(marker).length === 0 || undefined)
  })
})

describe('what this machine has', () => {
  it('a file and its age', async () => {
    const file = join(folder, 'export.csv')
    writeFileSync(file, '')
    utimesSync(file, new Date(), new Date(Date.now() - 3_600_000))
    expect(await look('file: export.csv')).toMatchObject({ state: 'up', message: 'last changed 3600 s ago' })
    expect(await look('file: export.csv, criticalAt: 30m')).toMatchObject({ state: 'down', level: 'critical' })
    expect(await look('file: missing.csv')).toMatchObject({ state: 'down', message: 'there is no such file' })
  })

  it('processes by name, pid file and command line', async () => {
    const child = spawn('sleep', ['86399'])
    ends.push(() => child.kill('SIGKILL'))
    await once(child, 'spawn')
    writeFileSync(join(folder, 'sleep.pid'), `${String(child.pid)}\n`)
    expect(await look('process: { pidFile: sleep.pid }')).toMatchObject({ state: 'up', value: 1 })
    expect(await look('process: { pattern: sleep 86399 }')).toMatchObject({ state: 'up', value: 1 })
    expect(await look('process: { pattern: sleep 86399, min: 2 }')).toMatchObject({ state: 'down', value: 1 })
    expect(await look('process: sleep')).toMatchObject({ state: 'up' })
    expect(await look('process: { name: no-such-program, min: 0, max: 0 }')).toMatchObject({ state: 'up', value: 0 })
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
    expect(await look('process: { pidFile: sleep.pid }')).toMatchObject({ state: 'down' })
    expect(await look('process: { pidFile: missing.pid }')).toMatchObject({ state: 'down' })
  })

  it('space, memory, cores, load and interfaces', async () => {
    const share = expect.objectContaining({ outcome: 'pass' }) as unknown
    for (const text of ['disk: .', 'memory: on', 'cpu: on', 'load: on']) {
      const found = await look(`${text}, warnAt: ${text.startsWith('load') ? '1000000' : '100%'}`)
      expect(found.value, text).toBeGreaterThanOrEqual(0)
      expect(found.outcome === 'pass' || found.level === 'critical', text).toBe(true)
    }
    expect(await look('network: lo')).toEqual(share)
    expect(await look('network: nosuch0')).toMatchObject({ state: 'down', message: 'there is no interface nosuch0' })
    expect(await look('disk: /nowhere')).toMatchObject({ state: 'down' })
  })
})

describe('a heartbeat', () => {
  it('is waited for, heard, and believed when it says that it failed', async () => {
    const { config } = parseConfig('services: {}\nhealth:\n  checks: [{ name: nightly, heartbeat: 10s }]\n', { env: {} })
    const [one] = config.health?.checks ?? []
    if (!one) throw new Error('there is no check')
    const registered = checks.register(
      definitionOf(one, { clock: systemClock, machine: new MachineView(systemClock), heartbeats: checks.heartbeats }),
    )
    expect((await checks.run('nightly')).state).toBe('unknown')
    checks.beat('nightly', {})
    expect((await checks.run('nightly')).state).toBe('up')
    checks.beat('nightly', { ok: false, message: 'dump failed' })
    expect(await checks.run('nightly')).toMatchObject({ state: 'down', message: 'it said itself that it failed: dump failed' })
    registered[Symbol.dispose]()
  })
})
