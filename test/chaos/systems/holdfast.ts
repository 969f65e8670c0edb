/** The real product with one service of counter-origin instances. */
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { freePort } from '../../../bench/lib/process.ts'
import { median } from '../../../bench/lib/statistics.ts'
import type { Overview } from '../../../src/app/operations.ts'
import { Product, type Running } from '../../support/product.ts'
import { until } from '../wait.ts'
import { counterFileOf, originScript, type System, type SystemOptions } from './system.ts'

interface Settings {
  /** In the instance's environment: another value is another revision. */
  release: number
  /** Of routing only. */
  timeoutSeconds: number
}

const notStarted = 'the system has not been started'

export class HoldfastSystem implements System {
  readonly name = 'holdfast'
  readonly #directory: string
  readonly #instances: number
  readonly #settings: Settings = { release: 1, timeoutSeconds: 30 }
  #started: Product | undefined
  #control: Running | undefined

  constructor({ directory, instances }: SystemOptions) {
    this.#directory = directory
    this.#instances = instances
  }

  get port(): number {
    return this.#product.ports.web
  }

  get #product(): Product {
    if (this.#started === undefined) throw new Error(notStarted)
    return this.#started
  }

  async start(): Promise<void> {
    this.#started = await Product.create(this.#directory)
    this.configure({})
    await this.up()
    await this.settled(this.#instances)
  }

  /** Writes the configuration with these settings changed. */
  configure(change: Partial<Settings>): void {
    Object.assign(this.#settings, change)
    const { release, timeoutSeconds } = this.#settings
    this.#product.configure({
      shop: {
        command: `${process.execPath} ${originScript}`,
        instances: this.#instances,
        env: { COUNTER_FILE: counterFileOf(this.#directory), RELEASE: String(release) },
        health: { path: '/health' },
        resilience: { timeout: `${timeoutSeconds}s` },
      },
    })
  }

  /** A new control process, until its API answers. */
  async up(): Promise<void> {
    const control = this.#product.start(['up'])
    this.#control = control
    await until('holdfast up serves', async () => {
      if (!control.running) throw new Error(`holdfast up ended:\n${control.stdout}${control.stderr}`)
      const overview = await this.#product.tryOverview()
      return overview?.pid === control.pid && overview.proxyConnected ? true : undefined
    })
  }

  /** Until exactly so many instances are ready, and none is on its way in or out. */
  async settled(instances: number): Promise<Overview> {
    return until(`${instances} ready instances and no other`, async () => {
      const overview = await this.#product.tryOverview()
      const shop = overview?.services.find(({ name }) => name === 'shop')
      // The readings of the proxy come once a second; a new control process has none at first.
      const isSettled = shop?.ready === instances && shop.instances.length === instances && overview?.proxy !== undefined
      return isSettled ? overview : undefined
    })
  }

  /** Runs the command line as a user would; rejects with what it printed when it fails. */
  async run(...args: readonly string[]): Promise<void> {
    await this.#product.must(...args)
  }

  signalControl(signal: NodeJS.Signals): void {
    if (this.#control === undefined) throw new Error(notStarted)
    this.#control.signal(signal)
  }

  async killControl(): Promise<void> {
    this.signalControl('SIGKILL')
    await this.#control?.ended
  }

  async overview(): Promise<Overview> {
    return until('an answer of the API', () => this.#product.tryOverview())
  }

  async instancePids(): Promise<readonly number[]> {
    const { services } = await this.overview()
    return services.flatMap(({ instances }) => instances.flatMap(({ pid, phase }) => (pid !== undefined && phase === 'ready' ? pid : [])))
  }

  async counters(): Promise<{ retried: number; parked: number }> {
    const { services } = await this.overview()
    const sum = (of: (service: (typeof services)[number]) => number): number => services.reduce((total, service) => total + of(service), 0)
    return { retried: sum(({ traffic }) => traffic.retried), parked: sum(({ traffic }) => traffic.parkedTotal) }
  }

  async stop(): Promise<readonly string[]> {
    if (this.#started === undefined) return []
    const problems: string[] = []
    try {
      await this.run('down')
    } catch (error) {
      problems.push(String(error))
    }
    return [...(await this.#product.end()), ...problems]
  }
}

/** How long an instance takes from its start until it answers, in milliseconds: the median of three. */
export async function measureBoot(directory: string): Promise<number> {
  mkdirSync(directory, { recursive: true })
  const times = []
  for (let i = 0; i < 3; i++) times.push(await bootOnce(directory))
  return median(times)
}

async function bootOnce(directory: string): Promise<number> {
  const port = await freePort()
  const startedAt = performance.now()
  const child = spawn(process.execPath, [originScript], { env: { ...process.env, PORT: String(port), COUNTER_FILE: counterFileOf(directory) } })
  try {
    return await until('the instance answers', async () => {
      try {
        return (await fetch(`http://127.0.0.1:${port}/health`)).ok ? performance.now() - startedAt : undefined
      } catch {
        return undefined // not yet
      }
    })
  } finally {
    child.kill('SIGKILL')
  }
}
