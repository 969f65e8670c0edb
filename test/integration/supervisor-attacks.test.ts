/** The supervisor against programs and neighbours that behave as badly as they can. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { SupervisorDeps } from '../../src/supervisor/index.ts'
import { eventually, harness, lives, removeFolder, reports, serviceOf, temporaryFolder, type Harness } from '../support/supervisor-harness.ts'

describe('the supervisor, attacked', () => {
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

  /** A program of its own, as `node FILE`. */
  function program(name: string, text: string): string {
    writeFileSync(join(folder, name), text)
    return `${process.execPath} ${join(folder, name)}`
  }

  const pidOf = ({ supervisor }: Harness, service: string): number => supervisor.instances(service)[0]?.pid ?? 0

  it('finishes a restart although the old instances are killed while they drain', async () => {
    const h = await begin()
    h.router.drainMs = 400
    h.supervisor.apply([serviceOf('web', { instances: 3 })])
    await h.supervisor.whenReady('web')
    const old = h.supervisor.instances('web').map(({ pid }) => pid ?? 0)
    const restarting = h.supervisor.restart('web')
    const killed = new Set<number>()
    const watching = h.supervisor.onChange(() => {
      for (const { phase, pid = 0 } of h.supervisor.instances('web')) {
        if (phase !== 'draining' || killed.has(pid)) continue
        killed.add(pid)
        process.kill(pid, 'SIGKILL')
      }
    })
    expect(await restarting).toHaveLength(3)
    watching[Symbol.dispose]()
    expect([...killed].sort()).toEqual(old.sort())
    expect(h.supervisor.instances('web').map(({ phase, restarts }) => `${phase} ${restarts}`)).toEqual(['ready 0', 'ready 0', 'ready 0'])
    // Out of the routing in the tick of its end, whatever the drain still waited for.
    for (const id of h.events.of('instance.exited').map(({ instance }) => instance))
      expect(h.router.notes.filter((note) => note.id === id).map(({ what }) => what)).toContain('gone')
  })

  it('does not take whoever was faster at the port for the instance, and starts it on another one', async () => {
    const h = await begin()
    // The first start brings its own stranger: a process without any mark that listens on the port before the program can.
    const command = program(
      'robbed.mjs',
      `import { spawn } from 'node:child_process'
       import { createServer } from 'node:http'
       import { appendFileSync, existsSync, writeFileSync } from 'node:fs'
       const { PORT, REPORT } = process.env
       const serve = () => createServer((_, answer) => answer.end('ok')).listen(PORT, '127.0.0.1')
       if (existsSync(REPORT)) serve()
       else {
         const stranger = spawn('setsid', ['--fork', process.execPath, '-e', \`
           process.ppid; require('node:http').createServer((_, answer) => answer.end('stranger')).listen(\${PORT}, '127.0.0.1')
           require('node:fs').appendFileSync('\${REPORT}', 'stranger ' + process.pid + '\\\\n')
           setTimeout(() => process.exit(), 20000)\`], { env: { HOLDFAST_INSTANCE: 'other-000000', HOLDFAST_DATA: '/elsewhere' }, stdio: 'ignore' })
         stranger.unref()
         setTimeout(serve, 1500)
       }`,
    )
    h.supervisor.apply([serviceOf('web', { command, env: { REPORT: report } })])
    await h.supervisor.whenReady('web')
    const stranger = Number(reports(report)[0]?.[1])
    try {
      expect(lives(stranger)).toBe(true)
      const [exited] = h.events.of('instance.exited')
      expect(exited?.message).toMatch(/before it was ready/)
      // Only the second one, on a port of its own, has ever been in the routing.
      expect(h.router.notes.map(({ what }) => what)).toEqual(['admit'])
      const body = await fetch(`http://127.0.0.1:${h.supervisor.instances('web')[0]?.port ?? 0}/`).then((answer) => answer.text())
      expect(body).toBe('ok')
    } finally {
      process.kill(stranger, 'SIGKILL')
    }
  })

  it('keeps up with a program that writes as fast as it can, in bounded space', { timeout: 30_000 }, async () => {
    const limits = { fileBytes: 4 * 1024 * 1024, pieces: 2 }
    const h = await begin({ logLimits: limits })
    const command = program(
      'flood.mjs',
      `import { createServer } from 'node:http'
       import { writeSync } from 'node:fs'
       const line = Buffer.from('x'.repeat(1023) + '\\n')
       const block = Buffer.concat(Array(1024).fill(line))
       // 100 MB/s
       setInterval(() => { for (let i = 0; i < 5; i++) writeSync(1, block) }, 50)
       createServer((_, answer) => answer.end('ok')).listen(process.env.PORT, '127.0.0.1')`,
    )
    const delay = monitorEventLoopDelay({ resolution: 10 })
    h.supervisor.apply([serviceOf('web', { command })])
    await h.supervisor.whenReady('web')
    delay.enable()
    let largest = 0
    const logs = join(folder, 'logs', 'web')
    for (let look = 0; look < 100; look++) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      const sizes = readdirSync(logs).map((name) => statSync(join(logs, name), { throwIfNoEntry: false })?.size ?? 0)
      largest = Math.max(
        largest,
        sizes.reduce((sum, size) => sum + size, 0),
      )
    }
    delay.disable()
    // Some 500 MB are written meanwhile.
    expect(largest).toBeLessThan(250e6)
    expect(delay.percentile(99) / 1e6).toBeLessThan(250)
    expect(h.problems).toEqual([])
    expect(h.supervisor.instances('web')[0]).toMatchObject({ phase: 'ready', restarts: 0 })
  })

  it('kills what forks itself away faster than anybody looks', { timeout: 30_000 }, async () => {
    const h = await begin()
    const command = program(
      'hydra.mjs',
      `import { spawn } from 'node:child_process'
       import { createServer } from 'node:http'
       // Two processes in sessions of their own, each of which starts the other again when it dies.
       const head = 'while :; do setsid sh -c "sleep 1000" & wait; done'
       for (let i = 0; i < 3; i++) spawn('setsid', ['sh', '-c', head], { stdio: 'ignore', detached: true }).unref()
       createServer((_, answer) => answer.end('ok')).listen(process.env.PORT, '127.0.0.1')`,
    )
    h.supervisor.apply([serviceOf('web', { command, stopMs: 500 })])
    await h.supervisor.whenReady('web')
    const mark = h.supervisor.instances('web')[0]?.id ?? ''
    const marked = (): number => countMarked(mark)
    await eventually('the heads are there', () => marked() >= 7)
    h.supervisor.apply([])
    await eventually('nothing of it is left', () => marked() === 0)
  })

  it('is not stormed by children that die by the hundred', { timeout: 30_000 }, async () => {
    const h = await begin()
    const command = program(
      'storm.mjs',
      `import { spawn } from 'node:child_process'
       import { createServer } from 'node:http'
       // Double forks: orphans that end at once and leave zombies wherever nobody reaps them.
       for (let i = 0; i < 20; i++) spawn('sh', ['-c', 'for i in $(seq 20); do (sh -c "exit 0" &) ; done'], { stdio: 'ignore' })
       createServer((_, answer) => answer.end('ok')).listen(process.env.PORT, '127.0.0.1')`,
    )
    h.supervisor.apply([serviceOf('web', { command, stopMs: 5_000 })])
    await h.supervisor.whenReady('web')
    const began = performance.now()
    process.kill(pidOf(h, 'web'), 'SIGKILL')
    await eventually('it is back', () => h.events.of('instance.ready').length === 2)
    expect(h.events.of('instance.exited')[0]?.data.class).toBe('killed')
    await h.supervisor.stopAll(AbortSignal.timeout(10_000))
    // A stop waits for what lives of the group, not for zombies.
    expect(performance.now() - began).toBeLessThan(4_000)
  })
})

function countMarked(id: string): number {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && lives(Number(name)))
    .filter((name) => environmentOf(name).includes(`HOLDFAST_INSTANCE=${id}`)).length
}

function environmentOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
  } catch {
    return []
  }
}
