/**
 * The proxy's own supervisor: keeps the workers running and the listening sockets open, hands every worker the view, and speaks with
 * the control process; what the workers share is kept by the coordination. It forwards no traffic itself. Control processes come and go; without
 * one it serves by the last view.
 *
 *   starting ──first view──▶ serving ──shutdown──▶ draining ──▶ ended
 */
import { openSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { HoldfastError, codeOf, messageOf } from '../../kernel/errors.ts'
import { makePrivateDirectory } from '../../kernel/files.ts'
import { systemClock } from '../../kernel/system.ts'
import { after, ms } from '../../kernel/time.ts'
import { protocolVersion, type ControlToPrimary } from '../messages.ts'
import { proxyLogFile, socketPath } from '../paths.ts'
import { ControlSocket, type ControlChannel } from './control-socket.ts'
import { NodeCache } from './cache/node-cache.ts'
import { Coordination } from './coordination.ts'
import { Crew } from './crew.ts'
import { Listeners, type InheritedListener } from './listeners.ts'
import { OrphanLink } from './orphan-link.ts'
import { RateLevelsFile } from './rate-levels.ts'
import { cookieKeys, RotatingKeys, ticketKeys as ticketSpec } from './rotating-keys.ts'
import { loadState, removeState, saveState, wantProxy, type SavedState } from './saved-state.ts'
import { Views } from './views.ts'

const telemetryMs = 1_000

/** An heir without a view to whom nobody speaks for so long was started when the proxy was just shut down: it is not needed. */
const lonelyMs = 5_000

export interface PrimaryOptions {
  readonly directory: string
  /** 0: as many as the proxy before us had. */
  readonly workers: number
  readonly inherited: readonly InheritedListener[]
}

/** What there is once the number of workers is known. */
interface Parts {
  readonly pseudonym: string
  readonly crew: Crew
  readonly coordination: Coordination
  readonly listeners: Listeners
  readonly views: Views
  readonly cache: NodeCache
  readonly ticketKeys: RotatingKeys
  readonly sessionKeys: RotatingKeys
}

export class Primary {
  readonly #options: PrimaryOptions
  readonly #startedAt = systemClock.wallTime()
  readonly #aloneUntil = after(systemClock.now(), ms(lonelyMs))
  readonly #socket: ControlSocket
  readonly #orphans = new Map<ControlChannel, OrphanLink>()
  readonly #rateLevels: RateLevelsFile
  #parts: Parts | undefined
  #stopping = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: PrimaryOptions) {
    this.#options = options
    this.#rateLevels = new RateLevelsFile(options.directory)
    this.#socket = new ControlSocket({
      path: socketPath(options.directory, 'proxy'),
      onMessage: (channel, message) => {
        this.#onOrder(channel, message)
      },
      onClosed: (channel) => {
        const orphan = this.#orphans.get(channel)
        this.#orphans.delete(channel)
        if (orphan) this.#parts?.crew.orphanEnded(orphan)
      },
    })
  }

  /** Resolves once the control socket answers; `false` when another primary already serves this directory. */
  async start(): Promise<boolean> {
    const { directory, inherited, workers } = this.#options
    await makePrivateDirectory(join(directory, 'run'))
    const log = proxyLogFile(directory)
    await makePrivateDirectory(dirname(log))
    const logDescriptor = openSync(log, 'a', 0o600)
    const saved = inherited.length > 0 ? loadState(directory) : undefined
    const size = workers > 0 ? workers : (saved?.workers ?? 1)
    this.#parts = this.#compose(size, logDescriptor, saved)
    if (!(await this.#socket.open())) return false
    if (inherited.length === 0) wantProxy(directory)
    await this.#parts.coordination.open()
    const levels = saved && this.#rateLevels.load()
    if (levels) this.#running.coordination.inheritRates(levels)
    if (saved?.view) await this.#running.views.apply(saved.view)
    this.#timer = setInterval(() => {
      this.#publish()
      this.#rotateKeys()
      this.#endIfLonely()
      this.#running.coordination.sweep()
      void this.#rateLevels.save(this.#running.coordination.rateLevels)
    }, telemetryMs)
    return true
  }

  #rotateKeys(): void {
    const { crew, ticketKeys, sessionKeys } = this.#running
    const now = systemClock.wallTime()
    if (ticketKeys.rotate(now)) crew.tell({ type: 'ticketKeys', keys: ticketKeys.keys })
    if (sessionKeys.rotate(now)) crew.tell({ type: 'sessionKeys', keys: sessionKeys.keys })
  }

  #endIfLonely(): void {
    const isAlone = this.#options.inherited.length > 0 && this.#running.views.current === undefined
    if (!isAlone || this.#socket.connected || this.#orphans.size > 0 || systemClock.now() < this.#aloneUntil) return
    void this.shutdown(0)
  }

  #compose(size: number, logDescriptor: number, saved: SavedState | undefined): Parts {
    const { directory } = this.#options
    const pseudonym = saved?.pseudonym ?? `holdfast-${randomBytes(4).toString('hex')}`
    const ticketKeys = new RotatingKeys(ticketSpec, directory, systemClock.wallTime())
    const sessionKeys = new RotatingKeys(cookieKeys, directory, systemClock.wallTime())
    const crew: Crew = new Crew(size, {
      logDescriptor,
      welcome: (index) => ({ type: 'start', index, workers: size, directory, pseudonym }),
      inherited: () => listeners.inheritedDescriptors,
      onReady: (worker) => {
        worker.send({ type: 'ticketKeys', keys: ticketKeys.keys })
        worker.send({ type: 'sessionKeys', keys: sessionKeys.keys })
        views.sendTo(worker)
        coordination.welcome(worker)
        listeners.handTo(worker)
      },
      onMessage: (peer, message) => {
        coordination.hear(peer, message)
      },
      onLeft: (peer) => {
        coordination.left(peer)
      },
      onExit: (pid, code, signal) => {
        this.#socket.signal({ type: 'workerExited', pid, code, signal })
      },
    })
    const cache = new NodeCache(socketPath(directory, 'cache'))
    const coordination = new Coordination({
      company: crew,
      workers: size,
      instancesSocket: socketPath(directory, 'instances'),
      cache: () => cache.status,
      saved,
      signal: (signal) => {
        this.#socket.signal(signal)
      },
      onStateChange: () => {
        this.#publish()
        void this.#save()
      },
    })
    const listeners = new Listeners(crew, this.#options.inherited)
    const views = new Views({
      crew,
      listeners,
      coordination,
      cache,
      onApplied: () => {
        this.#publish()
        return this.#save()
      },
    })
    return { pseudonym, crew, coordination, listeners, views, cache, sessionKeys, ticketKeys }
  }

  /** The socket answers only after the parts are there. */
  get #running(): Parts {
    if (!this.#parts) throw new HoldfastError('proxy_unreachable', 'the proxy is still starting')
    return this.#parts
  }

  // --- orders ---------------------------------------------------------------------------------------------------

  #onOrder(channel: ControlChannel, message: ControlToPrimary): void {
    const { crew, views, coordination, cache } = this.#running
    switch (message.type) {
      case 'hello':
        this.#welcome(channel, message)
        return
      case 'view':
        views.apply(message.view).then(
          () => {
            channel.send({ type: 'done', id: message.id })
          },
          (error: unknown) => {
            const hint = error instanceof HoldfastError ? error.hint : undefined
            channel.send({ type: 'failed', id: message.id, code: codeOf(error) ?? 'failed', message: messageOf(error), hint })
          },
        )
        return
      case 'gone':
        coordination.gone(message.endpoint, message.reason, message.exitedAt)
        return
      case 'drain':
        coordination.drain(message.endpoint, message.deadlineMs, (remaining) => {
          channel.send({ type: 'done', id: message.id, remaining })
        })
        return
      case 'breaker':
        coordination.breaker(message.service, message.action)
        // What was ordered by hand outlives us from here on.
        void this.#save().then(() => {
          channel.send({ type: 'done', id: message.id })
        })
        return
      case 'forgetQuarantined':
        this.#forget(channel, message.id, message.request)
        return
      case 'instruct':
        this.#instruct(channel, message)
        return
      case 'read':
        coordination.read(() => {
          channel.send({ type: 'telemetry', telemetry: coordination.snapshot() })
          channel.send({ type: 'done', id: message.id })
        })
        return
      case 'explain':
        coordination.explain(message.request, (trails) => {
          channel.send({ type: 'explained', id: message.id, trails })
        })
        return
      case 'purge':
        cache.purge(message.order, (entries) => {
          channel.send({ type: 'done', id: message.id, entries })
        })
        return
      case 'shutdown':
        void this.shutdown(message.deadlineMs)
        return
      case 'fromOrphan': {
        const orphan = this.#orphans.get(channel)
        if (orphan) crew.hear(orphan, message.message, undefined)
        return
      }
    }
  }

  #forget(channel: ControlChannel, id: number, request: string): void {
    if (this.#running.coordination.forgetQuarantined(request)) channel.send({ type: 'done', id })
    else channel.send({ type: 'failed', id, code: 'unknown_id', message: `tried to forget ${request}: no request of this id is quarantined` })
  }

  #instruct(channel: ControlChannel, { id, endpoint, line }: Extract<ControlToPrimary, { readonly type: 'instruct' }>): void {
    if (this.#running.coordination.instruct(endpoint, line)) channel.send({ type: 'done', id })
    else channel.send({ type: 'failed', id, code: 'not_reporting', message: `tried to reach ${endpoint}: it reports nothing` })
  }

  #welcome(channel: ControlChannel, { role, pid }: Extract<ControlToPrimary, { readonly type: 'hello' }>): void {
    const { crew, views } = this.#running
    channel.send({
      type: 'welcome',
      protocol: protocolVersion,
      pid: process.pid,
      workers: role === 'control' || views.served ? crew.size : 0,
      viewVersion: views.current?.version ?? -1,
      startedAt: this.#startedAt,
    })
    if (role === 'control') {
      this.#socket.subscribe(channel)
      channel.send({ type: 'telemetry', telemetry: this.#running.coordination.snapshot() })
      return
    }
    // It says hello again and again until our own workers serve; the first time it joins those that are told.
    if (this.#orphans.has(channel)) return
    const orphan = new OrphanLink(pid, channel)
    this.#orphans.set(channel, orphan)
    crew.adopt(orphan)
    views.sendTo(orphan)
  }

  async #save(): Promise<void> {
    const { crew, pseudonym, views, coordination } = this.#running
    if (views.current) await saveState(this.#options.directory, { ...coordination.state, workers: crew.size, pseudonym, view: views.current })
  }

  #publish(): void {
    this.#socket.publish(() => this.#running.coordination.snapshot())
  }

  // --- ending ---------------------------------------------------------------------------------------------------

  /** Said again, it moves the deadline. */
  async shutdown(deadlineMs: number): Promise<void> {
    // Told to end before it has begun.
    if (!this.#parts) process.exit(0)
    const { crew, listeners, views, coordination, cache } = this.#parts
    crew.tell({ type: 'shutdown', deadlineMs })
    if (this.#stopping) return
    this.#stopping = true
    views.stop()
    clearInterval(this.#timer)
    coordination.stop()
    listeners.end()
    await crew.end(deadlineMs)
    cache.close()
    this.#publish()
    this.#socket.close()
    removeState(this.#options.directory)
    this.#rateLevels.remove()
    process.exit(0)
  }
}
