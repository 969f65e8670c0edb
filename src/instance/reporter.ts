/**
 * Tells the balancer how this process does. The balancer may be replaced at any time and this process may have been started without one:
 * the reporter tries again, ever more slowly, and never disturbs its host. Nothing it does keeps the process alive.
 *
 *   away ──connected──▶ reporting twice a second ──closed──▶ away (tries again after 0.25, 0.5, … 5 s)
 */
import { connect, type Socket } from 'node:net'
import type { Random } from '../kernel/random.ts'
import { jitter } from '../kernel/random.ts'
import { after, ms, type Clock } from '../kernel/time.ts'
import { asksNothing, readAsked, writeAsked } from './core/asked-state.ts'
import { OwnReadings } from './readings.ts'
import { reportIntervalMs, type InstanceReport } from './types.ts'

const retryMsMin = 250
const retryMsMax = 5_000
/** An order is a short line. */
const orderBytesMax = 4_096

export interface ReporterOptions {
  readonly clock: Clock
  readonly random: Random
  readonly instance: string
  readonly path: string
  /** Holdfast asks for something. */
  readonly onOrder?: ((line: string) => void) | undefined
}

export class Reporter {
  readonly #options: ReporterOptions
  readonly #readings = new OwnReadings()
  #socket: Socket | undefined
  #timer: Disposable | undefined
  #retryMs = retryMsMin
  #ready = true
  #reason: string | undefined
  #state = asksNothing
  #stopped = true

  constructor(options: ReporterOptions) {
    this.#options = options
  }

  start(): void {
    this.#stopped = false
    this.#readings.start()
    this.#connect()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.[Symbol.dispose]()
    this.#readings.stop()
    this.#socket?.destroy()
  }

  /** Told at once, not only with the next report. */
  setReady(ready: boolean, reason?: string): void {
    this.#ready = ready
    this.#reason = reason
    if (this.#socket?.readyState === 'open') this.#report(this.#socket)
  }

  /** Told at once. Returns false when the line cannot be read, and nothing has changed. */
  setState(line: string): boolean {
    const state = readAsked(line, this.#state)
    if (state === undefined) return false
    this.#state = state
    if (this.#socket?.readyState === 'open') this.#report(this.#socket)
    return true
  }

  #connect(): void {
    const socket = connect(this.#options.path)
    socket.unref()
    this.#socket = socket
    socket.on('connect', () => {
      this.#retryMs = retryMsMin
      this.#readings.take()
      this.#report(socket)
      this.#next(reportIntervalMs, () => {
        this.#reportAgain(socket)
      })
    })
    // What failed is told by `close`, and is tried again; there is nobody here to whom it matters.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      if (this.#stopped) return
      this.#next(jitter(this.#options.random, this.#retryMs, 0.2), () => {
        this.#connect()
      })
      this.#retryMs = Math.min(retryMsMax, this.#retryMs * 2)
    })
    // Without a reader the end of the other side would go unnoticed, too.
    let rest = ''
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = (lines.pop() ?? '').slice(-orderBytesMax)
      for (const line of lines) this.#options.onOrder?.(line)
    })
  }

  #reportAgain(socket: Socket): void {
    if (socket.destroyed) return
    // A balancer that does not read gets the newest report later rather than all the old ones.
    if (socket.writableLength === 0) this.#report(socket)
    this.#next(reportIntervalMs, () => {
      this.#reportAgain(socket)
    })
  }

  #report(socket: Socket): void {
    const report: InstanceReport = {
      instance: this.#options.instance,
      ...this.#readings.take(),
      ready: this.#ready,
      ...(this.#reason !== undefined && { reason: this.#reason.slice(0, 1_000) }),
      ...(this.#state !== asksNothing && { state: writeAsked(this.#state) }),
    }
    socket.write(`${JSON.stringify(report)}\n`)
  }

  #next(waitMs: number, task: () => void): void {
    const { clock } = this.#options
    this.#timer?.[Symbol.dispose]()
    this.#timer = clock.schedule(after(clock.now(), ms(waitMs)), task)
  }
}
