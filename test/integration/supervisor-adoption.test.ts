/** The control process dies; what it ran goes on and is taken over: the same processes, none twice, none lost. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/kernel/system.ts'
import type { StateStore } from '../../src/store/index.ts'
import { keys, type InstanceRecord } from '../../src/supervisor/records.ts'
import { LinuxProcessTable } from '../../src/supervisor/runtimes/process/linux-process-table.ts'
import {
  eventually,
  fixture,
  harness,
  lives,
  openStore,
  removeFolder,
  serviceOf,
  temporaryFolder,
  type Harness,
} from '../support/supervisor-harness.ts'

interface Settled {
  readonly adopted: number
  readonly adoptionMs: number
  readonly instances: readonly { readonly id: string; readonly pid: number; readonly phase: string }[]
}

describe('adoption', () => {
  let folder: string
  let control: ChildProcess | undefined
  let supervised: Harness | undefined

  beforeEach(() => {
    folder = temporaryFolder()
  })

  afterEach(async () => {
    control?.kill('SIGKILL')
    supervised ??= await begin(await openStore())
    await supervised.supervisor.stopAll(AbortSignal.timeout(3_000))
    await supervised.supervisor.stop(AbortSignal.timeout(1_000))
    supervised = undefined
    control = undefined
    removeFolder(folder)
  })

  async function begin(store?: StateStore): Promise<Harness> {
    supervised = await harness({ directory: folder, store: store ?? (await openStore(folder)) })
    return supervised
  }

  async function startControl(): Promise<Settled> {
    const script = join(import.meta.dirname, 'supervising.ts')
    control = spawn(process.execPath, ['--import', 'tsx', script], { env: { ...process.env, DATA: folder }, stdio: ['ignore', 'pipe', 'inherit'] })
    const stdout = control.stdout
    if (!stdout) throw new Error('no output of the control process')
    const [line] = (await once(createInterface(stdout), 'line')) as [string]
    return JSON.parse(line) as Settled
  }

  async function killControl(): Promise<void> {
    control?.kill('SIGKILL')
    if (control) await once(control, 'exit')
    control = undefined
  }

  /** Pids of all live processes that carry the mark of this folder. */
  async function marked(): Promise<number[]> {
    const found = await new LinuxProcessTable().marked((environment) => environment.get('HOLDFAST_DATA') === folder)
    return found.map(({ identity }) => identity.pid).sort((a, b) => a - b)
  }

  const pids = (instances: readonly { readonly pid: number | undefined }[]): number[] => instances.map(({ pid }) => pid ?? 0).sort((a, b) => a - b)

  it('takes over after kill -9 of the control process: the same pids, within a second, again and again', { timeout: 120_000 }, async () => {
    const first = await startControl()
    expect(first).toMatchObject({ adopted: 0 })
    for (let round = 0; round < 3; round++) {
      await killControl()
      const next = await startControl()
      expect(next.adopted).toBe(3)
      expect(next.adoptionMs).toBeLessThan(1_000)
      expect(pids(next.instances)).toEqual(pids(first.instances))
      expect(await marked()).toEqual(pids(first.instances))
    }
  })

  it('starts what died meanwhile, and says so', async () => {
    const first = await startControl()
    await killControl()
    const victim = first.instances[0]?.pid ?? 0
    process.kill(victim, 'SIGKILL')
    await eventually('it has ended', () => !lives(victim))
    const h = await begin()
    expect(h.supervisor.apply([serviceOf('web0', { instances: 3 })]).adopted).toBe(2)
    await h.supervisor.whenReady('web0')
    expect(h.supervisor.instances().filter(({ pid }) => first.instances.some((one) => one.pid === pid))).toHaveLength(2)
    expect(h.events.of('instance.exited')[0]).toMatchObject({ instance: first.instances[0]?.id, data: { class: 'unknown' } })
    expect(h.router.notes.filter(({ what }) => what === 'admit')).toHaveLength(3)
  })

  it('notices the end of an adopted instance by itself, and at once when asked to look', async () => {
    await startControl()
    await killControl()
    const h = await begin()
    h.supervisor.apply([serviceOf('web0', { instances: 3 })])
    const [one, two] = h.supervisor.instances()
    process.kill(one?.pid ?? 0, 'SIGKILL')
    await eventually('it was noticed', () => h.events.of('instance.exited').length === 1, 1_000)
    process.kill(two?.pid ?? 0, 'SIGKILL')
    await eventually('it has ended', () => !lives(two?.pid ?? 0))
    h.supervisor.check(two?.id ?? '')
    expect(h.events.of('instance.exited').map(({ instance }) => instance)).toEqual([one?.id, two?.id])
    expect(h.router.notes.filter(({ what }) => what === 'gone').map(({ id }) => id)).toEqual([one?.id, two?.id])
    await h.supervisor.whenReady('web0')
  })

  it('stops in good order what is in no configuration any more', async () => {
    const { instances } = await startControl()
    await killControl()
    const h = await begin()
    h.supervisor.apply([])
    await h.supervisor.whenSettled()
    await eventually('nothing is left', () => h.supervisor.instances().length === 0)
    expect(instances.filter(({ pid }) => lives(pid))).toEqual([])
    expect(h.router.notes.filter(({ what }) => what === 'drained')).toHaveLength(3)
    expect(h.events.of('instance.exited').every(({ data }) => data.class === 'ordered')).toBe(true)
  })

  it('finds an instance whose pid was never written down by its mark, and starts no second one', async () => {
    const child = spawn(process.execPath, [fixture], {
      detached: true,
      stdio: 'ignore',
      env: { PORT: '28471', HOLDFAST_DATA: folder, HOLDFAST_INSTANCE: 'web-abc123', HOLDFAST_SERVICE: 'web' },
    })
    const store = await openStore()
    const intent: InstanceRecord = { id: 'web-abc123', service: 'web', slot: 0, revision: 1 }
    await store.commit({ writes: [{ put: keys.instance(intent.id), value: intent }] })
    const h = await begin(store)
    expect(h.supervisor.apply([serviceOf('web')]).adopted).toBe(1)
    await h.supervisor.whenReady('web')
    expect(h.supervisor.instances()).toMatchObject([{ id: 'web-abc123', pid: child.pid, phase: 'ready' }])
    expect(h.events.of('instance.started')).toEqual([])
  })

  it('ends stray descendants of instances that are gone', async () => {
    const stray = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)'], {
      stdio: 'ignore',
      env: { PORT: '1', HOLDFAST_DATA: folder, HOLDFAST_INSTANCE: 'web-gone00', HOLDFAST_SERVICE: 'web' },
    })
    await once(stray, 'spawn')
    const h = await begin(await openStore())
    h.supervisor.apply([])
    await eventually('it has ended', () => stray.exitCode !== null || stray.signalCode !== null)
    expect(stray.signalCode).toBe('SIGKILL')
  })

  it('does not take a pid that belongs to somebody else now for its own', async () => {
    const store = await openStore()
    const process_ = { pid: process.pid, startTicks: 1, bootId: 'of another boot' }
    const running = { id: 'web-old000', service: 'web', process: process_, port: 1, shell: false, startedAt: systemClock.wallTime() }
    const record: InstanceRecord = { id: 'web-old000', service: 'web', slot: 0, revision: 1, running, readyAt: systemClock.wallTime() }
    await store.commit({ writes: [{ put: keys.instance(record.id), value: record }] })
    const h = await begin(store)
    expect(h.supervisor.apply([serviceOf('web')]).adopted).toBe(0)
    await h.supervisor.whenReady('web')
  })

  it('remembers a scale set by hand, the numbers of revisions and a crash loop', async () => {
    const store = await openStore()
    const h = await begin(store)
    h.supervisor.apply([serviceOf('web')])
    await h.supervisor.scale('web', 2)
    await h.supervisor.whenReady('web')
    await h.supervisor.stop(AbortSignal.timeout(1_000))
    const next = await begin(store)
    expect(next.supervisor.apply([serviceOf('web')])).toMatchObject({ adopted: 2 })
    expect(next.supervisor.desired('web')).toBe(2)
    expect(next.supervisor.revision('web')).toMatchObject({ number: 1 })
    expect(next.supervisor.instances().every(({ phase }) => phase === 'ready')).toBe(true)
  })
})
