/**
 * Runs instances as child processes of this machine. An instance is spawned with its own session and its output in
 * files, so that nothing of it depends on the control process: that may die, and the next one adopts what runs.
 * Our own children tell of their end by their `exit` event; adopted ones are looked at four times a second, and at
 * once when the data plane meets a broken connection.
 */
import type { ChildProcess } from 'node:child_process'
import { closeSync } from 'node:fs'
import type { HealthProbeConfig, OriginConfig, StopSignal } from '../../../config/types.ts'
import type { ResourceReading } from '../../../registry/types.ts'
import { codeOf, messageOf } from '../../../kernel/errors.ts'
import type { Random } from '../../../kernel/random.ts'
import { ms, seconds, type Clock, type Duration } from '../../../kernel/time.ts'
import type { ProcessExit } from '../../core/exit.ts'
import type { LaunchOrder, MarkedProcess, RunningInstance, Runtime, RuntimeEvent } from '../runtime.ts'
import { Accounts } from './accounts.ts'
import { parseCommand } from './command.ts'
import { explainNotReady } from './diagnosis.ts'
import { environmentFor, marks } from './environment.ts'
import { FreePorts, isFree } from './free-port.ts'
import { launchProcess, type Launch } from './launch.ts'
import { groupExists } from './linux-process-table.ts'
import { judgeHolders } from './port-holder.ts'
import { ReadinessProbe } from './probe.ts'
import { isSameProcess, type FoundProcess, type ProcessTable } from './process-table.ts'
import { Readings } from './readings.ts'
import { Reaper } from './reaper.ts'
import { Rounds } from './rounds.ts'
import type { Watched } from './watched.ts'

/** Takes the output of instances. */
export interface Output {
  /** Opens the files of a new instance, and gives them to the user with this number. Without a disk, the output goes nowhere. */
  open(service: string, id: string, owner?: number): { readonly stdout: number; readonly stderr: number }
  stderrTail(service: string, id: string, lines: number): readonly string[]
}

export interface ProcessRuntimeDeps {
  readonly clock: Clock
  readonly random: Random
  readonly table: ProcessTable
  readonly output: Output
  readonly dataDirectory: string
  /** The environment that instances may inherit from. */
  readonly env: NodeJS.ProcessEnv
}

/** How often adopted instances, and groups that are waited for, are looked at. */
const adoptedInterval: Duration = ms(250)
const groupInterval: Duration = ms(50)
const readingInterval: Duration = seconds(2)
/** Lines of stderr searched for a sign that the port was taken. */
const portSignLines = 20
const portSigns = /EADDRINUSE|address already in use/i
export class ProcessRuntime implements Runtime {
  onEvent: (event: RuntimeEvent) => void = () => undefined
  readonly #deps: ProcessRuntimeDeps
  readonly #ports: FreePorts
  readonly #accounts: Accounts
  readonly #watched = new Map<string, Watched>()
  /** Groups whose end is waited for, by instance. */
  readonly #awaited = new Set<string>()
  readonly #rounds: Rounds
  readonly #reaper: Reaper
  readonly #readings: Readings
  #stopped = true

  constructor(deps: ProcessRuntimeDeps) {
    this.#deps = deps
    this.#ports = new FreePorts(deps.clock, deps.random)
    this.#accounts = new Accounts(deps.clock)
    this.#rounds = new Rounds(deps.clock)
    this.#reaper = new Reaper(deps.table, deps.dataDirectory)
    this.#readings = new Readings(deps.clock, deps.table)
  }

  start(): void {
    this.#stopped = false
    this.#readings.start()
    this.#rounds.every('readings', readingInterval, () => {
      this.#readings.read([...this.#watched.values()].filter(({ ended }) => !ended))
      this.onEvent({ type: 'read' })
      return true
    })
  }

  stop(): void {
    this.#stopped = true
    this.#rounds.stop()
    for (const watched of this.#watched.values()) watched.probe?.[Symbol.dispose]()
    this.#watched.clear()
    this.#awaited.clear()
  }

  launch(order: LaunchOrder): void {
    try {
      this.#launch(order)
    } catch (error) {
      // No port or no descriptor is free: nothing has been spawned.
      this.onEvent({ type: 'spawnFailed', id: order.id, failure: { kind: 'resource', reason: messageOf(error) } })
    }
  }

  #launch(order: LaunchOrder): void {
    const { id, source } = order
    const identity = source.user ? this.#accounts.identify(source.user) : ({ type: 'current' } as const)
    if (identity.type === 'impossible') {
      this.onEvent({ type: 'spawnFailed', id, failure: { kind: 'config', reason: identity.reason } })
      return
    }
    const port = source.port === 'auto' ? this.#ports.take() : source.port
    try {
      this.#launchOn(port, order, identity)
    } catch (error) {
      this.#ports.release(port)
      throw error
    }
  }

  #launchOn(port: number, { id, service, source }: LaunchOrder, identity: Launch['identity']): void {
    const { clock, table, output, env, dataDirectory } = this.#deps
    const strangers = source.port === 'auto' ? new Set<string>() : table.listenersOn(port)
    const invocation = parseCommand(source.command)
    const account = identity.type === 'other' ? identity.account : undefined
    const files = output.open(service, id, account?.uid)
    const environment = environmentFor(env, source.env, { id, service, dataDirectory, port }, account)
    const child = launchProcess({ source, invocation, identity, env: environment, ...files }, (failure) => {
      this.#ports.release(port)
      if (!this.#stopped) this.onEvent({ type: 'spawnFailed', id, failure })
    })
    closeSync(files.stdout)
    closeSync(files.stderr)
    if (child?.pid === undefined) return
    // It may have ended already; then it is a zombie until its exit event, and its pid is safe until then.
    const process = table.identify(child.pid) ?? { pid: child.pid, startTicks: 0, bootId: '' }
    const instance: RunningInstance = { id, service, process, port, shell: invocation.shell, startedAt: clock.wallTime() }
    this.#watch(instance, child, strangers)
    child.once('exit', (code, signal) => this.#onExit(id, code ?? undefined, signal ?? undefined, false))
    this.onEvent({ type: 'spawned', id, instance })
  }

  adopt(instance: RunningInstance): boolean {
    const now = this.#deps.table.identify(instance.process.pid)
    if (!now || !isSameProcess(now, instance.process)) return false
    this.#ports.hold(instance.port)
    this.#watch(instance, undefined, new Set())
    this.#rounds.every('adopted', adoptedInterval, () => this.#checkAdopted())
    return true
  }

  #watch(instance: RunningInstance, child: ChildProcess | undefined, strangers: ReadonlySet<string>): void {
    this.#watched.set(instance.id, { instance, child, strangers, probe: undefined, ready: false, ended: false, usage: undefined, reading: undefined })
  }

  async marked(): Promise<readonly MarkedProcess[]> {
    const found = await this.#deps.table.marked((environment) => environment.get(marks.data) === this.#deps.dataDirectory)
    return found.flatMap((one) => {
      const instance = this.#instanceOf(one)
      return instance ? [{ instance, leader: one.leader }] : []
    })
  }

  #instanceOf({ identity, environment }: FoundProcess): RunningInstance | undefined {
    const id = environment.get(marks.instance)
    const service = environment.get(marks.service)
    const port = Number(environment.get(marks.port))
    if (id === undefined || service === undefined || !Number.isInteger(port)) return undefined
    return { id, service, process: identity, port, shell: false, startedAt: this.#deps.clock.wallTime() }
  }

  probe(id: string, health: HealthProbeConfig | undefined, origin?: OriginConfig): void {
    const watched = this.#watched.get(id)
    if (!watched || watched.ended) return
    const { port } = watched.instance
    watched.probe?.[Symbol.dispose]()
    watched.probe = new ReadinessProbe({
      clock: this.#deps.clock,
      port,
      health,
      origin,
      isOwn: () => this.#isOwn(watched),
      onReady: (host) => {
        watched.ready = true
        this.onEvent({ type: 'probePassed', id, host })
      },
    })
    watched.probe.start()
  }

  /** Whether whoever answers on its port is the instance. Where that cannot be seen, it is, unless it was there before. */
  async #isOwn({ instance: { id, port, process }, strangers }: Watched): Promise<boolean> {
    const { table, dataDirectory } = this.#deps
    const judged = judgeHolders(await table.holders(port, process.pid), { id, dataDirectory, ...process })
    if (judged !== 'unknown') return judged === 'own'
    return strangers.size === 0 || [...table.listenersOn(port)].some((socket) => !strangers.has(socket))
  }

  diagnose(id: string, waited: Duration): void {
    const watched = this.#watched.get(id)
    if (!watched) return
    const last = watched.probe?.last
    watched.probe?.[Symbol.dispose]()
    const { port, process } = watched.instance
    void this.#deps.table.listening(process.pid).then((listening) => {
      if (!this.#stopped) this.onEvent({ type: 'diagnosed', id, reason: explainNotReady({ port, waited, last, listening }) })
    })
  }

  signal(id: string, signal: StopSignal): void {
    this.#signalGroup(id, signal)
  }

  kill(id: string): void {
    this.#signalGroup(id, 'SIGKILL')
  }

  #signalGroup(id: string, signal: NodeJS.Signals): void {
    const pid = this.#watched.get(id)?.instance.process.pid
    if (pid === undefined) return
    try {
      process.kill(-pid, signal)
    } catch (error) {
      // ESRCH: the last of them has just ended, which is what was wanted; its exit is on the way.
      if (codeOf(error) !== 'ESRCH' && codeOf(error) !== 'EPERM') throw error
    }
  }

  awaitGroup(id: string): void {
    this.#awaited.add(id)
    this.#rounds.every('groups', groupInterval, () => this.#checkGroups())
  }

  reap(id: string): void {
    const watched = this.#watched.get(id)
    this.#watched.delete(id)
    if (watched) this.#ports.release(watched.instance.port)
    this.#reaper.reap(id)
  }

  reaped(): Promise<void> {
    return this.#reaper.done()
  }

  check(id: string): void {
    const watched = this.#watched.get(id)
    if (!watched || watched.ended) return
    const { process } = watched.instance
    const now = this.#deps.table.identify(process.pid)
    if (now && isSameProcess(now, process)) return
    // A child of ours tells by its exit event, which knows the code.
    if (!watched.child) this.#onExit(id, undefined, undefined, true)
  }

  reading(id: string): ResourceReading | undefined {
    return this.#watched.get(id)?.reading
  }

  stderrTail(id: string, lines: number): readonly string[] {
    const watched = this.#watched.get(id)
    return watched ? this.#deps.output.stderrTail(watched.instance.service, id, lines) : []
  }

  #onExit(id: string, code: number | undefined, signal: string | undefined, lost: boolean): void {
    const watched = this.#watched.get(id)
    if (!watched || watched.ended) return
    watched.ended = true
    watched.probe?.[Symbol.dispose]()
    const group = groupExists(watched.instance.process.pid)
    const how = howItEnded(code, signal, lost, group)
    this.onEvent({ type: 'exited', id, how, examine: () => this.#examine(watched, code, signal, lost, group) })
  }

  #examine({ instance, ready }: Watched, code: number | undefined, signal: string | undefined, lost: boolean, group: boolean): ProcessExit {
    return {
      code,
      signal,
      shell: instance.shell,
      lost,
      oom: signal === 'SIGKILL' || code === 137 ? this.#readings.oomKillsRose() : false,
      portTaken: !ready && !lost && code !== 0 && signal === undefined && this.#lostItsPort(instance),
      group,
    }
  }

  #lostItsPort({ id, port }: RunningInstance): boolean {
    return this.stderrTail(id, portSignLines).some((line) => portSigns.test(line)) && !isFree(port)
  }

  /** Whether there are any left to look at. */
  #checkAdopted(): boolean {
    const adopted = [...this.#watched].filter(([, { child, ended }]) => !child && !ended)
    for (const [id] of adopted) this.check(id)
    return adopted.length > 0
  }

  #checkGroups(): boolean {
    for (const id of this.#awaited) {
      const watched = this.#watched.get(id)
      if (watched && this.#deps.table.groupLives(watched.instance.process.pid)) continue
      this.#awaited.delete(id)
      this.onEvent({ type: 'groupGone', id })
    }
    return this.#awaited.size > 0
  }
}

/**
 * For the data plane, which takes some ends as the proof that a request was not worked on: not while others of the group
 * live, who may have taken it (the workers of a cluster, what a shell has started).
 */
function howItEnded(code: number | undefined, signal: string | undefined, lost: boolean, group: boolean): string {
  const how = lost ? 'exit code=unknown' : signal === undefined ? `exit code=${code ?? '?'}` : `exit signal=${signal}`
  return group ? `${how}, children left` : how
}
