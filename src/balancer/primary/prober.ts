/** Probes every active endpoint of services that want it, and says when a verdict changes. Runs in the primary, so it goes on when the control process is gone. */
import { request, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as secureRequest } from 'node:https'
import { connect, type Socket } from 'node:net'
import { connect as connectSecure, type ConnectionOptions } from 'node:tls'
import { stateField } from '../../instance/core/asked-state.ts'
import type { Clock } from '../../kernel/time.ts'
import { after, ms } from '../../kernel/time.ts'
import type { Random } from '../../kernel/random.ts'
import { codeOf } from '../../kernel/errors.ts'
import { connectOnce } from './connect-once.ts'
import { probeByHttp2, probeName } from './http2-probe.ts'
import { ProbeMonitor, transitionIntervalMs } from '../core/probe-monitor.ts'
import type { OriginTlsView, OriginView } from '../core/origin-view.ts'
import { tlsFailure } from '../core/tls-failure.ts'
import { proxyHeader } from '../core/proxy-protocol.ts'
import { http2Protocols } from '../http2/ask.ts'
import { headed, secured } from '../tls/dialer.ts'
import type { EndpointView, ProbeView, ServiceView } from '../core/routing-view.ts'

/** Body bytes read when a probe expects a text in the body. */
const probeBodyBytesMax = 64 * 1024

interface Watched {
  readonly service: string
  readonly endpoint: EndpointView
  readonly probe: ProbeView
  readonly origin: OriginView | undefined
  readonly key: string
  readonly monitor: ProbeMonitor
  timer: Disposable | undefined
  running: boolean
}

export interface ProberOptions {
  readonly clock: Clock
  readonly random: Random
  readonly onVerdict: (endpoint: string, service: string, healthy: boolean, reason: string | undefined) => void
  /** A probe has failed without changing the verdict, or passed after such a one. */
  readonly onWavering?: ((endpoint: string) => void) | undefined
  /** It says in an answer what it asks for itself. */
  readonly onSaid?: ((endpoint: string, line: string) => void) | undefined
}

export class Prober {
  readonly #options: ProberOptions
  #watched = new Map<string, Watched>()

  constructor(options: ProberOptions) {
    this.#options = options
  }

  /** Endpoints that are not to be picked, by the probes' verdict. */
  get unhealthy(): string[] {
    return [...this.#watched].filter(([, watched]) => !watched.monitor.healthy).map(([id]) => id)
  }

  reasonOf(endpoint: string): string | undefined {
    return this.#watched.get(endpoint)?.monitor.reason
  }

  /** Probes in a row that failed, of so many that change the verdict. */
  failing(endpoint: string): { readonly failedProbes: number; readonly probesToFall: number } {
    const watched = this.#watched.get(endpoint)
    return { failedProbes: watched?.monitor.failing ?? 0, probesToFall: watched?.probe.fall ?? 1 }
  }

  isHealthy(endpoint: string): boolean {
    return this.#watched.get(endpoint)?.monitor.healthy ?? true
  }

  /** Probes what the view says; endpoints that stay keep their verdict. */
  apply(view: { readonly services: readonly Pick<ServiceView, 'name' | 'probe' | 'origin' | 'endpoints'>[] }): void {
    const next = new Map<string, Watched>()
    for (const service of view.services) {
      if (service.probe === undefined) continue
      for (const endpoint of service.endpoints) {
        if (endpoint.state !== 'active') continue
        const key = JSON.stringify([service.probe, endpoint.host, endpoint.port, endpoint.http2, service.origin])
        const known = this.#watched.get(endpoint.id)
        if (known?.key === key) {
          next.set(endpoint.id, known)
          continue
        }
        const monitor = new ProbeMonitor(service.probe)
        const { probe, origin } = service
        const watched: Watched = { service: service.name, endpoint, probe, origin, key, monitor, timer: undefined, running: false }
        next.set(endpoint.id, watched)
        // Spread the first probes, so that many endpoints are not asked in one instant.
        this.#schedule(watched, this.#options.random.next() * Math.min(service.probe.intervalMs, transitionIntervalMs))
      }
    }
    for (const [id, watched] of this.#watched) if (next.get(id) !== watched) watched.timer?.[Symbol.dispose]()
    this.#watched = next
  }

  /** A live connection broke: look soon, and believe one failure. */
  suspect(endpoint: string): void {
    const watched = this.#watched.get(endpoint)
    if (!watched || watched.running) return
    watched.monitor.suspect()
    this.#schedule(watched, 0)
  }

  stop(): void {
    for (const watched of this.#watched.values()) watched.timer?.[Symbol.dispose]()
    this.#watched.clear()
  }

  #schedule(watched: Watched, waitMs: number): void {
    const { clock } = this.#options
    watched.timer?.[Symbol.dispose]()
    watched.timer = clock.schedule(after(clock.now(), ms(waitMs)), () => {
      void this.#run(watched)
    })
  }

  async #run(watched: Watched): Promise<void> {
    if (watched.running) return
    watched.running = true
    const { endpoint, probe, origin } = watched
    let said: string | undefined
    const hear = (line: string): void => void (said = line)
    const failure = await (probe.connectOnly ? connectOnce(endpoint, probe, origin) : probeOnce(endpoint, probe, origin, hear))
    watched.running = false
    const { id } = watched.endpoint
    if (this.#watched.get(id) !== watched) return
    if (said !== undefined) this.#options.onSaid?.(id, said)
    const before = watched.monitor.failing
    if (watched.monitor.observe(failure)) this.#options.onVerdict(id, watched.service, watched.monitor.healthy, failure)
    if (watched.monitor.failing !== before) this.#options.onWavering?.(id)
    this.#schedule(watched, watched.monitor.waitMs(watched.probe.intervalMs, this.#options.random))
  }
}

/** One probe: undefined when it passed, else why not. Never throws. */
export function probeOnce(
  endpoint: Pick<EndpointView, 'host' | 'port' | 'http2'>,
  probe: ProbeView,
  origin?: OriginView,
  hear?: (line: string) => void,
): Promise<string | undefined> {
  if (endpoint.http2 === true) return probeOverHttp2(endpoint, probe, origin?.tls, hear)
  return new Promise((resolve) => {
    const options: RequestOptions = {
      host: endpoint.host,
      port: endpoint.port,
      path: probe.path,
      method: 'GET',
      agent: false,
      headers: { 'user-agent': 'holdfast-probe', connection: 'close' },
      signal: AbortSignal.timeout(probe.timeoutMs),
    }
    const onAnswer = (answer: IncomingMessage): void => {
      const said = answer.headers[stateField]
      if (typeof said === 'string') hear?.(said)
      judge(answer, probe, resolve)
    }
    const tls = origin?.tls
    const security = tls && secured(tls, endpoint.host)
    const version = origin?.proxyProtocol
    let started: ClientRequest
    if (version !== undefined) {
      // With an agent it would not be asked for a connection.
      const { agent: _, ...rest } = options
      started = request({ ...rest, createConnection: () => introduced(endpoint, proxyHeader(version), security) }, onAnswer)
    } else started = security === undefined ? request(options, onAnswer) : secureRequest({ ...options, ...security }, onAnswer)
    started.on('error', (error) => {
      resolve(failureOf(error, probe))
    })
    started.end()
  })
}

async function probeOverHttp2(
  { host, port }: Pick<EndpointView, 'host' | 'port'>,
  probe: ProbeView,
  tls: OriginTlsView | undefined,
  hear?: (line: string) => void,
): Promise<string | undefined> {
  const socket = tls ? connectSecure({ host, port, ALPNProtocols: http2Protocols, ...secured(tls, host) }) : connect({ host, port })
  let untrusted: string | undefined
  socket.on('error', (error) => {
    untrusted = tlsFailure(codeOf(error))?.reason
  })
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const failure = await probeByHttp2(socket, authority, probe, hear)
  return failure === undefined || untrusted === undefined ? failure : `${probeName(probe)} failed: the endpoint ${untrusted}`
}

/** A connection that says first that it is our own. */
function introduced(
  { host, port }: { readonly host: string; readonly port: number },
  header: Uint8Array,
  security: ConnectionOptions | undefined,
): Socket {
  const socket = headed(connect({ host, port }), header)
  if (security === undefined) return socket
  const secure = connectSecure({ socket, ...security })
  socket.on('error', (error) => secure.destroy(error))
  return secure
}

function judge(answer: IncomingMessage, probe: ProbeView, resolve: (failure: string | undefined) => void): void {
  const status = answer.statusCode ?? 0
  const pieces: Buffer[] = []
  let bytes = 0
  const finish = (): void => {
    answer.destroy()
    if (status < probe.statusMin || status > probe.statusMax)
      resolve(`GET ${probe.path} answered ${status}, expected ${probe.statusMin}-${probe.statusMax}`)
    else if (probe.body !== undefined && !Buffer.concat(pieces).toString().includes(probe.body)) {
      resolve(`GET ${probe.path} answered without ${JSON.stringify(probe.body)} in its body`)
    } else resolve(undefined)
  }
  if (probe.body === undefined) {
    finish()
    return
  }
  answer.on('data', (chunk: Buffer) => {
    pieces.push(chunk)
    bytes += chunk.length
    if (bytes > probeBodyBytesMax) finish()
  })
  answer.on('end', finish)
  answer.on('error', (error) => {
    resolve(`GET ${probe.path} failed: ${codeOf(error) ?? error.message}`)
  })
}

function failureOf(error: Error, probe: ProbeView): string {
  const timedOut = error.name === 'TimeoutError' || error.name === 'AbortError'
  if (timedOut) return `GET ${probe.path} did not answer within ${probe.timeoutMs} ms`
  const untrusted = tlsFailure(codeOf(error))
  return `GET ${probe.path} failed: ${untrusted === undefined ? (codeOf(error) ?? error.message) : `the endpoint ${untrusted.reason}`}`
}
