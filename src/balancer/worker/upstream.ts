/**
 * A connection to an endpoint, and the pool of idle ones.
 *
 *   connecting ──▶ busy ⇄ idle
 *        └──────────┴──────┴──▶ closed
 *
 * Reads go into a buffer of the connection's own (no allocation per read), and into a large one that is lent to it while a large body
 * passes. The buffer is replaced only when bytes of it are still needed by a slow client while the connection reads on.
 */
import type { AdaptiveSlots } from './adaptive-slots.ts'
import { Socket, type OnReadOpts } from 'node:net'
import { codeOf } from '../../kernel/errors.ts'
import { Endpoint } from '../core/endpoint.ts'
import type { TlsDialer } from '../tls/dialer.ts'
import { watchEnd } from '../tls/whole.ts'
import type { Failure } from '../core/resend.ts'
import { proxyHeader, type ConnectionEnds } from '../core/proxy-protocol.ts'
import type { ProxyProtocolVersion } from '../../config/types.ts'
import { OriginSessions } from '../http2/origin-sessions.ts'
import { OriginStream } from '../http2/origin-stream.ts'
import type { ByteSocket } from './client-side.ts'
import { LargeBuffers } from './large-buffers.ts'
import { siblingsMs, upstreamIdleMax, upstreamIdleMs, upstreamIdleMsMax } from './limits.ts'

/** Small while heads are exchanged; larger once a read has filled it. */
const readBytesInitial = 16 * 1024
const readBytesGrown = 64 * 1024

const largeBuffers = new LargeBuffers()

const nothing = Buffer.alloc(0)

/**
 * A socket that outlives a write that failed. An origin that answers early (413) and closes makes our next write fail while its answer
 * lies unread in our kernel; Node would throw that away with the socket. Reading goes on instead: it gives what is there, and then
 * the end or the error that closes the socket after all.
 */
class UpstreamSocket extends Socket {
  override destroy(error?: NodeJS.ErrnoException): this {
    return error?.syscall === 'write' && !this.destroyed ? this : super.destroy(error)
  }
}

function connectPlain({ host, port }: { readonly host: string; readonly port: number }, onread: OnReadOpts): Socket {
  // Outside of a tunnel the end of one side is the end of the connection, and the user says so.
  const options = { host, port, noDelay: true, allowHalfOpen: true, onread }
  return new UpstreamSocket(options).connect(options)
}

/** Who hears what happens on a busy connection. */
export interface UpstreamUser {
  upstreamConnected(upstream: Upstream): void
  /** Bytes [0, length) of `buffer`; returns false to stop reading until `resume`. */
  upstreamData(upstream: Upstream, buffer: Buffer, length: number): boolean
  upstreamDrained(upstream: Upstream): void
  /** The peer has sent everything it will. */
  upstreamEnded(upstream: Upstream): void
  /** Always the last call. `code` is the system's error, undefined for an orderly close. */
  upstreamClosed(upstream: Upstream, code: string | undefined): void
}

/** A connection to an endpoint, or what stands in for one: a stream of a connection that others share. */
export interface Upstream {
  readonly pool: EndpointPool
  readonly socket: ByteSocket
  user: UpstreamUser | undefined
  /** It has carried a request before. */
  readonly used: boolean
  readonly closed: boolean
  /** Requests of others are on the same connection: what happens to it says nothing of this one alone. */
  readonly shared: boolean
  /** What its end says of the request, when it says more than a lost connection does. */
  readonly failure: Failure | undefined
  /** The peer has closed its side. */
  readonly ended: boolean
  /** The last write failed at once: not a byte of it has left. */
  readonly writeFailed: boolean
  /** Writes; returns false when the socket wants a pause. */
  write(bytes: Buffer): boolean
  wasReset(): boolean
  keepBuffer(): void
  pinBuffer(): void
  returnBuffer(): void
  resume(): void
  destroy(): void
}

/** Whose connection to an endpoint it is; its own has ends, and ends. */
type Owner = ConnectionEnds & { readonly destroyed?: boolean }

class SocketUpstream implements Upstream {
  readonly pool: EndpointPool
  readonly socket: Socket
  /** What it was opened with. */
  readonly dialer: TlsDialer | undefined
  /** Its end was told whose it is: it is nobody else's. undefined: it was not. */
  readonly owner: Owner | undefined
  /** How it was told. */
  readonly told: ProxyProtocolVersion | undefined
  readonly shared = false
  readonly failure = undefined
  user: UpstreamUser | undefined
  /** It has carried a request before. */
  used = false
  closed = false
  idleSince = 0
  idleMs = upstreamIdleMs
  #own: Buffer
  #large: Buffer | undefined
  /** Bytes of the buffer wait in the socket of a client; reading pauses until it has taken them. */
  #pinned = false
  #errorCode: string | undefined
  #ended = false
  /** undefined: there is no TLS, in which an end is announced. */
  readonly #endsUnannounced: (() => boolean) | undefined

  /** `told`: its end is told first, so, that it is the owner's. */
  constructor(pool: EndpointPool, user: UpstreamUser, owner: Owner, told: ProxyProtocolVersion | undefined) {
    const header = told && proxyHeader(told, owner)
    this.pool = pool
    this.owner = told && owner
    this.told = told
    this.user = user
    this.#own = Buffer.allocUnsafeSlow(readBytesInitial)
    const onread = {
      buffer: () => this.#large ?? this.#own,
      callback: (length: number): boolean => this.#onRead(length),
    }
    this.dialer = pool.dialer
    if (this.dialer === undefined) {
      this.socket = connectPlain(pool.view, onread)
      if (header) this.socket.write(header)
    } else {
      const secure = this.dialer.dial(pool, onread, 'http/1.1', header)
      this.socket = secure
      this.#endsUnannounced = watchEnd(secure)
      if (header)
        this.socket.on('data', (chunk: Buffer) => {
          this.#onData(chunk)
        })
    }
    this.socket.on(this.dialer === undefined ? 'connect' : 'secureConnect', () => {
      this.user?.upstreamConnected(this)
    })
    this.socket.on('error', (error) => {
      this.#errorCode = codeOf(error) ?? 'EIO'
      // An alert after the handshake is told as an error and then as an orderly end; it is none.
      if (this.dialer !== undefined) this.socket.destroy()
    })
    this.socket.on('end', () => {
      this.#ended = true
      if (this.user) this.user.upstreamEnded(this)
      else {
        this.pool.idleClosed()
        this.destroy()
      }
    })
    this.socket.on('drain', () => this.user?.upstreamDrained(this))
    this.socket.on('close', () => {
      this.#onClose()
    })
  }

  /** The peer has closed its side. */
  get ended(): boolean {
    return this.#ended
  }

  /** Writes; returns false when the socket wants a pause. */
  write(bytes: Buffer): boolean {
    return this.socket.write(bytes)
  }

  /**
   * Whether what looked like an orderly end was a reset. libuv reports a reset as an end when data came along with it; a write
   * of nothing sends nothing, and fails on a connection that was reset. By TLS an end that was not announced is none.
   */
  wasReset(): boolean {
    if (this.#endsUnannounced?.() === true) return true
    this.socket.write(nothing)
    return this.socket.errored !== null
  }

  /** The last write failed at once: not a byte of it has left. */
  get writeFailed(): boolean {
    return this.socket.errored !== null
  }

  /** The bytes of the current read are still needed while reading goes on: the next read goes elsewhere. */
  keepBuffer(): void {
    if (this.#large === undefined) this.#own = Buffer.allocUnsafeSlow(this.#own.length)
    else this.#dropLarge()
  }

  /** The bytes of the current read are still needed, and nothing is read before `resume`. */
  pinBuffer(): void {
    this.#pinned = true
  }

  resume(): void {
    this.#pinned = false
    this.socket.resume()
  }

  /** The body is through: the large buffer is for others, unless bytes of it are still on their way. */
  returnBuffer(): void {
    if (this.#pinned && !this.closed) this.keepBuffer()
    else if (this.#pinned && this.#large !== undefined) this.#dropLarge()
    else if (this.#large !== undefined) largeBuffers.give(this.#large)
    this.#large = undefined
    this.#pinned = false
  }

  #dropLarge(): void {
    this.#large = undefined
    largeBuffers.lost()
  }

  destroy(): void {
    if (this.closed) return
    this.pool.forget(this)
    this.closed = true
    this.user = undefined
    this.socket.destroy()
    this.returnBuffer()
  }

  #onRead(length: number): boolean {
    const buffer = this.#large ?? this.#own
    const { user } = this
    if (user === undefined) {
      // Bytes nobody asked for: they must never be taken for the answer to the next request.
      this.destroy()
      return true
    }
    const more = user.upstreamData(this, buffer, length)
    if (length === buffer.length && this.user !== undefined) this.#grow(length)
    return more
  }

  /** What has not come in a buffer of our own. */
  #onData(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && !this.closed;) {
      const length = chunk.copy(this.#large ?? this.#own, 0, at)
      at += length
      if (this.#onRead(length)) continue
      this.socket.pause()
      if (at < chunk.length) this.socket.unshift(chunk.subarray(at))
      return
    }
  }

  /** A read has filled the buffer. */
  #grow(length: number): void {
    if (length < readBytesGrown) this.#own = Buffer.allocUnsafeSlow(readBytesGrown)
    else this.#large ??= largeBuffers.take()
  }

  #onClose(): void {
    if (this.closed) return
    this.pool.forget(this)
    this.closed = true
    this.returnBuffer()
    const user = this.user
    this.user = undefined
    if (user) user.upstreamClosed(this, this.#errorCode)
    else this.pool.idleClosed()
  }
}

/** An endpoint with its connections. */
export class EndpointPool extends Endpoint {
  readonly #idle: SocketUpstream[] = []
  readonly #all = new Set<SocketUpstream>()
  /** undefined: HTTP/2 was never spoken to it. */
  #http2: OriginSessions | undefined
  /** When a request was last sent to it, on this worker's clock. */
  lastSentAt = 0
  /** When its process exited, as the control process saw it, on this worker's clock; Infinity: it has not. */
  exitedAt = Infinity
  /** For a suspect alone, for the moment. */
  reserved = false
  /** undefined: it has no limit, or one that is given. */
  adaptive: AdaptiveSlots | undefined
  #idleClosedAt = -Infinity
  #dialer: TlsDialer | undefined
  #proxyProtocol: ProxyProtocolVersion | undefined
  /** The last TLS session with it. */
  session: Buffer | undefined

  /** Opens its connections; undefined: they are plain. */
  get dialer(): TlsDialer | undefined {
    return this.#dialer
  }

  /** What another one has opened is not used again. */
  dialBy(dialer: TlsDialer | undefined, proxyProtocol: ProxyProtocolVersion | undefined): void {
    if (dialer === this.#dialer && proxyProtocol === this.#proxyProtocol) return
    if (dialer !== this.#dialer) this.session = undefined
    this.#dialer = dialer
    this.#proxyProtocol = proxyProtocol
    this.closeIdle()
  }

  override available(now: number): boolean {
    return !this.reserved && super.available(now)
  }

  get connections(): number {
    return this.#all.size + (this.#http2?.size ?? 0)
  }

  /** The origin has closed a connection that carried nothing. */
  idleClosed(): void {
    this.#idleClosedAt = performance.now()
  }

  /**
   * The most recently used idle connection: the least likely to be closing. `careful`: none while others just close, for a
   * request that cannot be sent twice; a new connection is refused by a process that has died, and then it may go elsewhere.
   * Where the endpoint is told whose each connection is, only one that was opened for this client.
   */
  takeIdle(now: number, careful: boolean, client: Owner): Upstream | undefined {
    if (this.view.http2 === true) return this.#http2?.take()
    if (careful && now - this.#idleClosedAt < siblingsMs) return undefined
    if (this.#proxyProtocol !== undefined) return this.#takeOwn(now, client)
    for (let upstream = this.#idle.pop(); upstream; upstream = this.#idle.pop()) {
      if (now - upstream.idleSince < upstream.idleMs && !upstream.ended) return upstream
      upstream.destroy()
    }
    return undefined
  }

  #takeOwn(now: number, client: Owner): Upstream | undefined {
    const upstream = this.#idle.findLast(({ owner }) => owner === client)
    if (upstream === undefined) return undefined
    if (now - upstream.idleSince >= upstream.idleMs || upstream.ended) {
      upstream.destroy()
      return undefined
    }
    this.#idle.splice(this.#idle.indexOf(upstream), 1)
    return upstream
  }

  /** `client`: whose connection it is to be, for endpoints that are told. */
  open(user: UpstreamUser, client: Owner): Upstream {
    if (this.view.http2 === true) return (this.#http2 ??= new OriginSessions(this)).open(user)
    const upstream = new SocketUpstream(this, user, client, this.#proxyProtocol)
    this.#all.add(upstream)
    return upstream
  }

  /** Takes a connection back whose exchange is complete. */
  release(upstream: Upstream, now: number, hintSeconds: number | undefined): void {
    if (upstream instanceof OriginStream) upstream.release()
    else this.#release(upstream as SocketUpstream, now, hintSeconds)
  }

  #release(upstream: SocketUpstream, now: number, hintSeconds: number | undefined): void {
    upstream.user = undefined
    upstream.returnBuffer()
    const { owner } = upstream
    const same = upstream.dialer === this.#dialer && upstream.told === this.#proxyProtocol && (owner === undefined || owner.destroyed === false)
    const usable = same && !upstream.closed && !upstream.ended
    // Clients come and go: the one that was here last is the likeliest to ask again.
    if (owner !== undefined && usable && this.#idle.length >= upstreamIdleMax) this.#idle[0]?.destroy()
    if (!usable || this.gone !== undefined || this.view.state !== 'active' || this.#idle.length >= upstreamIdleMax) {
      upstream.destroy()
      return
    }
    if (hintSeconds !== undefined) upstream.idleMs = Math.min(upstreamIdleMsMax, Math.max(0, (hintSeconds - 1) * 1_000))
    upstream.used = true
    upstream.idleSince = now
    this.#idle.push(upstream)
  }

  forget(upstream: SocketUpstream): void {
    this.#all.delete(upstream)
    const index = this.#idle.lastIndexOf(upstream)
    if (index >= 0) this.#idle.splice(index, 1)
  }

  /** Closes idle connections: those that are too old, or all of them. */
  closeIdle(now = Infinity): void {
    this.#http2?.sweep(now, now === Infinity || this.gone !== undefined || this.view.state !== 'active' || this.view.http2 !== true)
    for (const upstream of [...this.#idle]) {
      if (now - upstream.idleSince >= upstream.idleMs || upstream.owner?.destroyed === true) upstream.destroy()
    }
  }
}
