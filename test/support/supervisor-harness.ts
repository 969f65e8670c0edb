/** A running supervisor with real processes, a router that only takes notes, and events that can be read back. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HealthProbeConfig, ServiceConfig, UserConfig } from '../../src/config/types.ts'
import type { EventData, EventInput, EventSink, EventType } from '../../src/kernel/events.ts'
import { systemClock, systemRandom } from '../../src/kernel/system.ts'
import { ms, seconds } from '../../src/kernel/time.ts'
import { MemoryStore, SqliteStore, StateFile, type StateStore } from '../../src/store/index.ts'
import type { Expectation } from '../../src/supervisor/ports.ts'
import { Supervisor, type RoutedInstance, type Router, type SupervisorDeps } from '../../src/supervisor/index.ts'

export const fixture = join(import.meta.dirname, '..', 'fixtures', 'supervised.mjs')

export interface Noted {
  readonly at: number
  readonly what: string
  readonly id: string
  readonly service: string
  /** Of `gone`. */
  readonly reason?: string
}

/** Admits and drains at once, and remembers when. */
export class NotingRouter implements Router {
  readonly notes: Noted[] = []
  readonly expectations: (Expectation & { readonly service: string })[] = []
  drainMs = 0

  async admit(instance: RoutedInstance): Promise<void> {
    this.#note('admit', instance)
  }

  async drain(instance: RoutedInstance): Promise<{ remaining: number }> {
    this.#note('drain', instance)
    await new Promise((resolve) => setTimeout(resolve, this.drainMs))
    this.#note('drained', instance)
    return { remaining: 0 }
  }

  gone(instance: RoutedInstance, reason: string): void {
    this.#note('gone', instance, reason)
  }

  expect(service: string, expectation: Expectation): void {
    this.expectations.push({ service, ...expectation })
  }

  #note(what: string, { id, service }: RoutedInstance, reason?: string): void {
    this.notes.push({ at: performance.now(), what, id, service, ...(reason !== undefined && { reason }) })
  }
}

export interface Told {
  readonly id: string
  readonly at: number
  readonly type: EventType
  readonly message: string
  readonly instance: string | undefined
  readonly cause: string | undefined
  readonly data: EventData[EventType]
}

export class ToldEvents implements EventSink {
  readonly told: Told[] = []

  emit<T extends EventType>(type: T, { message, instance, cause, data }: EventInput<T>): string {
    const id = String(this.told.length)
    this.told.push({ id, at: performance.now(), type, message, instance, cause, data })
    return id
  }

  of<T extends EventType>(type: T): (Told & { data: EventData[T] })[] {
    return this.told.filter((event): event is Told & { data: EventData[T] } => event.type === type)
  }
}

export interface Harness {
  readonly supervisor: Supervisor
  readonly router: NotingRouter
  readonly events: ToldEvents
  readonly directory: string
  readonly store: StateStore
  readonly problems: string[]
}

export async function harness(overrides: Partial<SupervisorDeps> = {}): Promise<Harness> {
  const directory = overrides.directory ?? temporaryFolder()
  const router = new NotingRouter()
  const events = new ToldEvents()
  const store = overrides.store ?? (await openStore())
  const problems: string[] = []
  const supervisor = new Supervisor({
    clock: systemClock,
    random: systemRandom,
    store,
    events,
    router,
    directory,
    onProblem: (problem) => problems.push(problem.message),
    ...overrides,
  })
  await supervisor.start()
  return { supervisor, router, events, directory, store, problems }
}

/** In memory, or in a folder. */
export async function openStore(directory?: string): Promise<StateStore> {
  const store =
    directory === undefined
      ? new MemoryStore()
      : new SqliteStore({ file: new StateFile({ directory, clock: systemClock, onSetAside: () => undefined }) })
  await store.start()
  return store
}

export const temporaryFolder = (): string => mkdtempSync(join(tmpdir(), 'holdfast-supervisor-'))

export const removeFolder = (folder: string): void => rmSync(folder, { recursive: true, force: true, maxRetries: 3 })

export interface ServiceOptions {
  readonly command?: string
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly instances?: number
  readonly port?: 'auto' | number
  readonly user?: UserConfig
  readonly dependsOn?: readonly string[]
  readonly startMs?: number
  readonly stopMs?: number
  readonly restart?: ServiceConfig['restart']
  readonly health?: HealthProbeConfig
  readonly memory?: number
}

/** A complete service with short times, so that tests are quick. */
export function serviceOf(name: string, options: ServiceOptions = {}): ServiceConfig {
  const { command = `${process.execPath} ${fixture}`, env = {}, cwd = process.cwd(), instances = 1, port = 'auto', user } = options
  return {
    name,
    source: { kind: 'process', command, cwd, env, port, user },
    version: undefined,
    instances: { min: instances, max: instances },
    dependsOn: options.dependsOn ?? [],
    start: { timeout: ms(options.startMs ?? 10_000) },
    stop: { signal: 'SIGTERM', timeout: ms(options.stopMs ?? 5_000) },
    restart: options.restart ?? { policy: 'always', backoff: { initial: seconds(1), max: seconds(60) } },
    health: options.health,
    ...(options.memory !== undefined && { resources: { memory: options.memory } }),
    routes: [],
    balance: { algorithm: 'p2c-ewma', hashHeader: undefined, slowStart: ms(0), weights: 'fused' },
    resilience: { timeout: seconds(30), connectTimeout: seconds(2), retries: { attempts: 1, budget: 0.2 }, parking: undefined },
  }
}

/** Lines of a file that instances write, as `[id, text]`. */
export function reports(file: string): [string, string][] {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)])
}

/** Waits until the condition holds; fails with what it is about when it does not in time. */
export async function eventually(about: string, condition: () => boolean, withinMs = 10_000): Promise<void> {
  const until = performance.now() + withinMs
  while (!condition()) {
    if (performance.now() > until) throw new Error(`waited ${withinMs} ms in vain: ${about}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Whether a process runs; a zombie does not. */
export function lives(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return !['Z', 'X'].includes(stat.slice(stat.lastIndexOf(')') + 2).charAt(0))
  } catch {
    return false
  }
}
