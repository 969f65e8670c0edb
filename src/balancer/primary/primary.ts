/**
 * The proxy's own supervisor: keeps N workers running, keeps the listening sockets, hands every worker the view,
 * probes, adds up what they count, and speaks with the control process over a Unix socket. It forwards no traffic
 * itself. Control processes come and go; without one it serves by the last view.
 *
 *   starting ──first view──▶ serving ──shutdown──▶ draining ──▶ ended
 */
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer, connect, type Server, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { HoldfastError, codeOf, messageOf } from '../../kernel/errors.ts'
import { makePrivateDirectory, writeFileAtomic } from '../../kernel/files.ts'
import { systemClock, systemRandom } from '../../kernel/system.ts'
import { Channel } from '../channel.ts'
import { listenerKey, type ListenerView, type RoutingView } from '../core/routing-view.ts'
import { protocolVersion, type ControlToPrimary, type OpenMessage, type PrimaryToControl, type WorkerToPrimary } from '../messages.ts'
import { proxyLogFile, socketPath, viewFile } from '../paths.ts'
import type { ProxySignal, ProxyTelemetry } from '../port.ts'
import { Prober } from './prober.ts'
import { TelemetrySums } from './telemetry.ts'
import { OrphanLink } from './orphan-link.ts'
import { firstInheritedDescriptor, WorkerHandle } from './worker-handle.ts'

/** A worker that keeps dying is started again after 0, 100, 200, … ms, at most this. */
const respawnMsMax = 2_000
const respawnStepMs = 100
/** A worker that lived this long was not a failure to start. */
const settledMs = 10_000
const telemetryMs = 1_000
/** A worker that does not take a view within this is replaced. */
const viewTimeoutMs = 5_000

export interface InheritedListener {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly fd: number
}

export interface PrimaryOptions {
  readonly directory: string
  /** 0: as many as the proxy before us had. */
  readonly workers: number
  readonly inherited: readonly InheritedListener[]
}

interface OpenListener {
  readonly name: string
  readonly host: string
  readonly port: number
  /** Kept, never accepted from. */
  readonly handle: { close(): void }
}

interface SavedState {
  readonly workers: number
  readonly pseudonym: string
  readonly view: RoutingView | undefined
}

interface PendingDrain {
  readonly waiting: Set<WorkerHandle | OrphanLink>
  remaining: number
  readonly answer: (remaining: number) => void
}

export class Primary {
  readonly #options: PrimaryOptions
  readonly #startedAt = systemClock.wallTime()
  readonly #workers = new Set<WorkerHandle>()
  readonly #listeners = new Map<string, OpenListener>()
  readonly #controls = new Set<Channel<ControlToPrimary, PrimaryToControl>>()
  readonly #sums = new TelemetrySums()
  readonly #prober: Prober
  readonly #drains = new Map<number, PendingDrain>()
  readonly #onWorkerMessage = new Set<(worker: WorkerHandle | OrphanLink, message: WorkerToPrimary, handle: unknown) => void>()
  readonly #orphans = new Map<Channel<ControlToPrimary, PrimaryToControl>, OrphanLink>()
  #inherited: InheritedListener[]
  #workerCount: number
  #pseudonym = `holdfast-${randomBytes(4).toString('hex')}`
  #view: RoutingView | undefined
  #viewQueue: Promise<unknown> = Promise.resolve()
  #server: Server | undefined
  #log = 2
  #drainId = 0
  #deaths = 0
  #stopping = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: PrimaryOptions) {
    this.#options = options
    this.#workerCount = options.workers
    this.#inherited = [...options.inherited]
    this.#prober = new Prober({
      clock: systemClock,
      random: systemRandom,
      onVerdict: (endpoint, service, healthy, reason) => {
        this.#onVerdict(endpoint, service, healthy, reason)
      },
    })
  }

  /** Resolves once the control socket answers; `false` when another primary already serves this directory. */
  async start(): Promise<boolean> {
    await makePrivateDirectory(join(this.#options.directory, 'run'))
    const log = proxyLogFile(this.#options.directory)
    await makePrivateDirectory(dirname(log))
    this.#log = openSync(log, 'a', 0o600)
    if (!(await this.#takeSocket())) return false
    const saved = this.#inherited.length > 0 ? this.#loadState() : undefined
    if (saved) {
      this.#workerCount ||= saved.workers
      this.#pseudonym = saved.pseudonym
      if (saved.view) await this.#enqueueView(saved.view)
    }
    this.#workerCount ||= 1
    this.#timer = setInterval(() => {
      this.#publishTelemetry()
    }, telemetryMs)
    return true
  }

  // --- control socket -------------------------------------------------------------------------------------------

  async #takeSocket(): Promise<boolean> {
    const path = socketPath(this.#options.directory, 'proxy')
    if (await answers(path)) return false
    rmSync(path, { force: true })
    const server = createServer((socket) => {
      this.#onControl(socket)
    })
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      // The directory is 0700; the socket is too, for the case that it lies in a common folder.
      const mask = process.umask(0o177)
      server.listen(path, resolve)
      process.umask(mask)
    })
    return true
  }

  #onControl(socket: Socket): void {
    const channel: Channel<ControlToPrimary, PrimaryToControl> = new Channel<ControlToPrimary, PrimaryToControl>(
      socket,
      (message) => {
        this.#onControlMessage(channel, message)
      },
      () => {
        this.#controls.delete(channel)
        this.#orphanEnded(channel)
      },
    )
  }

  #onControlMessage(channel: Channel<ControlToPrimary, PrimaryToControl>, message: ControlToPrimary): void {
    switch (message.type) {
      case 'hello':
        channel.send({
          type: 'welcome',
          protocol: protocolVersion,
          pid: process.pid,
          workers: this.#serving() || message.role === 'control' ? this.#workerCount : 0,
          viewVersion: this.#view?.version ?? -1,
          startedAt: this.#startedAt,
        })
        if (message.role === 'orphan') {
          this.#welcomeOrphan(message.pid, channel)
          return
        }
        this.#controls.add(channel)
        channel.send({ type: 'telemetry', telemetry: this.#snapshot() })
        return
      case 'view':
        this.#enqueueView(message.view).then(
          () => {
            channel.send({ type: 'done', id: message.id })
          },
          (error: unknown) => {
            channel.send({
              type: 'failed',
              id: message.id,
              code: codeOf(error) ?? 'failed',
              message: messageOf(error),
              hint: error instanceof HoldfastError ? error.hint : undefined,
            })
          },
        )
        return
      case 'gone':
        for (const worker of this.#everyone())
          worker.send({ type: 'gone', endpoint: message.endpoint, reason: message.reason, exitedAt: message.exitedAt })
        return
      case 'drain':
        this.#drain(message.endpoint, message.deadlineMs, (remaining) => {
          channel.send({ type: 'done', id: message.id, remaining })
        })
        return
      case 'shutdown':
        void this.shutdown(message.deadlineMs)
        return
      case 'fromOrphan': {
        const orphan = this.#orphans.get(channel)
        if (orphan) this.#onMessage(orphan, message.message, undefined)
        return
      }
    }
  }

  // --- workers of the primary before us -----------------------------------------------------------------------------

  #everyone(): readonly (WorkerHandle | OrphanLink)[] {
    return [...this.#workers, ...this.#orphans.values()]
  }

  /** It says hello again and again until our own workers serve; the first time it joins those that are told. */
  #welcomeOrphan(pid: number, channel: Channel<ControlToPrimary, PrimaryToControl>): void {
    if (this.#orphans.has(channel)) return
    const orphan = new OrphanLink(pid, channel)
    this.#orphans.set(channel, orphan)
    if (this.#view) orphan.send({ type: 'view', view: this.#view, unhealthy: this.#prober.unhealthy })
  }

  #orphanEnded(channel: Channel<ControlToPrimary, PrimaryToControl>): void {
    const orphan = this.#orphans.get(channel)
    if (!orphan) return
    this.#orphans.delete(channel)
    this.#left(orphan)
  }

  /** A worker is no more: nobody waits for its answers. */
  #left(worker: WorkerHandle | OrphanLink): void {
    this.#sums.workerExited(worker.pid)
    for (const drain of this.#drains.values()) this.#drainAnswered(drain, worker, 0)
    for (const listen of [...this.#onWorkerMessage]) listen(worker, { type: 'ready' }, undefined)
  }

  #signal(signal: ProxySignal): void {
    for (const control of this.#controls) control.send({ type: 'signal', signal })
  }

  /** Every worker that should run routes by the view. */
  #serving(): boolean {
    return (
      this.#view !== undefined &&
      this.#workers.size >= this.#workerCount &&
      [...this.#workers].every((worker) => worker.viewVersion === this.#view?.version)
    )
  }

  // --- views ----------------------------------------------------------------------------------------------------

  /** Views are applied one after the other, in the order they came. */
  #enqueueView(view: RoutingView): Promise<void> {
    const applied = this.#viewQueue.then(() => this.#applyView(view))
    this.#viewQueue = applied.catch(() => undefined)
    return applied
  }

  /** Opens what is new, lets every worker route by the view, then closes what is old. Nothing changes when a listener cannot be opened. */
  async #applyView(view: RoutingView): Promise<void> {
    if (this.#stopping) throw new HoldfastError('proxy_unreachable', 'the proxy is stopping')
    const wanted = new Set(view.listeners.map(listenerKey))
    const missing = view.listeners.filter((listener) => !this.#listeners.has(listenerKey(listener)))
    const unwanted = [...this.#listeners.values()].filter((listener) => !wanted.has(listenerKey(listener)))
    const before = this.#view
    await this.#routeBy(view)
    const opened: OpenListener[] = []
    try {
      for (const listener of missing) opened.push(await this.#open(listener))
    } catch (error) {
      for (const listener of opened) this.#close(listener)
      if (before) await this.#routeBy(before)
      throw error
    }
    for (const listener of unwanted) this.#close(listener)
    this.#releaseInherited()
    this.#sums.retain(
      new Set(view.services.map(({ name }) => name)),
      new Set(view.services.flatMap(({ endpoints }) => endpoints.map(({ id }) => id))),
    )
    await this.#saveState()
  }

  async #routeBy(view: RoutingView): Promise<void> {
    this.#view = view
    this.#prober.apply(view)
    await this.#ensureWorkers()
    await this.#sendView(view)
  }

  async #sendView(view: RoutingView): Promise<void> {
    const unhealthy = this.#prober.unhealthy
    const workers = this.#everyone().filter((worker) => worker instanceof OrphanLink || worker.ready)
    for (const worker of workers) worker.send({ type: 'view', view, unhealthy })
    await this.#until(
      () => workers.every((worker) => worker.viewVersion === view.version || !this.#everyone().includes(worker)),
      viewTimeoutMs,
      () => {
        // A worker that does not listen any more is a broken worker: its successor begins with the new view.
        for (const worker of workers) {
          if (worker.viewVersion === view.version) continue
          if (worker instanceof OrphanLink) worker.letGo()
          else worker.process.kill('SIGKILL')
        }
      },
    )
  }

  /** Resolves when `condition` holds; it is looked at after every message of a worker and every exit. */
  #until(condition: () => boolean, timeoutMs: number, onTimeout: () => void): Promise<void> {
    if (condition()) return Promise.resolve()
    return new Promise((resolve) => {
      const check = (): void => {
        if (!condition()) return
        clearTimeout(timer)
        this.#onWorkerMessage.delete(check)
        resolve()
      }
      const timer = setTimeout(() => {
        onTimeout()
        this.#onWorkerMessage.delete(check)
        resolve()
      }, timeoutMs)
      this.#onWorkerMessage.add(check)
    })
  }

  // --- listeners ------------------------------------------------------------------------------------------------

  /** One worker opens the socket and hands it up; the others get it from us. */
  async #open({ name, host, port }: ListenerView): Promise<OpenListener> {
    const here = (each: ListenerView): boolean => each.host === host && each.port === port
    // Another listener on the same address that is about to go (it was renamed): its socket serves on.
    const twin = [...this.#listeners.values()].find(here)
    const inherited = this.#inherited.findIndex(here)
    const ready = [...this.#workers].filter((worker) => worker.ready)
    const opener = twin ? undefined : inherited < 0 ? ready[0] : ready.find((worker) => worker.inherits)
    if (!twin && !opener) throw new HoldfastError('listen_failed', `listening on ${host}:${port} failed: no proxy worker is running`)
    const handle =
      twin?.handle ??
      (await this.#openIn(opener!, { type: 'open', name, host, port, fd: inherited < 0 ? undefined : firstInheritedDescriptor + inherited }))
    const listener: OpenListener = { name, host, port, handle }
    this.#listeners.set(listenerKey(listener), listener)
    for (const worker of this.#workers) if (worker !== opener && worker.ready) worker.send({ type: 'listener', name, host, port }, handle)
    return listener
  }

  #openIn(opener: WorkerHandle, order: OpenMessage): Promise<OpenListener['handle']> {
    const { name, host, port } = order
    return new Promise((resolve, reject) => {
      const listen = (worker: WorkerHandle | OrphanLink, message: WorkerToPrimary, received: unknown): void => {
        if (worker !== opener) return
        if (message.type === 'opened' && message.name === name) resolve(received as OpenListener['handle'])
        else if (message.type === 'openFailed' && message.name === name) reject(listenError(host, port, message.code, message.message))
        else if (this.#workers.has(opener)) return
        else reject(new HoldfastError('listen_failed', `listening on ${host}:${port} failed: the proxy worker that tried has exited`))
        clearTimeout(timer)
        this.#onWorkerMessage.delete(listen)
      }
      // Killed, it is seen to exit, and that rejects.
      const timer = setTimeout(() => opener.process.kill('SIGKILL'), viewTimeoutMs)
      this.#onWorkerMessage.add(listen)
      opener.send(order)
    })
  }

  #close(listener: OpenListener): void {
    const { name, host, port, handle } = listener
    this.#listeners.delete(listenerKey(listener))
    for (const worker of this.#workers) worker.send({ type: 'closeListener', name, host, port })
    if (![...this.#listeners.values()].some((other) => other.handle === handle)) handle.close()
  }

  /** What we inherited is open under handles of our own now: the bare descriptors would keep a listener alive that has been closed. */
  #releaseInherited(): void {
    for (const { fd } of this.#inherited) closeSync(fd)
    this.#inherited = []
  }

  // --- workers --------------------------------------------------------------------------------------------------

  async #ensureWorkers(): Promise<void> {
    for (let missing = this.#workerCount - this.#workers.size; missing > 0; missing--) this.#startWorker()
    await this.#until(
      () => [...this.#workers].some((worker) => worker.ready) && [...this.#workers].every((worker) => worker.ready),
      viewTimeoutMs,
      () => undefined,
    )
  }

  /** Starts another worker, the later the more of them have died soon. */
  #respawn(): void {
    setTimeout(
      () => {
        if (!this.#stopping && this.#workers.size < this.#workerCount) this.#startWorker()
      },
      Math.min(respawnMsMax, (this.#deaths > 1 ? this.#deaths - 1 : 0) * respawnStepMs),
    )
  }

  #startWorker(): void {
    try {
      this.#forkWorker()
    } catch (error) {
      process.stderr.write(`starting a proxy worker failed: ${messageOf(error)}\n`)
      this.#deaths++
      this.#respawn()
    }
  }

  #forkWorker(): void {
    const used = new Set([...this.#workers].map(({ index }) => index))
    let index = 0
    while (used.has(index)) index++
    const startedAt = systemClock.now()
    const worker = new WorkerHandle({
      index,
      // One worker opens what we inherited; a second copy of a descriptor would outlive the listener.
      inherited: [...this.#workers].some((worker) => worker.inherits) ? [] : this.#inherited.map(({ fd }) => fd),
      logDescriptor: this.#log,
      onMessage: (from, message, handle) => {
        this.#onMessage(from, message, handle)
      },
      onExit: (exited, code, signal) => {
        this.#workers.delete(exited)
        this.#left(exited)
        if (this.#stopping) return
        this.#signal({ type: 'workerExited', pid: exited.pid, code: code ?? undefined, signal: signal ?? undefined })
        this.#deaths = systemClock.now() - startedAt > settledMs ? 0 : this.#deaths + 1
        this.#respawn()
      },
    })
    this.#workers.add(worker)
    worker.send({ type: 'start', index, directory: this.#options.directory, pseudonym: this.#pseudonym })
  }

  #onMessage(worker: WorkerHandle | OrphanLink, message: WorkerToPrimary, handle: unknown): void {
    switch (message.type) {
      case 'ready':
        if (worker instanceof OrphanLink) break
        worker.ready = true
        if (this.#view) worker.send({ type: 'view', view: this.#view, unhealthy: this.#prober.unhealthy })
        for (const { name, host, port, handle: shared } of this.#listeners.values()) worker.send({ type: 'listener', name, host, port }, shared)
        break
      case 'viewApplied':
        worker.viewVersion = message.version
        break
      case 'drained': {
        const drain = this.#drains.get(message.id)
        if (drain) this.#drainAnswered(drain, worker, message.remaining)
        break
      }
      case 'suspect':
        this.#prober.suspect(message.endpoint)
        this.#signal({ type: 'endpointSuspect', endpoint: message.endpoint, service: message.service, reason: message.reason })
        break
      case 'telemetry':
        this.#sums.add(worker.pid, message.delta, this.#everyone().includes(worker))
        break
      case 'opened':
      case 'openFailed':
        break
    }
    for (const listen of [...this.#onWorkerMessage]) listen(worker, message, handle)
  }

  #drain(endpoint: string, deadlineMs: number, answer: (remaining: number) => void): void {
    const id = ++this.#drainId
    const waiting = new Set(this.#everyone().filter((worker) => worker instanceof OrphanLink || worker.ready))
    if (waiting.size === 0) {
      answer(0)
      return
    }
    this.#drains.set(id, {
      waiting,
      remaining: 0,
      answer: (remaining) => {
        this.#drains.delete(id)
        answer(remaining)
      },
    })
    for (const worker of waiting) worker.send({ type: 'drain', id, endpoint, deadlineMs })
  }

  #drainAnswered(drain: PendingDrain, worker: WorkerHandle | OrphanLink, remaining: number): void {
    if (!drain.waiting.delete(worker)) return
    drain.remaining += remaining
    if (drain.waiting.size === 0) drain.answer(drain.remaining)
  }

  #onVerdict(endpoint: string, service: string, healthy: boolean, reason: string | undefined): void {
    for (const worker of this.#everyone()) worker.send({ type: 'health', endpoint, healthy })
    this.#signal(
      healthy ? { type: 'endpointRecovered', endpoint, service } : { type: 'endpointUnhealthy', endpoint, service, reason: reason ?? 'probe failed' },
    )
  }

  #publishTelemetry(): void {
    if (this.#controls.size === 0) return
    const telemetry = this.#snapshot()
    // One that does not read (stopped, hung) gets no more until it has read what it was sent.
    for (const control of this.#controls) if (!control.behind) control.send({ type: 'telemetry', telemetry })
  }

  #snapshot(): ProxyTelemetry {
    const endpoints = new Map(
      (this.#view?.services ?? []).flatMap(({ name, endpoints: views }) =>
        views.map(({ id, host, port }) => [
          id,
          { service: name, address: `${host}:${port}`, healthy: this.#prober.isHealthy(id), reason: this.#prober.reasonOf(id) },
        ]),
      ),
    )
    return this.#sums.snapshot({
      at: systemClock.wallTime(),
      pid: process.pid,
      startedAt: this.#startedAt,
      viewVersion: this.#view?.version ?? -1,
      endpoints,
    })
  }

  // --- ending ---------------------------------------------------------------------------------------------------

  /** Said again, it moves the deadline. */
  async shutdown(deadlineMs: number): Promise<void> {
    for (const worker of this.#everyone()) worker.send({ type: 'shutdown', deadlineMs })
    if (this.#stopping) return
    this.#stopping = true
    clearInterval(this.#timer)
    this.#prober.stop()
    for (const listener of this.#listeners.values()) listener.handle.close()
    await this.#until(
      () => this.#everyone().length === 0,
      deadlineMs + 2_000,
      () => {
        for (const worker of this.#workers) worker.process.kill('SIGKILL')
        for (const { pid } of this.#orphans.values()) process.kill(pid, 'SIGKILL')
      },
    )
    this.#publishTelemetry()
    for (const control of this.#controls) control.close()
    this.#server?.close()
    rmSync(socketPath(this.#options.directory, 'proxy'), { force: true })
    rmSync(viewFile(this.#options.directory), { force: true })
    process.exit(0)
  }

  // --- state for an heir ----------------------------------------------------------------------------------------

  async #saveState(): Promise<void> {
    const state: SavedState = { workers: this.#workerCount, pseudonym: this.#pseudonym, view: this.#view }
    try {
      await writeFileAtomic(viewFile(this.#options.directory), JSON.stringify(state), 0o600)
    } catch (error) {
      // A full disk must not stop traffic; only an heir would miss the file, and the control process sends the view again.
      process.stderr.write(`saving the routing view failed: ${messageOf(error)}\n`)
    }
  }

  #loadState(): SavedState | undefined {
    try {
      return JSON.parse(readFileSync(viewFile(this.#options.directory), 'utf8')) as SavedState
    } catch (error) {
      process.stderr.write(`reading the routing view of the proxy before failed: ${messageOf(error)}\n`)
      return undefined
    }
  }
}

function listenError(host: string, port: number, code: string, message: string): HoldfastError {
  const hint =
    code === 'EADDRINUSE'
      ? `find who listens there with "ss -ltnp 'sport = :${port}'", end it or choose another port under listeners`
      : code === 'EACCES'
        ? `ports below 1024 need the right to bind them: run as root, grant cap_net_bind_service to node, or choose a higher port`
        : 'check listeners in the configuration'
  return new HoldfastError('listen_failed', `listening on ${host}:${port} failed: ${code === 'EADDRINUSE' ? 'the address is in use' : message}`, {
    hint,
    details: { host, port, code },
  })
}

/** Whether somebody accepts on the Unix socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => {
      resolve(false)
    })
  })
}
