/**
 * After `101`: bytes both ways with back-pressure and half-close, nothing read, nothing changed. Only when its
 * endpoint drains does a WebSocket tunnel speak by itself: between two frames of the server it sends the client a
 * Close (1012, service restart), lets the client's own Close reach the server, and ends.
 *
 *   open ──close()──▶ closing (server's bytes are dropped, client's pass) ──peer ends / 2 s──▶ closed
 */
import type { ClientSide, ConnectionOwner } from './client-side.ts'
import type { ServiceRuntime } from './service.ts'
import type { EndpointPool, Upstream, UpstreamUser } from './upstream.ts'
import type { Tally } from '../core/tally.ts'
import { FrameBoundary } from '../core/websocket-frames.ts'
import { tunnelClosingMs, tunnelIdleMs } from './limits.ts'

/** RFC 6455 §7.4 and IANA: 1012 Service Restart. */
const closeFrame = Buffer.from([0x88, 0x02, 0x03, 0xf4])

export class Tunnel implements UpstreamUser, ConnectionOwner {
  readonly endpoint: EndpointPool
  readonly #client: ClientSide
  readonly #upstream: Upstream
  readonly #service: ServiceRuntime
  /** Of the route by which it came. */
  readonly #tally: Tally | undefined
  readonly #frames: FrameBoundary | undefined
  #state: 'open' | 'wantsClose' | 'closing' | 'closed' = 'open'
  #deadline: number
  /** When to ask for a close, while its endpoint drains. */
  closeAt = Infinity

  constructor(client: ClientSide, upstream: Upstream, endpoint: EndpointPool, service: ServiceRuntime, webSocket: boolean, tally?: Tally) {
    this.#client = client
    this.#upstream = upstream
    this.endpoint = endpoint
    this.#service = service
    this.#tally = tally
    this.#frames = webSocket ? new FrameBoundary() : undefined
    this.#deadline = client.worker.now + tunnelIdleMs
  }

  /** Takes both connections over from the exchange; `rest`: what has come behind the `101`. */
  open(rest: Buffer): void {
    this.#service.tunnels++
    this.endpoint.tunnels++
    this.endpoint.active--
    this.#client.worker.fleet.freed(this.endpoint)
    this.#client.socket.setKeepAlive(true, 60_000)
    this.#upstream.socket.setKeepAlive(true, 60_000)
    this.#upstream.user = this
    this.#client.worker.fleet.drains.opened(this, this.#client.worker.now)
    if (rest.length > 0) this.upstreamData(this.#upstream, rest, rest.length)
    this.#client.handOver(this)
  }

  fromClient(bytes: Buffer): boolean {
    if (this.#state === 'closed') return false
    this.#deadline = Math.max(this.#deadline, this.#client.worker.now + (this.#state === 'closing' ? 0 : tunnelIdleMs))
    if (!this.#upstream.write(bytes)) this.#client.pauseInput()
    return this.#upstream.socket.writableLength > 0
  }

  upstreamConnected(): void {
    // It stood before there was a tunnel.
  }

  upstreamDrained(): void {
    this.#client.resumeInput()
  }

  upstreamData(_upstream: Upstream, buffer: Buffer, length: number): boolean {
    this.#client.worker.tick()
    if (this.#state === 'closing' || this.#state === 'closed') return true
    this.#deadline = this.#client.worker.now + tunnelIdleMs
    const { socket } = this.#client
    const stop = this.#state === 'wantsClose' ? this.#frames?.firstBoundary(buffer, length) : undefined
    const end = stop ?? length
    if (stop === undefined) this.#frames?.feed(buffer, length)
    const more = end === 0 || socket.write(buffer.subarray(0, end))
    if (socket.writableLength > 0) this.#upstream.keepBuffer()
    if (stop !== undefined) {
      this.#sendClose()
      return true
    }
    if (!more) {
      this.#client.onDrain = () => {
        this.#client.onDrain = undefined
        this.#upstream.resume()
      }
    }
    return more
  }

  /** Its endpoint is going away: ask the client to come again elsewhere. */
  close(): void {
    this.closeAt = Infinity
    if (this.#state !== 'open' || this.#frames === undefined) return
    if (this.#frames.atBoundary) this.#sendClose()
    else this.#state = 'wantsClose'
  }

  #sendClose(): void {
    this.#state = 'closing'
    this.#deadline = this.#client.worker.now + tunnelClosingMs
    this.#client.socket.write(closeFrame)
    // Bytes of the server are read and dropped from here on, so that its own end is seen.
    this.#upstream.resume()
  }

  clientEnded(): void {
    if (this.#state !== 'closed') this.#upstream.socket.end()
  }

  upstreamEnded(): void {
    if (this.#state !== 'closed') this.#client.socket.end()
  }

  clientClosed(): void {
    this.#finish()
  }

  upstreamClosed(): void {
    this.#finish()
  }

  sweep(now: number): void {
    if (now >= this.closeAt) this.close()
    if (now >= this.#deadline) this.#finish()
  }

  /** Ends both sides now. */
  cut(): void {
    this.#finish()
  }

  #finish(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    const { worker } = this.#client
    this.#upstream.destroy()
    this.#client.endOwned()
    worker.fleet.drains.closed(this)
    this.#service.tunnels--
    this.#service.active--
    this.endpoint.tunnels--
    this.#service.finished(101, undefined, this.#tally)
    worker.fleet.maybeDrained(this.endpoint)
  }
}
