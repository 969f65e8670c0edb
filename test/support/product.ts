/**
 * The built product in a temporary directory of its own, driven as its operator drives it: a configuration file, the
 * command line, signals, the REST API. Whatever belongs to it carries the directory in its command line or in its
 * environment, so that what is left behind can be found.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePorts } from '../../bench/lib/process.ts'
import type { Overview } from '../../src/app/operations.ts'
import type { AnyEvent, EventOf, EventType } from '../../src/kernel/events.ts'
import type { InstanceStatus, ServiceStatus } from '../../src/registry/types.ts'
import { until } from '../chaos/wait.ts'

const bin = fileURLToPath(new URL('../../dist/bin.js', import.meta.url))
const serviceScript = fileURLToPath(new URL('../fixtures/service.mjs', import.meta.url))

/** What runs `test/fixtures/service.mjs`. */
export const serviceCommand = `${process.execPath} ${serviceScript}`

export const isBuilt = (): boolean => existsSync(bin)

/** As in the configuration file. */
export type Settings = Readonly<Record<string, unknown>>

/** How a command ended. */
export interface Ran {
  /** null: by a signal. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly ms: number
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** Of the caller's environment only what every program needs: a `PORT` or a `NODE_ENV` there must not reach the product. */
const passedOn = ['PATH', 'HOME', 'LANG', 'TMPDIR'] as const

/** A command that runs. */
export class Running {
  readonly #child: ChildProcess
  readonly #startedAt = performance.now()
  readonly ended: Promise<Ran>
  stdout = ''
  stderr = ''

  constructor(child: ChildProcess) {
    this.#child = child
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code) => {
        resolve({ code, stdout: this.stdout, stderr: this.stderr, ms: performance.now() - this.#startedAt })
      })
    })
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`it did not start: ${this.stderr}`)
    return this.#child.pid
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Since it was started. */
  get ms(): number {
    return performance.now() - this.#startedAt
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }
}

export class Product {
  readonly directory: string
  /** `spare`: for a test to use. */
  readonly ports: { readonly web: number; readonly api: number; readonly metrics: number; readonly spare: number }
  readonly #env: NodeJS.ProcessEnv

  readonly #keepsDirectory: boolean

  private constructor(directory: string, keepsDirectory: boolean, [web = 0, api = 0, metrics = 0, spare = 0]: readonly number[]) {
    this.directory = directory
    this.#keepsDirectory = keepsDirectory
    this.ports = { web, api, metrics, spare }
    const inherited = passedOn.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]))
    this.#env = { ...Object.fromEntries(inherited), NO_COLOR: '1', HOLDFAST_TEST_DIRECTORY: directory } as NodeJS.ProcessEnv
  }

  /** In a new temporary directory that goes at the end; or in one of the caller's, which stays. */
  static async create(directory?: string): Promise<Product> {
    if (directory !== undefined) mkdirSync(directory, { recursive: true })
    return new Product(realpathSync(directory ?? mkdtempSync(join(tmpdir(), 'holdfast-e2e-'))), directory !== undefined, await freePorts(4))
  }

  path(...parts: readonly string[]): string {
    return join(this.directory, ...parts)
  }

  get configFile(): string {
    return this.path('holdfast.yml')
  }

  get url(): string {
    return `http://127.0.0.1:${this.ports.web}`
  }

  // --- configuration

  /** Writes the configuration; JSON is YAML. Without services: one instance of `service.mjs`, named web, at `/`. */
  configure(services: Readonly<Record<string, Settings>> = { web: {} }, rest: Settings = {}): void {
    const { web, api, metrics } = this.ports
    const whole = {
      name: 'e2e',
      data: './data',
      api: { port: api },
      metrics: { port: metrics },
      listeners: { web: { port: web, host: '127.0.0.1' } },
      cluster: { workers: 2, gracefulShutdownTimeout: '5s' },
      // Tests look more often than people do.
      access: { rateLimit: '100000/m' },
      services: Object.fromEntries(Object.entries(services).map(([name, settings]) => [name, withDefaults(settings)])),
      ...rest,
    }
    writeFileSync(this.configFile, JSON.stringify(whole, undefined, 2))
  }

  write(name: string, text: string): string {
    const file = this.path(name)
    writeFileSync(file, text)
    return file
  }

  // --- the command line

  /** Begins a command, with its own configuration unless the arguments name another. */
  start(args: readonly string[], options: { readonly env?: NodeJS.ProcessEnv; readonly wrap?: readonly string[] } = {}): Running {
    const named = args.includes('--config') || args.includes('--url')
    const command = [...(options.wrap ?? []), process.execPath, bin, ...args, ...(named ? [] : ['--config', this.configFile])]
    const [file = '', ...rest] = command
    const env = { ...this.#env, ...options.env }
    return new Running(spawn(file, rest, { cwd: this.directory, env, stdio: ['ignore', 'pipe', 'pipe'] }))
  }

  run(...args: readonly string[]): Promise<Ran> {
    return this.start(args).ended
  }

  /** As `run`; rejects when it fails. */
  async must(...args: readonly string[]): Promise<Ran> {
    const ran = await this.run(...args)
    if (ran.code !== 0) throw new Error(`holdfast ${args.join(' ')} exited with code ${ran.code ?? 'none'}:\n${ran.stdout}${ran.stderr}`)
    return ran
  }

  /** `holdfast up` in the foreground; resolves when it says that it serves. */
  async up(): Promise<Running> {
    const up = this.start(['up'])
    await this.serves(up)
    return up
  }

  async serves(up: Running): Promise<void> {
    await until('holdfast says that it serves', () => {
      if (!up.running) throw new Error(`holdfast up ended:\n${up.stdout}${up.stderr}`)
      return up.stdout.includes('holdfast is serving') || undefined
    })
  }

  async down(): Promise<void> {
    await this.must('down')
  }

  // --- the API

  /** What a control process left for the command line; undefined: none is there. */
  get control(): { readonly url: string; readonly token: string; readonly pid: number } | undefined {
    try {
      return JSON.parse(readFileSync(this.path('data', 'run', 'control.json'), 'utf8')) as { url: string; token: string; pid: number }
    } catch {
      return undefined // not written yet, or removed
    }
  }

  /** `data` of the answer; rejects with its status when it is no success. */
  async ask<T>(path: string): Promise<T> {
    const { control } = this
    if (!control) throw new Error('no control process is there')
    const response = await fetch(`${control.url}/api/infrastructure${path}`, { headers: { Authorization: `Bearer ${control.token}` } })
    if (!response.ok) throw new Error(`GET ${path} answered ${response.status}: ${await response.text()}`)
    return ((await response.json()) as { data: T }).data
  }

  overview(): Promise<Overview> {
    return this.ask<Overview>('/overview')
  }

  /** undefined while nobody answers. */
  tryOverview(): Promise<Overview | undefined> {
    return this.overview().catch(() => undefined)
  }

  async service(name = 'web'): Promise<ServiceStatus> {
    const found = (await this.overview()).services.find((service) => service.name === name)
    if (!found) throw new Error(`there is no service ${name}`)
    return found
  }

  async pids(name = 'web'): Promise<number[]> {
    return pidsOf((await this.service(name)).instances)
  }

  /** Until the service has exactly so many instances, all ready. */
  settled(instances: number, name = 'web', timeoutMs?: number): Promise<ServiceStatus> {
    return until(
      `${instances} ready instances of ${name}`,
      async () => {
        const found = (await this.tryOverview())?.services.find((service) => service.name === name)
        return found?.ready === instances && found.instances.length === instances && found.desired === instances ? found : undefined
      },
      timeoutMs,
    )
  }

  async events<T extends EventType>(type: T): Promise<EventOf<T>[]> {
    const items = await this.ask<readonly AnyEvent[]>(`/events?type=${type}&limit=1000`)
    return items as readonly unknown[] as EventOf<T>[]
  }

  // --- the balancer

  async get(path = '/', headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, { headers })
    return { status: response.status, headers: response.headers, text: await response.text() }
  }

  // --- the end

  /** The pids of everything that belongs to it. */
  survivors(): number[] {
    const pids = readdirSync('/proc').map(Number)
    return pids.filter((pid) => Number.isInteger(pid) && pid !== process.pid && this.#isOurs(pid))
  }

  /** Kills what is left and removes its directory; resolves with what was left, as sentences. */
  async end(): Promise<string[]> {
    await until('what was told to stop is gone', () => this.survivors().length === 0 || undefined, 1_000).catch(() => undefined)
    const left = this.survivors().map((pid) => `left behind: pid ${pid} (${readProc(pid, 'cmdline').replaceAll('\0', ' ').trim()})`)
    for (let round = 0; round < 20 && this.survivors().length > 0; round++) {
      for (const pid of this.survivors()) killIfThere(pid)
      await sleep(50)
    }
    if (!this.#keepsDirectory) rmSync(this.directory, { recursive: true, force: true })
    return left
  }

  #isOurs(pid: number): boolean {
    if (!readProc(pid, 'cmdline').includes(this.directory) && !readProc(pid, 'environ').includes(this.directory)) return false
    const stat = readProc(pid, 'stat')
    return stat !== '' && !/^[ZX]$/.test(stat.slice(stat.lastIndexOf(')') + 2)[0] ?? '')
  }
}

function withDefaults(settings: Settings): Settings {
  const made = ['command', 'endpoints'].some((source) => source in settings) ? settings : { command: serviceCommand, ...settings }
  return 'routes' in made ? made : { ...made, routes: [{ path: '/' }] }
}

export const pidsOf = (instances: readonly InstanceStatus[]): number[] => instances.flatMap(({ pid }) => pid ?? []).toSorted((a, b) => a - b)

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return '' // it has exited
  }
}

export function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}
