import { describe, expect, it } from 'vitest'
import type { LogLine, RestartReport } from '../../app/operations.ts'
import { HoldfastError } from '../../kernel/errors.ts'
import type { AnyEvent } from '../../kernel/events.ts'
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts'
import { ms, wallTime } from '../../kernel/time.ts'
import type { Api } from '../client.ts'
import { ApiError } from '../errors.ts'
import { anEndpoint, anInstance, anOverview, aService, now } from '../testing/fixtures.ts'
import type { Impact } from '../../app/dependency-operations.ts'
import { FakeSignals, jsonOf, Page, runCli, startCli } from '../testing/run-cli.ts'

const overview = anOverview([aService({ instances: [anInstance()] }), aService({ name: 'legacy', kind: 'static', endpoints: [anEndpoint()] })])
const api: Partial<Api> = { overview: () => Promise.resolve(overview) }

describe('status', () => {
  it('prints text, or the overview as JSON', async () => {
    const text = await runCli(['status'], { api })
    expect(text.stdout).toContain('shop-3f2a9c')
    expect(jsonOf(await runCli(['status', '--json'], { api })).data).toEqual(JSON.parse(JSON.stringify(overview)))
  })

  it('narrows to one service and says who needs it, or says which was meant', async () => {
    const affected = (name: string, effect: 'down' | 'degraded', kind: 'service' | 'check' = 'service'): object => ({
      name,
      kind,
      effect,
      path: [name, 'legacy'],
    })
    const impact = {
      ...{ name: 'legacy', kind: 'service', services: 3, servicesTotal: 5, summary: '' },
      affected: [affected('shop', 'down'), affected('front', 'down', 'check'), affected('cart', 'degraded')],
    } as Impact
    const one = { ...api, impact: () => Promise.resolve(impact) }
    const { stdout } = await runCli(['status', 'legacy'], { api: one })
    expect(stdout).toContain('needed by shop, cart (degraded): when it is down, 3 of 5 services are hit (holdfast impact legacy)')
    expect(jsonOf(await runCli(['status', 'legacy', '--json'], { api: one })).data).toMatchObject({ impact: { services: 3 } })
    const alone = { ...api, impact: () => Promise.resolve({ ...impact, affected: [] }) }
    expect((await runCli(['status', 'legacy'], { api: alone })).stdout).toContain('no other service is known to need legacy')
    expect(stdout).toContain('10.0.0.5:3000')
    expect(stdout).not.toContain('shop-3f2a9c')
    const wrong = await runCli(['status', 'shpo'], { api })
    expect(wrong).toEqual({ code: 1, stdout: '', stderr: 'error: no service "shpo" in demo; did you mean "shop"?\n' })
  })

  it('has colours on a terminal only, and not against NO_COLOR', async () => {
    expect((await runCli(['status'], { api, columns: 80 })).stdout).toContain('\u001b[32m')
    expect((await runCli(['status'], { api, columns: 80, env: { NO_COLOR: '1' } })).stdout).not.toContain('\u001b[')
    expect((await runCli(['status'], { api })).stdout).not.toContain('\u001b[')
  })

  it('looks again each second until interrupted, also while holdfast is away', async () => {
    const clock = new VirtualClock()
    const signals = new FakeSignals()
    const page = new Page()
    let looks = 0
    const watched = {
      overview: () => {
        looks += 1
        return looks === 2 ? Promise.reject(new HoldfastError('not_running', 'away')) : Promise.resolve(overview)
      },
    }
    const ended = startCli(['status', '--watch'], page, new Page(), { api: watched, clock, signals })
    await clock.advance(ms(3_500))
    signals.raise('SIGINT')
    expect(await ended).toBe(0)
    expect(looks).toBe(4)
    expect(page.text.match(/^demo/gm)).toHaveLength(3)
    expect(page.text).toContain('away\n')
    expect([clock.pending, signals.count]).toEqual([0, 0])
  })
})

describe('split', () => {
  const of = (requests: number, p95Ms?: number) => ({ requests, errors: 1, requestRate: 2, errorRate: 0.5, p95Ms })
  const standing: Awaited<ReturnType<Api['split']>> = {
    ...{ service: 'shop', source: 'hand', shares: { v1: 0.9, v2: 0.1 }, versions: { v1: 2, v3: 1 } },
    traffic: { v1: of(100, 12.3), v3: of(0) },
  }
  const asked: unknown[] = []
  const splitting: Partial<Api> = {
    ...api,
    split: () => Promise.resolve(standing),
    setSplit: (service, shares) => {
      asked.push([service, shares])
      return Promise.resolve(standing)
    },
  }

  it('shows shares and how each version does, those too that are not there or get nobody', async () => {
    const { stdout } = await runCli(['split', 'shop'], { api: splitting })
    expect(stdout).toBe(
      `
shop is divided by hand (as configured again: holdfast split shop --reset)
VERSION  SHARE  ENDPOINTS  REQ/S    P95  ERRORS  REQUESTS  FAILED
v1         90%          2    2.0  12 ms   50.0%       100       1
v2         10%          0      -      -       -         -       -
v3          0%          1    2.0      -   50.0%         0       1
`.trimStart(),
    )
    expect(asked).toEqual([])
  })

  it('divides by percent, and goes back to what is configured', async () => {
    expect((await runCli(['split', 'shop', 'v1=90', 'v2=10%'], { api: splitting })).code).toBe(0)
    expect((await runCli(['split', 'shop', '--reset'], { api: splitting })).code).toBe(0)
    expect(asked.splice(0)).toEqual([
      ['shop', { v1: 0.9, v2: 0.1 }],
      ['shop', undefined],
    ])
  })

  it.each([
    [['v1=90', 'v2=20'], 'the shares are 110 % in all, and must be 100'],
    [['v1=50', 'v1=50'], 'the share of v1 is given twice'],
    [['v1'], 'expected a version and its share in percent, like v2=10, got "v1"'],
    [['v1=100', '--reset'], '--reset: takes no shares'],
  ])('refuses %j', async (words, why) => {
    const { code, stderr } = await runCli(['split', 'shop', ...words], { api: splitting })
    expect([code, asked]).toEqual([2, []])
    expect(stderr).toContain(why)
  })

  it('says which service was meant', async () => {
    expect((await runCli(['split', 'shpo', 'v1=100'], { api: splitting })).stderr).toContain('did you mean "shop"?')
  })
})

describe('scale, restart, maintenance', () => {
  it('scale passes the reason on and says what changed', async () => {
    const asked: unknown[] = []
    const scale: Api['scale'] = (...args) => {
      asked.push(args)
      return Promise.resolve({
        id: '1',
        type: 'scale-up',
        trigger: 'manual',
        service: 'shop',
        from: 3,
        to: 5,
        reason: 'rush',
        timestamp: '',
        success: true,
      })
    }
    const { stdout } = await runCli(['scale', 'shop', '5', '--reason', 'rush'], { api: { scale } })
    expect([stdout, asked]).toEqual(['shop: 3 -> 5 instances\n', [['shop', 5, 'rush']]])
  })

  it('restart lists what replaced what', async () => {
    const restart = (): ReturnType<Api['restart']> => Promise.resolve({ service: 'shop', replaced: [{ from: 'shop-1', to: 'shop-2' }] })
    expect((await runCli(['restart', 'shop'], { api: { restart } })).stdout).toBe('restarted shop: 1 instance replaced\nshop-1 -> shop-2\n')
  })

  it('restart shows how far it is on a terminal, and leaves no line of it behind', async () => {
    const clock = new VirtualClock()
    const page = new Page(80)
    let finish: (report: RestartReport) => void = () => undefined
    const report = new Promise<RestartReport>((resolve) => (finish = resolve))
    const ended = startCli(['restart', 'shop'], page, new Page(), {
      clock,
      api: { restart: () => report, service: () => Promise.resolve(aService({ ready: 2 })) },
    })
    await clock.advance(ms(1_200))
    expect(page.text).toContain('restarting shop: 2/3 ready, 1s\n')
    finish({ service: 'shop', replaced: [] })
    expect(await ended).toBe(0)
    expect(page.text.endsWith('\u001b[1A\u001b[0Jrestarted shop: 0 instances replaced\n')).toBe(true)
    expect(clock.pending).toBe(0)
  })

  it('restart stops waiting at Ctrl-C and says so', async () => {
    const signals = new FakeSignals()
    const stderr = new Page()
    const restart: Api['restart'] = (_service, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(new Error('aborted'))
        })
      })
    const ended = startCli(['restart', 'shop'], new Page(), stderr, { api: { restart }, signals })
    await new Promise((resolve) => setImmediate(resolve))
    signals.raise('SIGINT')
    expect(await ended).toBe(1)
    expect(stderr.text).toBe('error: stopped waiting for the restart of shop, which goes on; watch it with: holdfast status shop --watch\n')
  })

  it('maintenance finds out whether a service or an endpoint is meant', async () => {
    const asked: unknown[] = []
    const setMaintenance: Api['setMaintenance'] = (...args) => {
      asked.push(args)
      return Promise.resolve()
    }
    const given = { api: { ...api, setMaintenance } }
    expect((await runCli(['maintenance', 'shop', 'on'], given)).stdout).toBe('service shop is in maintenance\n')
    expect((await runCli(['maintenance', '10.0.0.5:3000', 'off'], given)).stdout).toBe('endpoint 10.0.0.5:3000 is back in the traffic\n')
    const unknown = await runCli(['maintenance', 'nosuch', 'on'], given)
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('no service or endpoint "nosuch" in demo')])
    expect(asked).toEqual([
      [{ service: 'shop' }, true],
      [{ endpoint: '10.0.0.5:3000' }, false],
    ])
  })
})

function anEvent(seq: number, over: Partial<AnyEvent> = {}): AnyEvent {
  const event = {
    id: `id${seq}`,
    seq,
    time: wallTime(now),
    type: 'instance.recovered',
    level: 'info',
    message: `event ${seq}`,
    region: 'local',
    data: {},
  }
  return { service: 'shop', instance: undefined, cause: undefined, ...event, ...over } as AnyEvent
}

async function* streamOf<T>(items: readonly T[], end: 'ends' | 'breaks' | AbortSignal): AsyncGenerator<T> {
  yield* items
  if (end === 'breaks') throw new HoldfastError('not_running', 'broken')
  if (end !== 'ends') await new Promise((resolve) => end.addEventListener('abort', resolve))
}

describe('events', () => {
  it('prints the newest, the oldest of them first', async () => {
    const asked: unknown[] = []
    const events: Api['events'] = (filter) => {
      asked.push(filter)
      return Promise.resolve([anEvent(1), anEvent(2, { level: 'error', message: 'bad\nnews' })])
    }
    const { stdout } = await runCli(['events', '--service', 'shop', '--type', 'instance', '-n', '2'], { api: { events } })
    expect(asked).toEqual([{ service: 'shop', type: 'instance', level: 'info', limit: 2 }])
    expect(stdout).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d info {5}instance\.recovered event 1\n.* error {4}instance\.recovered badnews\n$/)
  })

  it('follows across lost connections: behind the last one, each once, one JSON per line', async () => {
    const clock = new VirtualClock()
    const signals = new FakeSignals()
    const page = new Page()
    const after: (number | undefined)[] = []
    const followEvents: Api['followEvents'] = (_filter, { afterSeq, signal }) => {
      after.push(afterSeq)
      if (after.length === 1) return Promise.resolve(streamOf([anEvent(2), anEvent(3)], 'breaks'))
      if (after.length === 2) return Promise.reject(new HoldfastError('not_running', 'still away'))
      return Promise.resolve(streamOf([anEvent(3), anEvent(4)], signal))
    }
    const followed = { events: () => Promise.resolve([anEvent(1)]), followEvents }
    const ended = startCli(['events', '-f', '--json'], page, new Page(), { api: followed, clock, signals })
    await clock.advance(ms(1_500))
    signals.raise('SIGTERM')
    expect(await ended).toBe(0)
    expect(after).toEqual([1, 3, 3])
    expect(
      page.text
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { success: true; data: AnyEvent }).data.seq),
    ).toEqual([1, 2, 3, 4])
    expect([clock.pending, signals.count]).toEqual([0, 0])
  })

  it('gives up when holdfast stays away for a minute, and at once when it is refused', async () => {
    const clock = new VirtualClock()
    const stderr = new Page()
    const away = { events: () => Promise.resolve([]), followEvents: () => Promise.reject(new HoldfastError('not_running', 'away')) }
    const ended = startCli(['events', '-f'], new Page(), stderr, { api: away, clock })
    await clock.advance(ms(61_000))
    expect(await ended).toBe(3)
    expect(stderr.text).toBe('lost the connection to holdfast; looking for it again\nerror: away\n')

    const refused = { ...away, followEvents: () => Promise.reject(new ApiError(403, 'forbidden', 'not you')) }
    expect((await runCli(['events', '-f'], { api: refused })).code).toBe(4)
  })
})

describe('logs', () => {
  const line = (time: number, text: string, over: Partial<LogLine> = {}): LogLine => ({
    time,
    service: 'shop',
    instance: 'shop-1',
    stream: 'stdout',
    text,
    ...over,
  })

  it('prints lines that cannot steer the terminal, and marks stderr', async () => {
    const logs = (): Promise<readonly LogLine[]> => Promise.resolve([line(now, 'hello\u001b[2J'), line(now, 'oh', { stream: 'stderr' })])
    const { stdout } = await runCli(['logs', 'shop'], { api: { logs } })
    expect(stdout).toMatch(/^\d\d:\d\d:\d\d\.\d{3} shop-1 \| hello\n\d\d:\d\d:\d\d\.\d{3} shop-1 ! oh\n$/)
  })

  it('passes the filters on', async () => {
    const asked: unknown[] = []
    const logs: Api['logs'] = (...args) => {
      asked.push(args)
      return Promise.resolve([])
    }
    await runCli(['logs', 'shop', '--instance', 'shop-1', '--since', '10m', '--grep', 'order', '-n', '7'], { api: { logs } })
    expect(asked).toEqual([['shop', { instance: 'shop-1', since: now - 600_000, grep: 'order', limit: 7 }]])
  })

  it('follows across lost connections from the last line on', async () => {
    const clock = new VirtualClock()
    const signals = new FakeSignals()
    const page = new Page()
    const asked: unknown[] = []
    const followLogs: Api['followLogs'] = (_service, filter, signal) => {
      asked.push(filter)
      if (asked.length === 1) return Promise.resolve(streamOf([line(now, 'a'), line(now + 1, 'b')], 'ends'))
      return Promise.resolve(streamOf([line(now + 1, 'b'), line(now + 1, 'c')], signal))
    }
    const followed = { followLogs, service: () => Promise.resolve(aService()) }
    const ended = startCli(['logs', 'shop', '-f', '-n', '5'], page, new Page(), { api: followed, clock, signals })
    await clock.advance(ms(1_000))
    signals.raise('SIGINT')
    expect(await ended).toBe(0)
    expect(page.text.match(/[abc]$/gm)).toEqual(['a', 'b', 'c'])
    expect(asked).toEqual([
      { instance: undefined, since: undefined, grep: undefined, limit: 5 },
      { instance: undefined, since: now + 1, grep: undefined, limit: 10_000 },
    ])
  })
})

describe('credentials', () => {
  it('print the secret alone on stdout, so that it can be captured', async () => {
    const createToken: Api['createToken'] = (role, ttlMs) =>
      Promise.resolve({ token: `jwt-${role}-${ttlMs ?? 0}`, subject: 'cli', role, expiresAt: '2026-11-21T09:00:00.000Z' })
    expect(await runCli(['token', 'create', '--role', 'viewer', '--ttl', '2h'], { api: { createToken } })).toEqual({
      code: 0,
      stdout: 'jwt-viewer-7200000\n',
      stderr: 'a token with the role viewer, good until 2026-11-21T09:00:00.000Z\n',
    })
  })

  it('list keys without secrets, and revoke them', async () => {
    const key = {
      id: '7h2k9q',
      name: 'ci',
      role: 'operator',
      createdAt: '2026-11-21T08:12:03.000Z',
      createdBy: 'cli',
      expiresAt: '2027-02-19T08:12:03.000Z',
      lastUsedAt: null,
    }
    const { stdout } = await runCli(['apikey', 'list'], { api: { apiKeys: () => Promise.resolve([key]) } })
    expect(stdout.split('\n')[1]).toBe('7h2k9q  ci    operator  2026-11-21 08:12  2027-02-19 08:12  never')
    expect((await runCli(['apikey', 'list'], { api: { apiKeys: () => Promise.resolve([]) } })).stdout).toBe('no API keys\n')
    expect((await runCli(['apikey', 'revoke', '7h2k9q'], { api: { revokeApiKey: () => Promise.resolve() } })).stdout).toBe('revoked API key 7h2k9q\n')
  })
})
