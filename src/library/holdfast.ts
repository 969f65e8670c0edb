/**
 * The whole of Holdfast in a program: what `holdfast up` runs, without the command line. Services and balancer are processes of their own, as
 * always: they outlive this program when it is killed, and the next start adopts them; `stop` ends them in order.
 *
 *   await using holdfast = createHoldfast({ services: { web: { command: 'node server.js', routes: [{ path: '/' }] } } })
 *   await holdfast.start()
 */
import { removeControlFile } from '../app/control-file.ts'
import { Holdfast as ControlPlane } from '../app/holdfast.ts'
import { lockDataDirectory } from '../app/lock.ts'
import type { ConfigChange, Operations, Overview, RestartReport, ScalingRecord } from '../app/operations.ts'
import { version, writeControlFile } from '../app/run.ts'
import { overrides } from '../config/core/environment.ts'
import { loadConfig, parseConfig, type LoadedConfig } from '../config/index.ts'
import { HoldfastError } from '../kernel/errors.ts'
import type { AnyEvent, EventOf, EventType } from '../kernel/events.ts'
import { customDefinition, type CustomCheck } from '../health/index.ts'
import { ms, sleep } from '../kernel/time.ts'
import type { EndpointStatus, ServiceStatus } from '../registry/types.ts'
import type { Settlement } from '../supervisor/index.ts'
import { configText, type ConfigInput } from './config-input.ts'

export interface CreateOptions {
  /** For `${VAR}` in the configuration, and for what services inherit. What overrides keys (`PORT`, `LOG_LEVEL`, …) does so for a file only. @default process.env */
  readonly env?: NodeJS.ProcessEnv
  /** What relative paths in the configuration start from. @default the current directory */
  readonly baseDir?: string
  /** Goes into the events of what this program does. @default 'program' */
  readonly actor?: string
  /** Something that is no error and that somebody should know. @default process.emitWarning */
  readonly onWarning?: (text: string) => void
}

/** A configuration: an object in the shape of the file, or its text. Or `{ file }`: the path of one. */
export type HoldfastInput = ConfigInput | { readonly file: string }

/** How what runs may be told to end. */
export interface StopOptions {
  /** Cuts the drain short when it aborts; what runs is stopped all the same. */
  readonly force?: AbortSignal
}

/** Throws `config_invalid` with every problem in its details. Nothing is started yet. */
export function createHoldfast(config: HoldfastInput, options: CreateOptions = {}): Holdfast {
  const { env = process.env, baseDir = process.cwd() } = options
  if (isFile(config)) return new Holdfast(loadConfig({ file: config.file, env, cwd: baseDir }), options)
  const own = withoutOverrides(env)
  return new Holdfast(parseConfig(configText(config), { env: own, baseDir }), { ...options, env: own })
}

function isFile(config: HoldfastInput): config is { readonly file: string } {
  return typeof config === 'object' && 'file' in config && typeof config.file === 'string'
}

/** Names that override keys of the file. In a program PORT and its like are the program's own: its object says all there is to say. */
const overriding: ReadonlySet<string> = new Set([...overrides.filter(({ path }) => path).map(({ name }) => name), 'PROMETHEUS_ENABLED'])

const withoutOverrides = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !overriding.has(name)))

type Phase = 'idle' | 'running' | 'stopped'

export class Holdfast implements AsyncDisposable {
  readonly #plane: ControlPlane
  readonly #actor: { readonly name: string; readonly address: string }
  #phase: Phase = 'idle'
  #unlock: (() => void) | undefined
  #starting: Promise<void> | undefined
  #stopped: Promise<void> | undefined
  #onDown: () => void = () => undefined

  /** Use `createHoldfast`. */
  constructor(loaded: LoadedConfig, { env = process.env, actor = 'program', onWarning = (text) => process.emitWarning(text) }: CreateOptions) {
    this.#actor = { name: actor, address: 'local' }
    this.#plane = new ControlPlane({
      loaded,
      env,
      version,
      onWarning,
      onStep: () => undefined,
      onEvent: () => undefined,
      onDown: () => {
        this.#onDown()
      },
      publish: writeControlFile,
    })
  }

  /**
   * Resolves when balancer, API and supervisor work and every service has come to rest, with what is not as wanted. Rejects when it cannot start
   * (`already_running`, `listen_failed`, …), and leaves nothing running then.
   */
  async start(): Promise<readonly Settlement[]> {
    if (this.#phase === 'stopped') throw new HoldfastError('stopped', 'tried to start a holdfast that was stopped', { hint: 'create another one' })
    this.#starting ??= this.#start()
    await this.#starting
    return this.#plane.settled()
  }

  async #start(): Promise<void> {
    const { data } = this.#plane.config
    this.#unlock = await lockDataDirectory(data)
    try {
      await this.#plane.start()
      this.#phase = 'running'
      // `holdfast down`, or the API's, is an order to this program as well.
      this.#onDown = () => void this.stop().catch((error: unknown) => process.emitWarning(error instanceof Error ? error : String(error)))
    } catch (error) {
      this.#phase = 'stopped'
      this.#end()
      throw error
    }
  }

  /** Drains the balancer and stops every service. Resolves when nothing is left running. Safe to call twice, and before the start. */
  stop({ force = new AbortController().signal }: StopOptions = {}): Promise<void> {
    this.#stopped ??= this.#stop(force)
    return this.#stopped
  }

  async #stop(force: AbortSignal): Promise<void> {
    await this.#starting?.catch(() => undefined)
    const wasRunning = this.#phase === 'running'
    this.#phase = 'stopped'
    if (!wasRunning) return
    try {
      removeControlFile(this.#plane.config.data)
      await this.#plane.down(force, () => undefined)
    } finally {
      this.#end()
    }
  }

  #end(): void {
    removeControlFile(this.#plane.config.data)
    this.#unlock?.()
    this.#unlock = undefined
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  // --- what happens ---------------------------------------------------------------------------------------------------

  /** Calls `listener` for each event of the type (`'*'`: of any) until the result is disposed. May be called before `start`. */
  on<T extends EventType>(type: T, listener: (event: EventOf<T>) => unknown): Disposable
  on(type: '*', listener: (event: AnyEvent) => unknown): Disposable
  on(type: EventType | '*', listener: (event: never) => unknown): Disposable {
    return this.#plane.events.on(type as '*', listener as (event: AnyEvent) => unknown)
  }

  /**
   * A check that is a function of this program, among those of the configuration: in the API, in rules, in alerts. It is there until the result is disposed, or the
   * program ends. Throws `conflict` when there is one, or a service, of that name.
   */
  registerHealthCheck(name: string, check: CustomCheck): Disposable {
    return this.#plane.watching.checks.register(customDefinition(name, check, (forMs) => sleep(this.#plane.clock, ms(forMs))))
  }

  // --- how it stands --------------------------------------------------------------------------------------------------

  /** `http://127.0.0.1:3006`. */
  get apiUrl(): string {
    return this.#plane.apiUrl
  }

  /** A credential for the API, for this program and what it starts: valid while it runs. */
  get apiToken(): string {
    return this.#plane.access.localToken()
  }

  /** Where clients on this machine reach the balancer. */
  get listeners(): readonly { readonly name: string; readonly url: string }[] {
    return this.#plane.listeners
  }

  overview(): Overview {
    return this.#running.overview()
  }

  services(): readonly ServiceStatus[] {
    return this.#running.services()
  }

  /** Throws `unknown_service`. */
  service(name: string): ServiceStatus {
    return this.#running.service(name)
  }

  endpoints(): readonly EndpointStatus[] {
    return this.#running.endpoints()
  }

  /** Newest first. */
  scalingEvents(limit = 100): readonly ScalingRecord[] {
    return this.#running.scalingEvents(limit)
  }

  /** Prometheus text. */
  metrics(): Promise<string> {
    return this.#running.metrics()
  }

  // --- what it is told ------------------------------------------------------------------------------------------------

  scale(service: string, instances: number, reason?: string): Promise<ScalingRecord> {
    return this.#running.scale(service, instances, { ...(reason !== undefined && { reason }), actor: this.#actor })
  }

  /** Replaces every instance, the new one ready before the old one goes. Rejects with `restart_failed`; the old ones then stay. */
  restart(service: string): Promise<RestartReport> {
    return this.#running.restart(service, { actor: this.#actor })
  }

  setMaintenance(target: { service: string } | { endpoint: string } | 'all', on: boolean): Promise<void> {
    return this.#running.setMaintenance(target, on, { actor: this.#actor })
  }

  addServer(server: Parameters<Operations['addServer']>[0]): Promise<EndpointStatus> {
    return this.#running.addServer(server, { actor: this.#actor })
  }

  removeServer(endpoint: string): Promise<void> {
    return this.#running.removeServer(endpoint, { actor: this.#actor })
  }

  /** Reads the file again, when it came from one, and applies it. A bad one changes nothing: rejects with `config_invalid`. */
  reload(): Promise<readonly ConfigChange[]> {
    return this.#running.applyConfig({ actor: this.#actor })
  }

  get #running(): Operations {
    if (this.#phase === 'running') return this.#plane.operations
    throw new HoldfastError('unavailable', `holdfast is ${this.#phase === 'idle' ? 'not started yet' : 'stopped'}`, { hint: 'await start() first' })
  }
}
