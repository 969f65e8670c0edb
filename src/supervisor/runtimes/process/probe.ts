/**
 * Asks an instance whether it is ready: a TCP connect, and where the service has a health path, an HTTP GET on that
 * very connection, by TLS or HTTP/2 where its endpoints speak that, or a question of gRPC's health protocol. An instance may listen on IPv4 or on IPv6 loopback only, so both are tried.
 */
import { request } from 'node:http'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { connect as connectSecure } from 'node:tls'
import { http2Protocols, probeByHttp2 } from '../../../balancer/index.ts'
import { proxyHeader } from '../../../balancer/core/proxy-protocol.ts'
import type { HealthProbeConfig, OriginConfig, OriginTlsConfig } from '../../../config/types.ts'
import { messageOf } from '../../../kernel/errors.ts'
import { after, ms, seconds, type Clock, type Duration, type Instant } from '../../../kernel/time.ts'

export type ProbeResult =
  | { readonly passed: true; readonly host: string }
  /** `connected`: something listens, but what it answered was not good. */
  | { readonly passed: false; readonly connected: boolean; readonly reason: string }

/** Of an answer's body, only so much is searched for the expected text. */
const bodyBytesMax = 64 * 1024
const connectTimeout: Duration = seconds(1)
export const loopbackHosts = ['127.0.0.1', '::1'] as const

/** One question. Never rejects. */
export async function probeOnce(clock: Clock, port: number, health: HealthProbeConfig | undefined, origin?: OriginConfig): Promise<ProbeResult> {
  let result: ProbeResult = { passed: false, connected: false, reason: `nothing listens on ${port}` }
  for (const host of loopbackHosts) {
    const socket = await openSocket(clock, host, port)
    if (!socket) continue
    if (origin?.proxyProtocol) socket.write(proxyHeader(origin.proxyProtocol))
    if (!health) {
      socket.destroy()
      return { passed: true, host }
    }
    const asked = spoken(socket, origin)
    const failure = await (origin?.protocol === 'h2' ? askByHttp2(asked, host, port, health) : askHealth(clock, asked, host, port, health))
    if (failure === undefined) return { passed: true, host }
    result = { passed: false, connected: true, reason: failure }
  }
  return result
}

function openSocket(clock: Clock, host: string, port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    const timer = clock.schedule(after(clock.now(), connectTimeout), () => {
      settle(undefined)
    })
    const settle = (outcome: Socket | undefined): void => {
      timer[Symbol.dispose]()
      if (!outcome) socket.destroy()
      resolve(outcome)
    }
    socket.on('error', () => {
      settle(undefined)
    })
    socket.once('connect', () => {
      settle(socket)
    })
  })
}

/** It is our own child on loopback that is asked whether it is up: whom the balancer believes is another question, which it answers itself. */
function spoken(socket: Socket, origin: OriginConfig | undefined): Socket {
  if (origin?.tls === undefined) return socket
  return connectSecure({
    socket,
    rejectUnauthorized: false,
    ...ownPair(origin.tls),
    ...(origin.protocol === 'h2' && { ALPNProtocols: http2Protocols }),
  })
}

function ownPair({ cert, key }: OriginTlsConfig): { readonly cert?: Buffer; readonly key?: Buffer } {
  if (cert === undefined || key === undefined) return {}
  try {
    return { cert: readFileSync(cert), key: readFileSync(key) }
  } catch {
    // Being replaced at this moment, or gone, which `certificate.refused` tells: whoever asks for one will say no, and is asked again.
    return {}
  }
}

function askByHttp2(
  socket: Socket,
  host: string,
  port: number,
  { path = '', grpc, timeout, expect }: HealthProbeConfig,
): Promise<string | undefined> {
  const authority = host === '::1' ? `[::1]:${port}` : `${host}:${port}`
  return probeByHttp2(socket, authority, { path, grpc, timeoutMs: timeout, ...expect })
}

/** Resolves with what was wrong with the answer; undefined: nothing. */
function askHealth(
  clock: Clock,
  socket: Socket,
  host: string,
  port: number,
  { path = '/', timeout, expect }: HealthProbeConfig,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const tried = `GET ${path}`
    const settle = (failure: string | undefined): void => {
      timer[Symbol.dispose]()
      socket.destroy()
      resolve(failure)
    }
    const timer = clock.schedule(after(clock.now(), timeout), () => {
      settle(`${tried} was not answered within ${timeout} ms`)
    })
    const outgoing = request({ host, port, path, createConnection: () => socket, headers: { connection: 'close', 'user-agent': 'holdfast-probe' } })
    outgoing.on('error', (error) => {
      settle(`${tried} failed: ${messageOf(error)}`)
    })
    outgoing.on('response', (response) => {
      const status = response.statusCode ?? 0
      if (status < expect.statusMin || status > expect.statusMax) {
        settle(`${tried} answered ${status} instead of ${expect.statusMin}-${expect.statusMax}`)
        return
      }
      const { body } = expect
      if (body === undefined) {
        settle(undefined)
        return
      }
      let text = ''
      const judge = (): void => {
        settle(text.includes(body) ? undefined : `${tried} answered ${status}, but its body does not contain ${JSON.stringify(body)}`)
      }
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
        if (text.length >= bodyBytesMax || text.includes(body)) judge()
      })
      response.on('end', judge)
      response.on('error', judge)
    })
    outgoing.end()
  })
}

/** How long after the start the next question comes: often while most programs boot, seldom when one is slow. */
function pauseAfter(waited: number): Duration {
  if (waited < 2_000) return ms(10)
  if (waited < 5_000) return ms(25)
  return waited < 15_000 ? ms(50) : ms(250)
}

export interface ReadinessOptions {
  readonly clock: Clock
  readonly port: number
  readonly health: HealthProbeConfig | undefined
  readonly origin?: OriginConfig | undefined
  /** Whether whoever listens is the instance itself and not a stranger who has its port. */
  readonly isOwn: () => Promise<boolean>
  readonly onReady: (host: string) => void
}

/** Asks until the first pass. */
export class ReadinessProbe implements Disposable {
  readonly #options: ReadinessOptions
  readonly #since: Instant
  #timer: Disposable | undefined
  #disposed = false
  #last: ProbeResult | undefined

  constructor(options: ReadinessOptions) {
    this.#options = options
    this.#since = options.clock.now()
  }

  /** The latest answer; undefined before the first. */
  get last(): ProbeResult | undefined {
    return this.#last
  }

  start(): void {
    void this.#ask()
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    this.#timer?.[Symbol.dispose]()
  }

  async #ask(): Promise<void> {
    const { clock, port, health, origin, isOwn, onReady } = this.#options
    const result = await probeOnce(clock, port, health, origin)
    const isStranger = result.passed && !(await isOwn())
    if (this.#disposed) return
    this.#last = isStranger ? { passed: false, connected: true, reason: `port ${port} belongs to another process` } : result
    if (this.#last.passed) {
      this.#disposed = true
      onReady(this.#last.host)
      return
    }
    this.#timer = clock.schedule(after(clock.now(), pauseAfter(clock.now() - this.#since)), () => {
      void this.#ask()
    })
  }
}
