/** How Holdfast is hurt, or used, under load. Each disturbance goes on until the time is over. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Overview } from '../../src/app/operations.ts'
import type { Promises } from './promises.ts'
import type { HoldfastSystem } from './systems/holdfast.ts'
import type { System } from './systems/system.ts'
import { until } from './wait.ts'

export interface Run<S extends System = HoldfastSystem> {
  readonly system: S
  /** False once the time of the case is over. */
  readonly goesOn: () => boolean
  /** What was done so far; filled by the case. */
  readonly done: Done
}

export interface Done {
  actions: number
  /** On the monotonic clock, in milliseconds. */
  readonly killedAt: number[]
  workerConnections: number
}

interface CaseOf<S extends System> extends Promises {
  readonly name: string
  readonly title: string
  readonly instances: number
  disturb(run: Run<S>): Promise<void>
}

export type ChaosCase = CaseOf<HoldfastSystem>
/** A case that needs nothing but instances to kill. */
export type KillCase = CaseOf<System>

const killEveryMs = 2_000
const firstAfterMs = 1_000

/** Does it after one second, and then every so often, each time from the end of the wait, not of the work. */
async function every(periodMs: number, run: Run<System>, action: (turn: number) => Promise<void>): Promise<void> {
  let nextAt = performance.now() + firstAfterMs
  for (let turn = 0; ; turn++) {
    await sleep(Math.max(0, nextAt - performance.now()))
    if (!run.goesOn()) return
    await action(turn)
    run.done.actions++
    nextAt = Math.max(nextAt + periodMs, performance.now())
  }
}

function kill({ done }: Run<System>, pid: number): void {
  done.killedAt.push(performance.now())
  process.kill(pid, 'SIGKILL')
}

const killInstances = (run: Run<System>): Promise<void> =>
  every(killEveryMs, run, async (turn) => {
    const pids = await until('an instance to kill', async () => {
      const ready = await run.system.instancePids()
      return ready.length > 0 ? ready : undefined
    })
    kill(run, pids[turn % pids.length] ?? NaN)
  })

export const killOneOfThree: KillCase = {
  name: 'kill-one-of-three',
  title: 'kill -9 of one of three instances every 2 s',
  instances: 3,
  losses: 'explained',
  disturb: killInstances,
}

export const killSingle: KillCase = {
  name: 'kill-single',
  title: 'kill -9 of the only instance every 2 s',
  instances: 1,
  losses: 'explained',
  disturb: killInstances,
}

const restart: ChaosCase = {
  name: 'restart',
  title: 'holdfast restart, again and again',
  instances: 3,
  losses: 'none',
  disturb: (run) =>
    every(500, run, async () => {
      await run.system.run('restart', 'shop')
      await run.system.settled(3)
    }),
}

const scale: ChaosCase = {
  name: 'scale',
  title: 'holdfast scale up and down',
  instances: 3,
  losses: 'none',
  disturb: (run) =>
    every(500, run, async (turn) => {
      const count = [6, 1, 4, 2][turn % 4] ?? 3
      await run.system.run('scale', 'shop', String(count))
      await run.system.settled(count)
    }),
}

const reconfigure: ChaosCase = {
  name: 'config',
  title: 'a changed configuration, by holdfast up and by SIGHUP',
  instances: 3,
  losses: 'none',
  disturb: (run) =>
    every(500, run, async (turn) => {
      const { system } = run
      const before = revisionsOf(await system.overview())
      system.configure({ release: turn + 2, timeoutSeconds: 20 + (turn % 10) })
      if (turn % 2 === 0) await system.run('up')
      else system.signalControl('SIGHUP')
      await until('a new revision on every instance', async () => {
        const overview = await system.settled(3)
        return Math.min(...revisionsOf(overview)) > Math.max(...before) ? true : undefined
      })
    }),
}

const killControl: ChaosCase = {
  name: 'kill-control',
  title: 'kill -9 of the control process, then holdfast up',
  instances: 3,
  losses: 'none',
  disturb: (run) =>
    every(killEveryMs, run, async () => {
      const { system } = run
      const before = identity(await system.overview())
      await system.killControl()
      await sleep(500)
      await system.up()
      const after = identity(await system.settled(3))
      if (after !== before) throw new Error(`the new control process did not take over what ran: ${before} became ${after}`)
    }),
}

const killWorker: ChaosCase = {
  name: 'kill-worker',
  title: 'kill -9 of one proxy worker',
  instances: 3,
  losses: 'cut',
  disturb: (run) =>
    every(2 * killEveryMs, run, async (turn) => {
      // As many as it holds may be cut: a reading from before the load says nothing of that.
      const workers = await until('two proxy workers with connections', async () => {
        const { proxy } = await run.system.overview()
        return proxy?.workers.length === 2 && proxy.workers.every(({ connections }) => connections > 0) ? proxy.workers : undefined
      })
      const worker = workers[turn % workers.length]
      if (worker === undefined) throw new Error('there is no worker to kill')
      run.done.workerConnections += worker.connections
      kill(run, worker.pid)
      await until('the worker is replaced', async () => {
        const now = (await run.system.overview()).proxy?.workers ?? []
        return now.length === 2 && now.every(({ pid }) => pid !== worker.pid) ? true : undefined
      })
    }),
}

const killProxy: ChaosCase = {
  name: 'kill-proxy',
  title: 'kill -9 of the supervisor process of the proxy',
  instances: 3,
  losses: 'none',
  disturb: (run) =>
    every(2 * killEveryMs, run, async () => {
      const pid = (await run.system.overview()).proxy?.pid
      if (pid === undefined) throw new Error('the overview names no proxy')
      kill(run, pid)
      await until('the proxy has a supervisor again', async () => {
        const { proxy, proxyConnected } = await run.system.overview()
        return proxyConnected && proxy !== undefined && proxy.pid !== pid && proxy.workers.length === 2 ? true : undefined
      })
    }),
}

export const chaosCases: readonly ChaosCase[] = [killOneOfThree, killSingle, restart, scale, reconfigure, killControl, killWorker, killProxy]

const instancesOf = ({ services }: Overview): Overview['services'][number]['instances'] => services.flatMap(({ instances }) => instances)
const revisionsOf = (overview: Overview): number[] => instancesOf(overview).map(({ revision }) => revision)

/** What must be the same after the control process was replaced. */
function identity(overview: Overview): string {
  const pids = instancesOf(overview).map(({ pid }) => pid ?? 0)
  return `instances ${pids.toSorted((a, b) => a - b).join(' ')}, proxy ${overview.proxy?.pid ?? 'none'}`
}
