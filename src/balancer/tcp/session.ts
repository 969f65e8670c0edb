/**
 * One connection of a TCP service: an endpoint is found for the client, then bytes go both ways as they come, with back-pressure and half-close.
 *
 *   choosing ──▶ connecting ──▶ open ──both sides have ended, or one has broken──▶ closed
 *     ▲  │ ▲         │
 *     │  ▼ └─refused─┘
 *    parked ──too long, too many──▶ closed
 *
 * Until the connection to the endpoint stands nothing of the client has left, so it may go to another one. A side that breaks breaks
 * the other: an end that was not orderly must not look like one.
 */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Dispatched } from '../worker/dispatcher.ts'
import { readerStallMs } from '../worker/limits.ts'
import type { ParkingPlace } from '../core/parking-lot.ts'
import type { Parked } from '../worker/parking.ts'
import type { ByteSocket } from '../worker/client-side.ts'
import type { EndpointPool, Upstream, UpstreamUser } from '../worker/upstream.ts'
import type { Worker } from '../worker/worker.ts'
import { newTcpCounts } from '../core/tcp-counts.ts'
import { farewell } from './farewell.ts'
import type { TcpFront } from './front.ts'
import type { TcpGate } from './gate.ts'
import { halfOpenMs, lastBytesMs, stashBytesMax } from './limits.ts'

/** PostgreSQL's Terminate: the server ends the connection next. */
const terminate = Buffer.from([0x58, 0, 0, 0, 4])

export class TcpSession implements UpstreamUser, Parked, Dispatched {
  readonly gate: TcpGate
  endpoint: EndpointPool | undefined
  /** When it is to be ended, while its endpoint or everything drains. */
  cutAt = Infinity
  awaitsTurn = false
  readonly #front: TcpFront
  readonly #worker: Worker
  readonly #socket: Socket
  #phase: 'choosing' | 'parked' | 'connecting' | 'open' | 'closed' = 'choosing'
  #upstream: Upstream | undefined
  /** What the client has sent before there is anybody to take it. */
  #stash: Buffer[] = []
  #stashBytes = 0
  #clientEnded = false
  #clientClosed = false
  #endpointEnded = false
  #endpointClosed = false
  /** The last bytes were the client's: it may wait for an answer. */
  #asking = false
  #saidGoodbye = false
  #lastAt: number
  /** The deadline while it is open, as a time without a byte. */
  #patienceMs: number
  readonly #beganAt: number
  #connectingSince = 0
  #connectSpentMs = 0
  #connected = false
  #parkPlace: ParkingPlace | undefined
  readonly #pickRequest

  constructor(front: TcpFront, worker: Worker, gate: TcpGate, socket: Socket, address: string) {
    this.#front = front
    this.#worker = worker
    this.gate = gate
    this.#socket = socket
    this.#beganAt = worker.now
    this.#lastAt = worker.now
    this.#patienceMs = gate.view.idleMs
    this.#pickRequest = { now: 0, tried: [] as EndpointPool[], key: () => address }
  }

  start(): void {
    const { service } = this.gate
    service.active++
    service.counters.requests++
    this.gate.finding++
    const socket = this.#socket
    socket.on('data', (chunk: Buffer) => {
      this.#fromClient(chunk)
    })
    socket.on('end', () => {
      this.#onClientEnd()
    })
    socket.on('drain', () => this.#upstream?.resume())
    socket.on('error', () => undefined)
    socket.on('close', (broken: boolean) => {
      this.#onClientClose(broken)
    })
    if (service.view.maintenance) this.#refuse('the service is under maintenance')
    else this.#search()
  }

  // --- finding an endpoint --------------------------------------------------------------------------------------

  #search(): void {
    this.#phase = 'choosing'
    this.#worker.dispatcher.add(this)
  }

  dispatch(now: number): void {
    this.#worker.now = now
    if (this.#phase === 'choosing') this.#choose(now)
    else if (this.#phase === 'connecting') this.#useNew()
  }

  #choose(now: number): void {
    const { gate } = this
    const { service } = gate
    if (this.#connectSpentMs >= service.view.timeoutMs) {
      this.#refuse('no endpoint could be connected to in time')
      return
    }
    // Whoever waits was here first.
    const isNew = this.#parkPlace === undefined && this.#pickRequest.tried.length === 0
    if (isNew && gate.lot.size > 0 && service.mayPark) {
      this.#park(now)
      return
    }
    this.#pickRequest.now = now
    const endpoint = gate.pick(this.#pickRequest)
    if (endpoint !== undefined) this.#connect(endpoint, now)
    else if (service.mayPark) this.#park(now)
    else this.#refuse(this.#nobody)
  }

  get #nobody(): string {
    return this.gate.view.kind !== 'plain' && this.gate.use === 'write' ? 'no primary is known' : 'no endpoint is available'
  }

  #connect(endpoint: EndpointPool, now: number): void {
    this.#phase = 'connecting'
    this.#connected = false
    this.#connectingSince = now
    this.endpoint = endpoint
    endpoint.active++
    endpoint.requests++
    this.#upstream = endpoint.open(this, this.#socket)
  }

  /** Used after all ends that the kernel knows of have been heard: a connection that lay in the backlog of a dead process completes all the same. */
  upstreamConnected(): void {
    if (this.#phase !== 'connecting') return
    this.#worker.tick()
    this.#connected = true
    this.#worker.dispatcher.add(this)
  }

  #useNew(): void {
    const endpoint = this.endpoint!
    if (!this.#connected) return
    if (endpoint.gone !== undefined || !this.gate.tolerates(endpoint)) {
      this.#leaveEndpoint()
      this.#search()
    } else this.#open(endpoint)
  }

  #notConnected(code: string): void {
    const endpoint = this.endpoint!
    const { now } = this.#worker
    this.#connectSpentMs += now - this.#connectingSince
    this.#leaveEndpoint()
    endpoint.errors++
    endpoint.failed(now, true)
    this.#worker.fleet.reportSuspect(endpoint, `connecting failed: ${code}`)
    this.#pickRequest.tried.push(endpoint)
    this.#search()
  }

  #leaveEndpoint(): void {
    const endpoint = this.endpoint!
    this.endpoint = undefined
    endpoint.active--
    this.#upstream?.destroy()
    this.#upstream = undefined
    this.#worker.fleet.maybeDrained(endpoint)
  }

  #park(now: number): void {
    const { gate } = this
    const parked = gate.parking.park(this, this.#stashBytes, now, undefined, this.#parkPlace)
    if (parked === undefined) {
      gate.service.counters.shed++
      this.#refuse(this.#nobody)
      return
    }
    if (this.#parkPlace === undefined) gate.service.counters.parked++
    this.#parkPlace = parked
    this.#pickRequest.tried.length = 0
    if (this.#phase !== 'parked') gate.finding--
    this.#phase = 'parked'
    this.#worker.lots.watch(gate)
  }

  unpark(): void {
    if (this.#phase !== 'parked') return
    this.gate.finding++
    this.#search()
  }

  parkingExpired(): void {
    if (this.#phase === 'parked') this.#refuse(this.#nobody)
  }

  parkingRefused(): void {
    if (this.#phase !== 'parked') return
    this.gate.service.counters.shed++
    this.#refuse(this.#nobody)
  }

  /** Nothing can take it. */
  #refuse(why: string): void {
    const last = this.#stashBytes > 0 ? farewell(this.gate.view.kind, why) : undefined
    this.#finish(503)
    if (last === undefined) this.#breakClient()
    else {
      this.#socket.end(last)
      this.#socket.destroySoon()
    }
  }

  // --- carrying -------------------------------------------------------------------------------------------------

  #open(endpoint: EndpointPool): void {
    const { service } = this.gate
    const { now } = this.#worker
    this.#phase = 'open'
    this.gate.finding--
    if (this.#parkPlace !== undefined) this.gate.lot.leave(this)
    service.tunnels++
    endpoint.tunnels++
    endpoint.active--
    endpoint.welcome()
    endpoint.tcp ??= newTcpCounts()
    service.tally.took(Math.round((now - this.#beganAt) * 1_000))
    this.#lastAt = now
    this.#socket.setKeepAlive(true, 60_000)
    this.#upstream!.socket.setKeepAlive(true, 60_000)
    const stash = this.#stash
    this.#stash = []
    for (const chunk of stash) this.#forward(chunk)
    if (this.#clientEnded) this.#upstream!.socket.end()
    else if (!this.#upstream!.socket.writableNeedDrain) this.#socket.resume()
    this.#front.opened(this, endpoint)
    this.gate.madeRoom()
  }

  #fromClient(chunk: Buffer): void {
    this.#worker.tick()
    if (this.#phase === 'open') {
      this.#forward(chunk)
      return
    }
    this.#stash.push(chunk)
    this.#stashBytes += chunk.length
    if (this.#stashBytes >= stashBytesMax) this.#socket.pause()
  }

  #forward(chunk: Buffer): void {
    this.#lastAt = this.#worker.now
    this.#asking = true
    this.#saidGoodbye = this.gate.view.kind === 'postgres' && chunk.subarray(-terminate.length).equals(terminate)
    this.gate.service.counters.requestBytes += chunk.length
    this.endpoint!.tcp!.received += chunk.length
    if (!this.#endpointClosed && !this.#upstream!.write(chunk)) this.#socket.pause()
  }

  upstreamDrained(): void {
    this.#socket.resume()
  }

  upstreamData(upstream: Upstream, buffer: Buffer, length: number): boolean {
    this.#worker.tick()
    // Before the client is let through: a server that speaks first is heard when it is.
    if (this.#phase === 'connecting' && this.#connected) this.#useNew()
    if (this.#phase !== 'open' || this.#upstream !== upstream) return true
    this.#lastAt = this.#worker.now
    this.#asking = false
    this.gate.service.counters.responseBytes += length
    this.endpoint!.tcp!.sent += length
    const more = this.#socket.write(buffer.subarray(0, length))
    if (this.#socket.writableLength > 0) upstream.keepBuffer()
    return more
  }

  upstreamEnded(): void {
    this.#worker.tick()
    if (this.#phase === 'connecting') {
      this.#notConnected('ECONNRESET')
      return
    }
    if (this.#phase !== 'open') return
    this.#endpointEnded = true
    this.#patienceMs = Math.min(this.#patienceMs, halfOpenMs)
    if (!this.#clientEnded && !this.#saidGoodbye) this.#worker.fleet.reportSuspect(this.endpoint!, 'it ended a connection')
    this.#socket.end()
  }

  #onClientEnd(): void {
    this.#worker.tick()
    this.#clientEnded = true
    if (this.#phase === 'open') {
      this.#patienceMs = Math.min(this.#patienceMs, halfOpenMs)
      this.#upstream!.socket.end()
      return
    }
    // Who has asked for nothing, or speaks a protocol that answers nobody who has left, waits no longer.
    if (this.#phase !== 'closed' && (this.#stashBytes === 0 || this.gate.view.kind !== 'plain')) this.#cut()
  }

  upstreamClosed(_upstream: Upstream, code: string | undefined): void {
    this.#worker.tick()
    if (this.#phase === 'connecting') {
      this.#notConnected(code ?? 'ECONNRESET')
      return
    }
    if (this.#phase !== 'open') return
    this.#endpointClosed = true
    if (code !== undefined || !this.#endpointEnded) {
      this.#worker.fleet.reportSuspect(this.endpoint!, `a connection broke: ${code ?? 'closed'}`)
      this.#finish(0)
      this.#breakClient()
    } else if (this.#clientClosed) this.#finish(200)
    // What is still on its way to the client has so long.
    else this.#patienceMs = Math.min(this.#patienceMs, readerStallMs)
  }

  #onClientClose(broken: boolean): void {
    this.#clientClosed = true
    if (this.#phase === 'closed') return
    this.#worker.tick()
    if (this.#phase === 'open' && !broken && this.#clientEnded && !this.#endpointClosed) return
    const upstream = this.#upstream
    this.#finish(this.#endpointClosed && !broken ? 200 : 0)
    if (upstream && broken && !upstream.closed) reset(upstream.socket)
    upstream?.destroy()
  }

  /** Its process has exited. What the kernel still has of it is passed on; whatever stays open then is not its own. */
  endpointGone(): void {
    if (this.#phase === 'open') this.cutAt = Math.min(this.cutAt, this.#worker.now + lastBytesMs)
    else if (this.#phase === 'connecting') {
      this.#leaveEndpoint()
      this.#search()
    }
  }

  // --- ending ---------------------------------------------------------------------------------------------------

  /** Its last word was the endpoint's, some time ago: nobody waits for anything, as far as can be seen from here. */
  isQuiet(now: number, forMs: number): boolean {
    return this.#phase !== 'open' || (!this.#asking && now - this.#lastAt >= forMs)
  }

  sweep(now: number): void {
    if (this.#phase === 'connecting') {
      const { connectTimeoutMs, timeoutMs } = this.gate.service.view
      const limit = Math.min(connectTimeoutMs, timeoutMs - this.#connectSpentMs)
      if (!this.#connected && now - this.#connectingSince >= limit) this.#notConnected('ETIMEDOUT')
      return
    }
    if (now >= this.cutAt || (this.#phase === 'open' && now - this.#lastAt >= this.#patienceMs)) this.cut()
  }

  /** Ends both sides now. */
  cut(): void {
    if (this.endpoint?.tcp) this.endpoint.tcp.cut++
    this.#cut()
  }

  #cut(): void {
    if (this.#phase === 'closed') return
    const upstream = this.#upstream
    this.#finish(0)
    upstream?.destroy()
    this.#breakClient()
  }

  #breakClient(): void {
    if (!this.#socket.destroyed) reset(this.#socket)
  }

  #finish(status: 0 | 200 | 503): void {
    const { gate, endpoint } = this
    const { service } = gate
    const phase = this.#phase
    if (phase === 'closed') return
    this.#phase = 'closed'
    this.#stash = []
    this.#upstream = undefined
    service.active--
    service.finished(status)
    if (this.#parkPlace !== undefined) gate.lot.leave(this)
    if (phase !== 'parked' && phase !== 'open') gate.finding--
    if (endpoint) {
      if (phase === 'open') {
        endpoint.tunnels--
        service.tunnels--
      } else endpoint.active--
      this.#worker.fleet.maybeDrained(endpoint)
    }
    this.#front.ended(this)
    if (phase !== 'parked') gate.madeRoom()
  }
}

/** A reset says that it was no orderly end; over TLS the missing `close_notify` says it. */
function reset(socket: ByteSocket & { readonly connecting?: boolean }): void {
  if (socket instanceof TLSSocket || socket.connecting) socket.destroy()
  else socket.resetAndDestroy()
}
