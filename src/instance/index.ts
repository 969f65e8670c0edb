/**
 * `holdfast/instance`: what a service may load to be run well. It depends on nothing but Node.
 *
 *   import { joinHoldfast } from 'holdfast/instance'
 *   const holdfast = joinHoldfast()
 *   holdfast.onStop(() => database.end())
 *
 * It reports event loop and heap, so that the balancer moves load away before requests time out; sets the keep-alive of HTTP servers so that
 * no request meets a connection that is just being closed; and ends gracefully on SIGTERM. Outside of Holdfast there is nobody to report to, and the rest works.
 */
import { HoldfastError } from '../kernel/errors.ts'
import { socketPath } from '../kernel/socket-path.ts'
import { backgroundClock, systemRandom } from '../kernel/system.ts'
import { after, ms, type Clock } from '../kernel/time.ts'
import { asksNothing, readAsked } from './core/asked-state.ts'
import { Profiling } from './profiling.ts'
import { Reporter } from './reporter.ts'
import { Servers, type AnyServer } from './servers.ts'

export type { InstanceReport } from './types.ts'
export type { AnyServer }

/** Five seconds less than Holdfast waits by default before it kills. */
const stopMsDefault = 25_000

export interface JoinOptions {
  /** Signals that end the process gracefully. `false`: the program does it by itself, with `stop`. @default ['SIGTERM', 'SIGINT'] */
  readonly signals?: readonly NodeJS.Signals[] | false
  /** Milliseconds after which the process ends although requests are under way. @default 25000 */
  readonly stopTimeout?: number
  /** Of this process: who it is is read from here. @default process.env */
  readonly env?: NodeJS.ProcessEnv
}

export interface Instance extends AsyncDisposable {
  /** `$HOLDFAST_INSTANCE`; undefined when something else than Holdfast has started the process. */
  readonly id: string | undefined
  readonly service: string | undefined
  /** It is ending: `stop` was called, or a signal came. */
  readonly stopping: boolean
  /** It wants requests; as it does from the beginning, unless `notReady` was called. */
  ready(): void
  /** No requests are sent to it while another instance is ready. Say why: it is shown. */
  notReady(reason: string): void
  /**
   * What it asks for, in the words of HAProxy's agent check: `drain`, `maint` and `ready`; `down #why` and `up`; `50%` of its weight; `maxconn:20`. What is
   * not mentioned stays as it was asked for before. Throws `invalid_input` for a word that is none.
   */
  state(words: string): void
  /** A server to be closed gracefully. Those of `node:http` and `node:https` are found by themselves, at their first request. */
  serve(server: AnyServer): void
  /** Runs when all requests have been answered, last added first: close what they needed. */
  onStop(task: () => unknown): void
  /** Stops accepting, finishes what was begun, runs the tasks. Resolves when done or when the time is up; the process may then end. Safe to call twice. */
  stop(): Promise<void>
}

let joined: OwnInstance | undefined

/** One for each process: called again, it answers the same. Throws `invalid_input` for a time that is none. */
export function joinHoldfast(options: JoinOptions = {}): Instance {
  if (joined) return joined
  const { stopTimeout = stopMsDefault, signals = ['SIGTERM', 'SIGINT'], env = process.env } = options
  if (!Number.isFinite(stopTimeout) || stopTimeout < 0) {
    throw new HoldfastError('invalid_input', `stopTimeout must be milliseconds from 0 on, found ${stopTimeout}`)
  }
  joined = new OwnInstance(env, stopTimeout, backgroundClock)
  joined.start(signals || [])
  return joined
}

class OwnInstance implements Instance {
  readonly id: string | undefined
  readonly service: string | undefined
  readonly #stopMs: number
  readonly #clock: Clock
  readonly #servers = new Servers()
  readonly #reporter: Reporter | undefined
  readonly #tasks: (() => unknown)[] = []
  #stopped: Promise<void> | undefined

  constructor(env: NodeJS.ProcessEnv, stopMs: number, clock: Clock) {
    const { HOLDFAST_INSTANCE: id, HOLDFAST_SERVICE: service, HOLDFAST_DATA: data } = env
    this.id = id
    this.service = service
    this.#stopMs = stopMs
    this.#clock = clock
    if (id === undefined || data === undefined) return
    const profiling = new Profiling(clock)
    this.#reporter = new Reporter({
      ...{ clock, random: systemRandom, instance: id },
      path: socketPath(data, 'instances'),
      onOrder: (line) => void profiling.take(line),
    })
  }

  start(signals: readonly NodeJS.Signals[]): void {
    this.#servers.start()
    this.#reporter?.start()
    for (const signal of signals) {
      process.once(signal, () => {
        // A program that has its own way to end is not ended under its feet.
        const others = process.listenerCount(signal) > 0
        void this.stop().then(() => {
          if (!others) this.#exit()
        })
      })
    }
  }

  get stopping(): boolean {
    return this.#stopped !== undefined
  }

  ready(): void {
    this.#reporter?.setReady(true)
  }

  notReady(reason: string): void {
    this.#reporter?.setReady(false, reason)
  }

  state(words: string): void {
    // Also where there is nobody to tell: a word that is none is a mistake anywhere.
    if (readAsked(words, asksNothing) === undefined)
      throw new HoldfastError(
        'invalid_input',
        `state: expected words like "drain", "down #why", "50%" or "maxconn:20", found ${JSON.stringify(words)}`,
      )
    this.#reporter?.setState(words)
  }

  serve(server: AnyServer): void {
    this.#servers.add(server)
  }

  onStop(task: () => unknown): void {
    this.#tasks.push(task)
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #stop(): Promise<void> {
    this.#reporter?.setReady(false, 'it is stopping')
    let timer: Disposable | undefined
    const timeUp = new Promise<void>((resolve) => {
      timer = this.#clock.schedule(after(this.#clock.now(), ms(this.#stopMs)), resolve)
    })
    await Promise.race([this.#finish(), timeUp])
    timer?.[Symbol.dispose]()
    this.#servers.stop()
    this.#reporter?.stop()
  }

  async #finish(): Promise<void> {
    await this.#servers.close()
    for (const task of this.#tasks.reverse()) {
      try {
        await task()
      } catch (error) {
        // The others still have to run, and the process still has to end: it is told where the service tells its errors.
        process.stderr.write(`ending: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
        process.exitCode = 1
      }
    }
  }

  #exit(): void {
    process.exit()
  }
}
