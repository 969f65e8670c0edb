/**
 * A connection to an endpoint that speaks HTTP/2, shared by many requests.
 *
 *   connecting ──▶ open ──GOAWAY, idle, endpoint gone──▶ closing (streams finish) ──▶ closed
 *        └──────────┴──lost──────────────────────────────────────────────────────────▶ closed
 */
import { connect, type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders, type Settings } from 'node:http2'
import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { codeOf } from '../../kernel/errors.ts'
import type { TlsDialer } from '../tls/dialer.ts'
import type { EndpointPool } from '../worker/upstream.ts'
import { connectionWindowBytes, originIdleMs, originSilenceMs, originStreamsMax, sessionMemoryMegabytes, streamWindowBytes } from './limits.ts'
import type { OriginStream } from './origin-stream.ts'

const connectPlain = ({ host, port }: { readonly host: string; readonly port: number }): Socket => new Socket().connect({ host, port, noDelay: true })

const options = {
  maxSessionMemory: sessionMemoryMegabytes,
  settings: { enablePush: false, initialWindowSize: streamWindowBytes },
}

export class OriginSession {
  readonly scheme: 'http' | 'https'
  /** What it was opened with. */
  readonly dialer: TlsDialer | undefined
  readonly streams = new Set<OriginStream>()
  readonly #session: ClientHttp2Session
  readonly #onClosed: (session: OriginSession) => void
  /** The system's error that ended it; undefined: an orderly close, or none yet. */
  errorCode: string | undefined
  /** The connection is no more. */
  lost = false
  connected = false
  #streamsMax = originStreamsMax
  #idleSince = performance.now()
  #retired = false
  /** Whether it takes an extended CONNECT (RFC 8441 §3); undefined: its settings have not come yet. */
  takesConnect: boolean | undefined
  /** When the endpoint last answered anything. */
  heardAt = 0

  constructor(pool: EndpointPool, onClosed: (session: OriginSession) => void) {
    this.#onClosed = onClosed
    this.dialer = pool.dialer
    this.scheme = this.dialer === undefined ? 'http' : 'https'
    const socket = this.dialer?.dial(pool, undefined, 'h2') ?? connectPlain(pool.view)
    socket.on('error', (error) => {
      this.errorCode = codeOf(error) ?? 'EIO'
    })
    socket.on('close', () => {
      this.lost = true
    })
    // The authority is given with each request.
    const session = connect(`${this.scheme}://origin`, { ...options, createConnection: () => socket })
    this.#session = session
    session.on('connect', () => {
      if (session.destroyed) return
      if (socket instanceof TLSSocket && socket.alpnProtocol !== 'h2') {
        this.errorCode = 'EPROTO'
        session.destroy()
        return
      }
      this.connected = true
      session.setLocalWindowSize(connectionWindowBytes)
      for (const stream of [...this.streams]) stream.user?.upstreamConnected(stream)
    })
    session.on('remoteSettings', ({ maxConcurrentStreams, enableConnectProtocol }: Settings) => {
      this.#streamsMax = Math.min(originStreamsMax, maxConcurrentStreams ?? originStreamsMax)
      this.takesConnect = enableConnectProtocol === true
      for (const stream of [...this.streams]) stream.settingsKnown()
    })
    session.on('error', (error) => {
      this.errorCode ??= codeOf(error)
    })
    session.on('close', () => {
      this.lost = true
      this.#onClosed(this)
      for (const stream of [...this.streams]) stream.sessionLost(this.errorCode)
    })
  }

  /** Takes new streams, now or when it is connected. */
  get usable(): boolean {
    return !this.lost && !this.#retired && !this.#session.closed && !this.#session.destroyed
  }

  get hasRoom(): boolean {
    return this.usable && this.streams.size < this.#streamsMax
  }

  request(headers: OutgoingHttpHeaders, how: { readonly endStream: boolean; readonly waitForTrailers: boolean }): ClientHttp2Stream {
    return this.#session.request(headers, how)
  }

  left(stream: OriginStream): void {
    this.streams.delete(stream)
    if (this.streams.size === 0) this.#idleSince = performance.now()
  }

  /** A request that was sent at `since` got no answer. Where nobody else got one either for long, there may be nobody: the next requests go elsewhere. */
  unanswered(since: number): void {
    if (this.heardAt < since && performance.now() - since >= originSilenceMs) this.#retired = true
  }

  /** `all`: the endpoint is not wanted any more. */
  sweep(now: number, all: boolean): void {
    if (this.streams.size > 0 || this.#session.closed) return
    if (!this.connected || this.#retired) this.#session.destroy()
    else if (all || now - this.#idleSince >= originIdleMs) this.#session.close()
  }
}
