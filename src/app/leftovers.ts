/** Stops what runs in a data directory whose control process is gone: the proxy, then every instance. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ProxyClient, socketPath } from '../balancer/index.ts'
import type { Config } from '../config/types.ts'
import { messageOf } from '../kernel/errors.ts'
import { newId, systemClock, systemRandom } from '../kernel/system.ts'
import { SqliteStore, StateFile, MemoryEventLog } from '../store/index.ts'
import { Supervisor, type Router } from '../supervisor/index.ts'
import { EventBus } from './event-bus.ts'
import type { LeftoverReport } from './progress.ts'

/** Nothing is routed any more. */
const noRouting: Router = {
  admit: () => Promise.resolve(),
  drain: () => Promise.resolve({ remaining: 0 }),
  gone: () => undefined,
  expect: () => undefined,
}

export class LeftoverStopper {
  readonly #config: Config

  constructor(config: Config) {
    this.#config = config
  }

  async stop(): Promise<LeftoverReport> {
    const { data, region, services } = this.#config
    const clock = systemClock
    const problems: string[] = []
    const keep = (problem: unknown): void => void problems.push(messageOf(problem))
    const store = new SqliteStore({
      file: new StateFile({
        directory: data,
        clock,
        onSetAside: ({ file, reason }) => void problems.push(`the state store was damaged (${reason}); it was set aside as ${file}`),
      }),
    })
    const events = new EventBus({ log: new MemoryEventLog(), clock, region, newId, onListenerError: keep, onLogError: keep })
    // First, because it may refuse: then nothing has been touched.
    await store.start()
    const proxyProcesses = await this.#stopProxy()
    const logDirectory = join(data, 'logs', 'services')
    const supervisor = new Supervisor({
      clock,
      random: systemRandom,
      store,
      events,
      router: noRouting,
      directory: data,
      logDirectory,
      onProblem: keep,
    })
    await supervisor.start()
    const { adopted } = supervisor.apply([])
    const longest = Math.max(10_000, ...Object.values(services).map(({ stop }) => stop.timeout))
    await supervisor.stopAll(AbortSignal.timeout(longest + 1_000))
    await supervisor.stop(AbortSignal.timeout(1_000))
    await store.stop(AbortSignal.timeout(1_000))
    return { stopped: proxyProcesses + adopted, problems: [...new Set(problems)] }
  }

  /** Resolves with how many processes it had. */
  async #stopProxy(): Promise<number> {
    const { data, cluster } = this.#config
    if (!existsSync(socketPath(data, 'proxy'))) return 0
    const proxy = new ProxyClient({ directory: data, clock: systemClock, workers: 1 })
    const running = await proxy.join()
    if (!running) return 0
    await proxy.shutdown(cluster.gracefulShutdownTimeout)
    return 1 + running.workers
  }
}
