/** A day without accidents: what an operator does to a running system, by the commands and signals that he has. */
import { readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Overview } from '../../src/app/operations.ts'
import { until } from '../chaos/wait.ts'
import { pidsOf, Product } from '../support/product.ts'

let product: Product

beforeEach(async () => {
  product = await Product.create()
})
afterEach(async () => {
  expect(await product.end()).toEqual([])
})

/** Of a service that itself needs 300 ms; the target holds on an idle machine, the limit on one that runs other tests. */
const firstAnswerTargetMs = 1_500
const firstAnswerLimitMs = 5_000

const releaseNow = async (path = '/'): Promise<string> => (JSON.parse((await product.get(path)).text) as { release: string }).release

describe('holdfast up', () => {
  it('answers through the balancer soon after the start', async () => {
    product.configure({ web: { instances: 2, env: { START_MS: '300' } } })
    const up = product.start(['up'])
    await until('the first balanced answer', () =>
      product.get().then(
        ({ status }) => status === 200 || undefined,
        () => undefined,
      ),
    )
    const took = up.ms
    console.log(`first balanced answer ${took.toFixed(0)} ms after holdfast up, of a service that needs 300 ms (target ${firstAnswerTargetMs} ms)`)
    expect(took).toBeLessThan(firstAnswerLimitMs)
    await product.serves(up)
    await product.down()
    expect(await up.ended).toMatchObject({ code: 0, stderr: '' })
  })

  it('is asked and told by the other commands', async () => {
    product.configure({ web: { instances: 2 } })
    const up = await product.up()

    const { code, stdout } = await product.run('status', '--json')
    const { data } = JSON.parse(stdout) as { data: Overview }
    expect([code, data.status, data.pid, data.services.map(({ name, ready, desired }) => [name, ready, desired])]).toEqual([
      0,
      'healthy',
      up.pid,
      [['web', 2, 2]],
    ])
    expect((await product.must('status')).stdout).toMatch(/^e2e \(local\) is healthy/)

    await product.must('scale', 'web', '4', '--reason', 'noon')
    await product.settled(4)
    const [scaled] = await product.events('service.scaled')
    expect(scaled?.data).toMatchObject({ from: 2, to: 4, reason: 'noon', trigger: 'manual' })
    await product.must('scale', 'web', '2')
    const before = pidsOf((await product.settled(2)).instances)

    await product.must('restart', 'web')
    const after = pidsOf((await product.settled(2)).instances)
    expect(after.filter((pid) => before.includes(pid))).toEqual([])

    const logs = await product.must('logs', 'web', '--grep', 'listening')
    expect(logs.stdout.split('\n').filter((line) => line.includes('listening, release 1')).length).toBeGreaterThanOrEqual(4)
    expect((await product.must('events', '--type', 'service.scaled')).stdout).toMatch(/noon/)
    await product.down()
  })

  it('puts a service under maintenance, with a page for people and a document for programs', async () => {
    product.configure()
    await product.up()
    await product.must('maintenance', 'web', 'on')
    const page = await product.get('/', { accept: 'text/html' })
    expect([page.status, page.headers.get('content-type'), page.headers.get('retry-after')]).toEqual([503, 'text/html; charset=utf-8', '60'])
    expect(page.text).toContain('maintenance')
    const document = await product.get('/', { accept: 'application/json' })
    expect([document.status, document.headers.get('content-type')?.split(';')[0]]).toEqual([503, 'application/json'])
    expect(JSON.parse(document.text)).toMatchObject({ success: false })
    expect((await product.service()).health).toBe('maintenance')
    await product.must('maintenance', 'web', 'off')
    expect((await product.get()).status).toBe(200)
    await product.down()
  })
})

describe('a changed configuration', () => {
  const configure = (release: string, extra = {}): void => {
    product.configure({
      web: { instances: 2, env: { RELEASE: release } },
      other: { routes: [{ path: '/other' }], ...extra },
    })
  }

  it('is applied by a second up: only what differs changes', async () => {
    configure('1')
    const up = await product.up()
    const [web, other] = [await product.pids('web'), await product.pids('other')]
    expect((await product.must('up')).stdout).toMatch(/already runs this configuration; nothing changed/)
    expect([await product.pids('web'), await product.pids('other')]).toEqual([web, other])

    configure('2', { resilience: { timeout: '7s' } })
    const applied = await product.must('up')
    expect(applied.stdout).toMatch(new RegExp(`^holdfast \\(pid ${up.pid}\\) applied 2 changes:`))
    await until('the new release answers', async () => ((await releaseNow()) === '2' ? true : undefined))
    const settled = await product.settled(2)
    expect(settled.instances.map(({ revision }) => revision)).toEqual([2, 2])
    expect(pidsOf(settled.instances).filter((pid) => web.includes(pid))).toEqual([])
    // Its routing changed, its processes did not.
    expect(await product.pids('other')).toEqual(other)
    await product.down()
  })

  it('is applied by SIGHUP; a bad one changes nothing and is reported', async () => {
    configure('1')
    const up = await product.up()
    const other = await product.pids('other')
    configure('2')
    up.signal('SIGHUP')
    await until('the new release answers', async () => ((await releaseNow()) === '2' ? true : undefined))
    const settled = await product.settled(2)
    expect(await product.pids('other')).toEqual(other)

    product.write('holdfast.yml', 'data: ./data\nservices:\n  web: { comand: x }\n')
    up.signal('SIGHUP')
    await until('the refusal is told', () => up.stdout.concat(up.stderr).includes('kept the old one') || undefined)
    const [refused] = await product.events('config.refused')
    const problem = 'holdfast.yml:3:10 services.web.comand: unknown key; did you mean "command"?'
    expect(refused).toMatchObject({ level: 'error', message: expect.stringContaining(problem) as string, data: { problems: [problem] } })
    expect(up.stdout).toMatch(
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d error {4}config\.refused SIGHUP offered a configuration that was refused, .*holdfast\.yml:3:10 /m,
    )
    expect(await product.pids('web')).toEqual(pidsOf(settled.instances))
    await product.down()
  })

  it('adds, removes and moves: services come and go, a listener changes its port', async () => {
    configure('1')
    await product.up()
    const web = await product.pids('web')
    const { ports } = product
    product.configure(
      { web: { instances: 2, env: { RELEASE: '1' } }, third: { routes: [{ path: '/third' }] } },
      { listeners: { web: { port: ports.web, host: '127.0.0.1' }, more: { port: ports.spare, host: '127.0.0.1' } } },
    )
    await product.must('up')
    await product.settled(1, 'third')
    await until('other is gone', async () => ((await product.overview()).services.some(({ name }) => name === 'other') ? undefined : true))
    expect(await product.pids('web')).toEqual(web)
    expect((await product.get('/third')).status).toBe(200)
    // What is gone from `/other` falls to the service at `/`.
    expect(JSON.parse((await product.get('/other')).text)).toMatchObject({ instance: expect.stringMatching(/^web-/) as string })
    await expect(fetch(`http://127.0.0.1:${ports.spare}/`)).resolves.toMatchObject({ status: 404 })
    await product.down()
  })
})

describe('the end', () => {
  /** A request that is under way at the service; `answered` with its status, or `cut`. */
  async function slowRequest(ms: number): Promise<{ readonly answered: Promise<number | 'cut'> }> {
    const answered = new Promise<number | 'cut'>((resolve) => {
      const asking = request(`${product.url}/slow?ms=${ms}`, { agent: false }, (response) => {
        response.resume().once('close', () => {
          resolve(response.complete ? (response.statusCode ?? 0) : 'cut')
        })
      })
      asking.once('error', () => {
        resolve('cut')
      })
      asking.end()
    })
    await until('the slow request has arrived', async () => {
      const logs = await product.must('logs', 'web', '--grep', `slow ${ms}`)
      return logs.stdout.includes('slow') || undefined
    })
    return { answered }
  }

  it.each(['SIGINT', 'SIGTERM'] as const)('%s lets a request in flight finish, then stops everything', async (signal) => {
    product.configure()
    const up = await product.up()
    const { answered } = await slowRequest(2_500)
    up.signal(signal)
    await until('the balancer refuses what is new', () =>
      product.get().then(
        () => undefined,
        () => true,
      ),
    )
    expect(await answered).toBe(200)
    const ended = await up.ended
    expect([ended.code, ended.stderr]).toEqual([0, ''])
    expect(ended.stdout).toMatch(/stopped; nothing is left running\n$/)
    expect(product.survivors()).toEqual([])
    expect(product.control).toBeUndefined()
  })

  it('a second Ctrl-C cuts the drain short and still leaves nothing behind', async () => {
    product.configure({ web: {} }, { cluster: { workers: 2, gracefulShutdownTimeout: '60s' } })
    const up = await product.up()
    const { answered } = await slowRequest(30_000)
    up.signal('SIGINT')
    await until('the drain has begun', () => up.stdout.includes('draining the balancer') || undefined)
    // Signals within a second of each other count as one.
    await sleep(1_200)
    expect(up.running).toBe(true)
    const cutAt = performance.now()
    up.signal('SIGINT')
    const ended = await up.ended
    expect(await answered).toBe('cut')
    expect(ended.code).toBe(0)
    expect(performance.now() - cutAt).toBeLessThan(10_000)
    expect(product.survivors()).toEqual([])
  })

  it.each([50, 200, 400, 800])('Ctrl-C %i ms after the start, with a service that takes its time, leaves nothing behind', async (afterMs) => {
    product.configure({ web: { instances: 2, env: { START_MS: '20000' } } })
    const up = product.start(['up'])
    await sleep(afterMs)
    up.signal('SIGINT')
    const { code, ms, stdout } = await up.ended
    // Until the program listens to signals, the system's own answer to one is death; then it has not said a word.
    expect([code, stdout === '']).toEqual(code === null ? [null, true] : [0, false])
    expect(ms).toBeLessThan(afterMs + 10_000)
    expect(product.survivors()).toEqual([])
  })

  it('down from another terminal does the same; a second down has nothing to do', async () => {
    product.configure()
    const up = await product.up()
    const { answered } = await slowRequest(1_500)
    const down = await product.must('down')
    expect(down.stdout).toContain(`stopped holdfast (pid ${up.pid}) and everything it ran`)
    expect([await answered, (await up.ended).code]).toEqual([200, 0])
    expect((await product.must('down')).stdout).toMatch(/^nothing to stop: holdfast is not running in/)
  })

  it('up --detach leaves it in the background until down', async () => {
    product.configure()
    const { code, stdout } = await product.run('up', '--detach')
    const { pid } = await product.overview()
    expect([code, (await product.get()).status]).toEqual([0, 200])
    expect(stdout).toContain(`pid ${pid}, what it says goes to`)
    const [, loginCode] = /#login=(\S+) /.exec(stdout) ?? []
    const login = await fetch(`http://127.0.0.1:${product.ports.api}/api/infrastructure/auth/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ login: loginCode }),
    })
    expect(await login.json()).toMatchObject({ success: true, data: { role: 'admin' } })
    await product.down()
    // The files alone tell the story.
    const logs = product.path('data', 'logs')
    const lines = readdirSync(logs)
      .filter((name) => name.startsWith('combined-'))
      .map((name) => readFileSync(`${logs}/${name}`, 'utf8'))
      .join('')
    for (const type of ['holdfast.started', 'instance.ready', 'holdfast.stopped']) {
      expect(readFileSync(`${logs}/control.log`, 'utf8')).toContain(` ${type} `)
      expect(lines).toContain(`"event":"${type}"`)
    }
    expect(product.survivors()).toEqual([])
  })
})
