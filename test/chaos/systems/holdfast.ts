/** The real product, driven as a user drives it: a configuration file, the command line, the REST API. */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Child, freePort, freePorts } from '../../../bench/lib/process.ts'
import { median } from '../../../bench/lib/statistics.ts'
import type { Overview } from '../../../src/app/operations.ts'
import { until } from '../wait.ts'
import { counterFileOf, originScript, type System, type SystemOptions } from './system.ts'

const bin = fileURLToPath(new URL('../../../dist/bin.js', import.meta.url))

export const isBuilt = (): boolean => existsSync(bin)

interface Settings {
  /** In the instance's environment: another value is another revision. */
  release: number
  /** Of routing only. */
  timeoutSeconds: number
}

export class HoldfastSystem implements System {
  readonly name = 'holdfast'
  readonly #directory: string
  readonly #instances: number
  readonly #settings: Settings = { release: 1, timeoutSeconds: 30 }
  #ports = { web: 0, api: 0, metrics: 0 }
  #control: Child | undefined

  constructor({ directory, instances }: SystemOptions) {
    this.#directory = directory
    this.#instances = instances
  }

  get port(): number {
    return this.#ports.web
  }

  get #configFile(): string {
    return join(this.#directory, 'holdfast.yml')
  }

  async start(): Promise<void> {
    mkdirSync(this.#directory, { recursive: true })
    const [web = 0, api = 0, metrics = 0] = await freePorts(3)
    this.#ports = { web, api, metrics }
    this.configure({})
    await this.up()
    await this.settled(this.#instances)
  }

  /** Writes the configuration with these settings changed. */
  configure(change: Partial<Settings>): void {
    Object.assign(this.#settings, change)
    const { web, api, metrics } = this.#ports
    writeFileSync(
      this.#configFile,
      `name: chaos
data: ./data
api: { port: ${api} }
metrics: { port: ${metrics} }
log: { directory: ./logs }
listeners:
  web: { port: ${web}, host: 127.0.0.1 }
cluster: { workers: 2 }
services:
  shop:
    command: ${process.execPath} ${originScript}
    instances: ${this.#instances}
    env: { COUNTER_FILE: ${counterFileOf(this.#directory)}, RELEASE: "${this.#settings.release}" }
    health: { path: /health }
    resilience: { timeout: ${this.#settings.timeoutSeconds}s }
    routes: [{ path: / }]
`,
    )
  }

  /** A new control process, until its API answers. */
  async up(): Promise<void> {
    const control = Child.start('holdfast up', [process.execPath, bin, 'up', '--config', this.#configFile], { cwd: this.#directory })
    this.#control = control
    await until('holdfast up serves', async () => {
      if (!control.running) throw new Error(`holdfast up ended:\n${control.output}`)
      return (await this.#tryOverview())?.proxyConnected === true ? true : undefined
    })
  }

  /** Until exactly so many instances are ready, and none is on its way in or out. */
  async settled(instances: number): Promise<Overview> {
    return until(`${instances} ready instances and no other`, async () => {
      const overview = await this.#tryOverview()
      const shop = overview?.services.find(({ name }) => name === 'shop')
      // The readings of the proxy come once a second; a new control process has none at first.
      const isSettled = shop?.ready === instances && shop.instances.length === instances && overview?.proxy !== undefined
      return isSettled ? overview : undefined
    })
  }

  /** Runs the command line as a user would; rejects with what it printed when it fails. */
  async run(...args: readonly string[]): Promise<void> {
    const child = Child.start(`holdfast ${args.join(' ')}`, [process.execPath, bin, ...args, '--config', this.#configFile], { cwd: this.#directory })
    const code = await child.exitCode()
    if (code !== 0) throw new Error(`holdfast ${args.join(' ')} exited with code ${code ?? 'none'}:\n${child.output}`)
  }

  get controlPid(): number {
    if (this.#control === undefined) throw new Error('the control process has not been started')
    return this.#control.pid
  }

  signalControl(signal: NodeJS.Signals): void {
    process.kill(this.controlPid, signal)
  }

  async killControl(): Promise<void> {
    this.#control?.kill('SIGKILL')
    await this.#control?.exited
  }

  async overview(): Promise<Overview> {
    return until('an answer of the API', () => this.#tryOverview())
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
    try {
      await this.run('down')
    } catch (error) {
      return [...(await this.#killLeftovers()), String(error)]
    }
    await this.#control?.exited
    return this.#killLeftovers()
  }

  async #tryOverview(): Promise<Overview | undefined> {
    const file = join(this.#directory, 'data', 'run', 'control.json')
    try {
      const { url, token } = JSON.parse(readFileSync(file, 'utf8')) as { url: string; token: string }
      const response = await fetch(new URL('/api/infrastructure/overview', url), { headers: { Authorization: `Bearer ${token}` } })
      if (!response.ok) return undefined
      return ((await response.json()) as { data: Overview }).data
    } catch {
      return undefined // no control process answers at the moment
    }
  }

  /** Everything of this run carries its folder in its command or its environment. */
  async #killLeftovers(): Promise<string[]> {
    await sleep(200)
    const left = readdirSync('/proc')
      .map(Number)
      .filter((pid) => Number.isInteger(pid) && pid !== process.pid && this.#isOurs(pid))
    return left.map((pid) => {
      const command = readProc(pid, 'cmdline').replaceAll('\0', ' ').trim()
      process.kill(pid, 'SIGKILL')
      return `left behind: pid ${pid} (${command})`
    })
  }

  #isOurs(pid: number): boolean {
    return readProc(pid, 'cmdline').includes(this.#directory) || readProc(pid, 'environ').includes(this.#directory)
  }
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return '' // it has exited
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
