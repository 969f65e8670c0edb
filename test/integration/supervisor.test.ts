/** The supervisor on real processes: what it promises when they die, hang, misbehave or are told to go. */
import { readFileSync, writeFileSync, chmodSync } from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ms, seconds } from '../../src/kernel/time.ts'
import type { SupervisorDeps } from '../../src/supervisor/index.ts'
import {
  eventually,
  fixture,
  harness,
  lives,
  removeFolder,
  reports,
  serviceOf,
  temporaryFolder,
  type Harness,
} from '../support/supervisor-harness.ts'

describe('the supervisor', () => {
  let folder: string
  let report: string
  const harnesses: Harness[] = []

  beforeEach(() => {
    folder = temporaryFolder()
    report = join(folder, 'report')
  })

  afterEach(async () => {
    for (const { supervisor } of harnesses.splice(0)) {
      await supervisor.stopAll(AbortSignal.timeout(3_000))
      await supervisor.stop(AbortSignal.timeout(1_000))
    }
    removeFolder(folder)
  })

  async function begin(overrides: Partial<SupervisorDeps> = {}): Promise<Harness> {
    const made = await harness({ directory: folder, ...overrides })
    harnesses.push(made)
    return made
  }

  const pidOf = ({ supervisor }: Harness, service: string): number => supervisor.instances(service)[0]?.pid ?? 0

  it('sees a service ready within a moment of its listening', async () => {
    const h = await begin()
    h.supervisor.apply([serviceOf('web', { env: { START_MS: '300', REPORT: report } })])
    await h.supervisor.whenReady('web')
    const ready = h.events.of('instance.ready')[0]
    expect(ready?.data.bootMs).toBeGreaterThanOrEqual(300)
    expect(ready?.data.bootMs).toBeLessThan(1_500)
    expect(h.router.notes.map(({ what }) => what)).toEqual(['admit'])
    expect(h.router.expectations.at(-1)).toMatchObject({ service: 'web', coming: true })
  })

  it('starts a killed instance again without delay, each time, and tells the routing first', async () => {
    const h = await begin()
    h.supervisor.apply([serviceOf('web')])
    await h.supervisor.whenReady('web')
    for (let round = 1; round <= 8; round++) {
      process.kill(pidOf(h, 'web'), 'SIGKILL')
      await eventually('it is ready again', () => h.events.of('instance.ready').length === round + 1)
      const exited = h.events.of('instance.exited').at(-1)
      const started = h.events.of('instance.started').at(-1)
      const gone = h.router.notes.findLast(({ what }) => what === 'gone')
      expect(exited?.data).toMatchObject({ class: 'killed', signal: 'SIGKILL' })
      expect(gone?.at).toBeLessThanOrEqual(exited?.at ?? 0)
      expect((started?.at ?? Infinity) - (exited?.at ?? 0)).toBeLessThan(100)
      expect(started?.cause).toBe(exited?.id)
    }
    expect(h.supervisor.instances('web')[0]).toMatchObject({ phase: 'ready', restarts: 8 })
    expect(h.events.of('instance.crashLooping')).toEqual([])
  })

  it('slows down for a program that keeps failing, says so once, and goes on trying', async () => {
    const backoff = { initial: ms(20), max: ms(300) }
    const h = await begin()
    h.supervisor.apply([serviceOf('web', { env: { EXIT_MS: '30', START_MS: '10000', SAY: 'no database' }, restart: { policy: 'always', backoff } })])
    await eventually('it is crash looping', () => h.events.of('instance.crashLooping').length === 1)
    expect(h.events.of('instance.exited')).toHaveLength(5)
    expect(h.events.of('instance.crashLooping')[0]?.data).toMatchObject({ failures: 5, stderrTail: ['no database'] })
    await eventually('it is tried again', () => h.events.of('instance.exited').length >= 7)
    expect(h.events.of('instance.crashLooping')).toHaveLength(1)
    const settled = await h.supervisor.whenSettled()
    expect(settled[0]).toMatchObject({ service: 'web', ready: 0, desired: 1 })
    expect(settled[0]?.problems[0]).toContain('crashLooping: exited with code 1')
    expect(h.router.expectations.some(({ coming }) => !coming)).toBe(false)
  })

  it('tells why an instance did not start: it listens elsewhere', async () => {
    const h = await begin()
    h.supervisor.apply([
      serviceOf('web', {
        env: { LISTEN_ON: '28123', SAY: 'ready!' },
        startMs: 500,
        restart: { policy: 'never', backoff: { initial: ms(10), max: ms(10) } },
      }),
    ])
    await expect(h.supervisor.whenReady('web')).rejects.toThrow(/alive but nothing listens on \d+; it listens on 28123/)
    const failed = h.events.of('instance.startFailed')[0]
    expect(failed?.data.stderrTail).toEqual(['ready!'])
    expect(h.supervisor.instances('web')[0]).toMatchObject({ phase: 'done', lastExit: { class: 'startFailed' } })
  })

  it('tells why an instance did not start: its health answers no', async () => {
    const h = await begin()
    const health = {
      path: '/health',
      interval: seconds(1),
      timeout: seconds(1),
      fall: 3,
      rise: 2,
      expect: { statusMin: 200, statusMax: 399, body: undefined },
    }
    h.supervisor.apply([
      serviceOf('web', { env: { STATUS: '503' }, startMs: 500, health, restart: { policy: 'never', backoff: { initial: ms(10), max: ms(10) } } }),
    ])
    await expect(h.supervisor.whenReady('web')).rejects.toThrow(/GET \/health answered 503 instead of 200-399/)
    h.supervisor.apply([serviceOf('web', { health: { ...health, expect: { ...health.expect, body: 'ok' } } })])
    await h.supervisor.whenReady('web')
  })

  it.each([
    ['a missing program', 'no-such-program --port 1', /there is no program "no-such-program"/],
    ['a missing program behind a shell', 'no-such-program | cat; exit 127', /the shell could not run its command/],
    ['a configuration error', `${process.execPath} -e 'process.exit(78)'`, /configuration error/],
  ])('does not try %s again', async (_, command, reason) => {
    const h = await begin()
    h.supervisor.apply([serviceOf('web', { command })])
    await expect(h.supervisor.whenReady('web')).rejects.toThrow(reason)
    expect(h.supervisor.instances('web')[0]).toMatchObject({ phase: 'done', lastExit: { class: 'config' } })
    expect(h.router.expectations.at(-1)).toMatchObject({ coming: false })
  })

  it('tells of a missing folder and of a file that may not be run', async () => {
    const h = await begin()
    const file = join(folder, 'not-executable')
    writeFileSync(file, '#!/bin/sh\n')
    chmodSync(file, 0o644)
    h.supervisor.apply([serviceOf('nowhere', { cwd: join(folder, 'nowhere') }), serviceOf('locked', { command: file })])
    await expect(h.supervisor.whenReady('nowhere')).rejects.toThrow(/its folder .*nowhere does not exist/)
    await expect(h.supervisor.whenReady('locked')).rejects.toThrow(/no permission to execute/)
  })

  it('restarts with the new one in traffic before the old one is drained, and signals only after that', async () => {
    const h = await begin()
    h.router.drainMs = 50
    h.supervisor.apply([serviceOf('web', { instances: 2, env: { REPORT: report } })])
    await h.supervisor.whenReady('web')
    const before = h.supervisor.instances('web').map(({ id }) => id)
    const replaced = await h.supervisor.restart('web')
    expect(replaced.map(({ from }) => from).sort()).toEqual([...before].sort())
    for (const { from, to } of replaced) {
      const order = h.router.notes.filter(({ id }) => id === from || id === to).map(({ what, id }) => `${what} ${id === from ? 'old' : 'new'}`)
      expect(order).toEqual(['admit old', 'admit new', 'drain old', 'drained old', 'gone old'])
      expect(
        reports(report)
          .filter(([id]) => id === from)
          .map(([, text]) => text.split(' ')[0]),
      ).toEqual(['started', 'listening', 'SIGTERM'])
    }
    expect(h.supervisor.instances('web')).toHaveLength(2)
  })

  it('keeps the old one when its replacement does not start, and says why', async () => {
    const h = await begin()
    const flag = join(folder, 'flag')
    writeFileSync(flag, '')
    // Starts as long as the flag is empty; the shell's own exit code and words are the evidence afterwards.
    const command = `if [ -s ${flag} ]; then echo "cannot open database" >&2; exit 3; fi; exec ${process.execPath} ${fixture}`
    h.supervisor.apply([serviceOf('web', { command })])
    await h.supervisor.whenReady('web')
    const [before] = h.supervisor.instances('web')
    writeFileSync(flag, 'broken')
    const failure = await h.supervisor.restart('web').catch((error: unknown) => error)
    expect(failure).toMatchObject({
      code: 'restart_failed',
      message: expect.stringMatching(
        /^could not restart web: its new instance web-\w{6} exited with code 3 .*; it wrote last: cannot open database$/,
      ) as string,
    })
    const [after] = h.supervisor.instances('web')
    expect(after).toMatchObject({ id: before?.id, pid: before?.pid, phase: 'ready' })
    expect(h.router.notes.map(({ what }) => what)).toEqual(['admit'])
  })

  it('rolls a changed command out, and keeps the old revision when the new one does not start', async () => {
    const h = await begin()
    h.supervisor.apply([serviceOf('web')])
    await h.supervisor.whenReady('web')
    const [first] = h.supervisor.instances('web')
    expect(h.supervisor.apply([serviceOf('web')])).toEqual({ added: [], removed: [], changed: [], adopted: 0 })
    expect(pidOf(h, 'web')).toBe(first?.pid)

    const broken = serviceOf('web', {
      command: `${process.execPath} -e 'process.exit(1)'`,
      restart: { policy: 'always', backoff: { initial: seconds(60), max: seconds(60) } },
    })
    expect(h.supervisor.apply([broken]).changed).toEqual([{ service: 'web', revision: 2 }])
    const [settled] = await h.supervisor.whenSettled()
    expect(settled?.problems).toEqual([expect.stringContaining('revision 2 did not start: exited with code 1')])
    expect(h.supervisor.instances('web')).toMatchObject([{ id: first?.id, phase: 'ready', revision: 1 }])
    expect(h.events.of('service.revisionFailed')[0]?.data).toMatchObject({ revision: 2, retries: true })

    h.supervisor.apply([serviceOf('web', { env: { LOG: 'debug' } })])
    await h.supervisor.whenSettled()
    expect(h.supervisor.instances('web')).toMatchObject([{ phase: 'ready', revision: 3 }])
    // Back to what ran first: a spec that has been seen and proven has a number of its own no more, the last two do.
    h.supervisor.apply([serviceOf('web', { env: { LOG: 'info' } })])
    await h.supervisor.whenSettled()
    expect(h.supervisor.instances('web')).toMatchObject([{ phase: 'ready', revision: 4 }])
  })

  it('scales out and in, drains what it takes away, and remembers the number', async () => {
    const h = await begin()
    h.supervisor.apply([serviceOf('web')])
    await h.supervisor.whenReady('web')
    await h.supervisor.scale('web', 3)
    await h.supervisor.whenReady('web')
    expect(h.supervisor.instances('web')).toHaveLength(3)
    h.supervisor.apply([serviceOf('web')])
    expect(h.supervisor.desired('web')).toBe(3)
    await h.supervisor.scale('web', 1)
    await h.supervisor.whenSettled()
    expect(h.supervisor.instances('web')).toHaveLength(1)
    expect(h.router.notes.filter(({ what }) => what === 'drained')).toHaveLength(2)
    h.supervisor.apply([serviceOf('web', { instances: 2 })])
    expect(h.supervisor.desired('web')).toBe(2)
    await expect(h.supervisor.scale('web', -1)).rejects.toMatchObject({ code: 'invalid_input' })
    await expect(h.supervisor.scale('shop', 1)).rejects.toMatchObject({ code: 'unknown_service' })
  })

  it('stops in the order: routing, signal, patience, kill of the whole group', async () => {
    const h = await begin()
    h.supervisor.apply([serviceOf('web', { env: { IGNORE_TERM: '1', GRANDCHILD: 'group', REPORT: report }, stopMs: 300 })])
    await h.supervisor.whenReady('web')
    const pid = pidOf(h, 'web')
    const grandchild = Number(
      reports(report)
        .find(([, text]) => text.startsWith('grandchild'))?.[1]
        .split(' ')[1],
    )
    expect(lives(grandchild)).toBe(true)
    const began = performance.now()
    await h.supervisor.stopAll(AbortSignal.timeout(10_000))
    expect(performance.now() - began).toBeGreaterThanOrEqual(290)
    expect(h.router.notes.map(({ what }) => what)).toEqual(['admit', 'drain', 'drained', 'gone'])
    expect(reports(report).some(([, text]) => text === 'SIGTERM')).toBe(true)
    expect([lives(pid), lives(grandchild)]).toEqual([false, false])
    expect(h.supervisor.instances()).toEqual([])
  })

  it.each([
    ['group', 'exit signal=SIGKILL, children left'],
    ['escaped', 'exit signal=SIGKILL'],
  ])('leaves no grandchild behind when an instance is killed, and tells the routing of one in its group (%s)', async (kind, reason) => {
    const h = await begin()
    h.supervisor.apply([serviceOf('web', { env: { GRANDCHILD: kind, REPORT: report } })])
    await h.supervisor.whenReady('web')
    const grandchild = Number(
      reports(report)
        .find(([, text]) => text.startsWith('grandchild'))?.[1]
        .split(' ')[1],
    )
    process.kill(pidOf(h, 'web'), 'SIGKILL')
    await eventually('the grandchild is gone', () => !lives(grandchild))
    await h.supervisor.whenReady('web')
    expect(h.router.notes.find(({ what }) => what === 'gone')?.reason).toBe(reason)
  })

  it('cuts a stop short when the deadline comes', async () => {
    const h = await begin()
    h.router.drainMs = 60_000
    h.supervisor.apply([serviceOf('web')])
    await h.supervisor.whenReady('web')
    const pid = pidOf(h, 'web')
    await h.supervisor.stopAll(AbortSignal.timeout(200))
    expect(lives(pid)).toBe(false)
    expect(h.router.notes.map(({ what }) => what)).toEqual(['admit', 'drain', 'gone'])
  })

  it('starts dependants after what they depend on, and stops them before it', async () => {
    const h = await begin()
    const services = [
      serviceOf('web', { dependsOn: ['api'] }),
      serviceOf('api', { dependsOn: ['db'] }),
      serviceOf('db', { env: { START_MS: '200' } }),
    ]
    h.supervisor.apply(services)
    expect(h.supervisor.instances('web')[0]).toMatchObject({ phase: 'starting', reason: 'waits for api to be ready' })
    await h.supervisor.whenSettled()
    const at = (type: string, service: string): number =>
      h.events.told.find((event) => event.type === type && event.instance?.startsWith(service))?.at ?? 0
    expect(at('instance.started', 'api')).toBeGreaterThan(at('instance.ready', 'db'))
    expect(at('instance.started', 'web')).toBeGreaterThan(at('instance.ready', 'api'))
    await h.supervisor.stopAll(AbortSignal.timeout(10_000))
    expect(at('instance.draining', 'db')).toBeGreaterThanOrEqual(at('instance.exited', 'api'))
    expect(at('instance.draining', 'api')).toBeGreaterThanOrEqual(at('instance.exited', 'web'))
  })

  it('starts anyway, with a warning, when a dependency takes too long', async () => {
    const h = await begin({ limits: { dependencyWait: ms(200) } })
    h.supervisor.apply([serviceOf('web', { dependsOn: ['db'] }), serviceOf('db', { env: { START_MS: '60000' } })])
    await h.supervisor.whenReady('web')
    expect(h.events.of('service.dependenciesMissed')[0]?.data).toEqual({ missing: ['db'], waitedMs: 200 })
  })

  it('replaces an instance that stays unhealthy, the new one first', async () => {
    const h = await begin({ limits: { unhealthyAfter: ms(200) } })
    h.supervisor.apply([serviceOf('web')])
    await h.supervisor.whenReady('web')
    const [sick] = h.supervisor.instances('web')
    h.supervisor.reportHealth(sick?.id ?? '', 'unhealthy', 'GET /health timed out')
    expect(h.supervisor.instances('web')[0]).toMatchObject({ phase: 'unhealthy', reason: 'GET /health timed out' })
    await eventually('it has been replaced', () => h.events.of('instance.exited').length === 1)
    expect(h.router.notes.map(({ what, id }) => `${what} ${id === sick?.id ? 'old' : 'new'}`)).toEqual([
      'admit old',
      'admit new',
      'drain old',
      'drained old',
      'gone old',
    ])
  })

  it('replaces an instance that holds more memory than it may, the new one first', async () => {
    const h = await begin()
    const hoard = "globalThis.hoard = require('fs').existsSync(process.env.REPORT) ? 0 : Buffer.alloc(300e6, 1); "
    const serve = "require('http').createServer((_, answer) => answer.end('ok')).listen(process.env.PORT, '127.0.0.1'); "
    const note = "require('fs').writeFileSync(process.env.REPORT, 'x')"
    h.supervisor.apply([
      serviceOf('web', {
        command: `exec ${process.execPath} -e "${hoard}${serve}${note}"`,
        env: { REPORT: report },
        memory: 200 * 1024 ** 2,
        restart: { policy: 'always', backoff: { initial: ms(100), max: ms(100) } },
      }),
    ])
    await h.supervisor.whenReady('web')
    const [first] = h.supervisor.instances('web')
    await eventually('it is replaced', () => h.events.of('instance.exited').length === 1)
    expect(h.events.of('instance.memoryExceeded')[0]).toMatchObject({ instance: first?.id, data: { limitBytes: 200 * 1024 ** 2 } })
    expect(h.events.of('instance.exited')[0]?.data.class).toBe('ordered')
    expect(h.router.notes.map(({ what, id }) => `${what} ${id === first?.id ? 'old' : 'new'}`)).toEqual([
      'admit old',
      'admit new',
      'drain old',
      'drained old',
      'gone old',
    ])
    expect(h.supervisor.instances('web')).toMatchObject([{ phase: 'ready', restarts: 0 }])
  })

  it('works with a port of its own: one after the other, and the old revision returns when the new one fails', async () => {
    const h = await begin()
    const port = 28_456
    h.supervisor.apply([serviceOf('web', { port })])
    await h.supervisor.whenReady('web')
    await h.supervisor.restart('web')
    expect(h.supervisor.instances('web')).toMatchObject([{ phase: 'ready', port }])
    h.supervisor.apply([serviceOf('web', { port, env: { EXIT_MS: '10', START_MS: '500' } })])
    await h.supervisor.whenSettled()
    expect(h.supervisor.instances('web')).toMatchObject([{ phase: 'ready', port, revision: 1 }])
    expect(h.events.of('service.revisionFailed')[0]?.data).toMatchObject({ revision: 2, retries: false })
  })

  it('does not take a stranger on its port for its own', async () => {
    const h = await begin()
    const stranger = createServer().listen(28_457, '127.0.0.1')
    await once(stranger, 'listening')
    try {
      h.supervisor.apply([
        serviceOf('web', { port: 28_457, env: { START_MS: '100' }, restart: { policy: 'always', backoff: { initial: ms(50), max: ms(100) } } }),
      ])
      await eventually('it has failed', () => h.events.of('instance.exited').length > 0)
      expect(h.router.notes).toEqual([])
      expect(h.events.of('instance.exited')[0]?.data.stderrTail.join('\n')).toContain('EADDRINUSE')
    } finally {
      stranger.close()
    }
    await h.supervisor.whenReady('web')
  })

  it('reads processor time and memory of the whole group', async () => {
    const h = await begin()
    h.supervisor.apply([serviceOf('web', { env: { GRANDCHILD: 'group' } })])
    await h.supervisor.whenReady('web')
    await eventually('there is a reading', () => h.supervisor.instances('web')[0]?.resources !== undefined)
    // Two Node processes; one alone has about 40 MiB.
    expect(h.supervisor.instances('web')[0]?.resources?.memoryBytes).toBeGreaterThan(50 * 1024 * 1024)
  })

  it('gives instances an environment of their own', async () => {
    const h = await begin({ env: { PATH: process.env.PATH, SECRET: 'of the shell', NODE_OPTIONS: '--no-such-option', LC_ALL: 'C' } })
    const file = join(folder, 'environment')
    h.supervisor.apply([serviceOf('web', { command: `env > ${file}; exec ${process.execPath} ${fixture}`, env: { LOG: 'info' } })])
    await h.supervisor.whenReady('web')
    const { id, port } = h.supervisor.instances('web')[0]!
    const lines = readFileSync(file, 'utf8').split('\n')
    expect(lines).toEqual(expect.arrayContaining(['LC_ALL=C', 'LOG=info', `HOLDFAST_INSTANCE=${id}`, 'HOLDFAST_SERVICE=web', `PORT=${port}`]))
    expect(lines.filter((line) => /^(SECRET|NODE_OPTIONS)=/.test(line))).toEqual([])
  })

  it('starts services although their output cannot be kept', async () => {
    const blocked = join(folder, 'blocked')
    writeFileSync(blocked, 'a file where the folder should be')
    const h = await begin({ logDirectory: blocked })
    h.supervisor.apply([serviceOf('web')])
    await h.supervisor.whenReady('web')
    expect(h.problems.some((problem) => problem.includes('could not keep the output'))).toBe(true)
  })
})
