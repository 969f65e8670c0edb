/**
 * A client's connection that speaks HTTP/2. Node frames it; each stream is carried by a `Client` of HTTP/1.1 on a socket that stands in for one
 * (`stream-socket.ts`), and those are used again from stream to stream.
 *
 *   open ──leave──▶ noticed (GOAWAY, everything still served) ──1 s──▶ closing (streams finish) ──▶ closed
 */
// eslint-disable-next-line n/no-unsupported-features/node-builtins -- it is there since 20.12, and we need 20.19
import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { ConnectionEnds } from '../core/proxy-protocol.ts'
import { Patience } from '../core/http2/patience.ts'
import { Client } from '../worker/client.ts'
import type { Answer } from '../worker/answers.ts'
import type { ClientFace } from '../worker/client-side.ts'
import { clientIdleMs } from '../worker/limits.ts'
import type { WorkerListener } from '../worker/connections.ts'
import type { Worker } from '../worker/worker.ts'
import { grpcAnswer } from './grpc-answer.ts'
import {
  connectionWindowBytes,
  controlFramesMax,
  controlFramesPerSecond,
  goawayNoticeMs,
  headerListBytesMax,
  resetsMax,
  resetsPerSecond,
  sessionMemoryMegabytes,
  streamsMax,
  streamWindowBytes,
} from './limits.ts'
import { requestOf } from './request-head.ts'
import { tellErrors } from './session-errors.ts'
import { StreamSocket, type StreamSocketHost } from './stream-socket.ts'
import { fieldsMax } from '../http1/head.ts'

const endStreamFlag = constants.NGHTTP2_FLAG_END_STREAM
/** The highest id there is: says that a connection ends, and refuses nothing yet. */
const everyStream = 2 ** 31 - 1

const options = {
  maxSessionMemory: sessionMemoryMegabytes,
  // Pseudo fields, and one crumb per cookie, come on top.
  maxHeaderListPairs: 2 * fieldsMax,
  settings: {
    enablePush: false,
    enableConnectProtocol: true,
    maxConcurrentStreams: streamsMax,
    initialWindowSize: streamWindowBytes,
    maxHeaderListSize: headerListBytesMax,
  },
}

export class ClientSession implements StreamSocketHost {
  readonly #worker: Worker
  readonly #listener: WorkerListener
  readonly #session: ServerHttp2Session
  readonly #ends: ConnectionEnds & { readonly remoteAddress: string }
  readonly #tls: TLSSocket | undefined
  readonly #onClosed: (session: ClientSession) => void
  readonly #clients = new Map<StreamSocket, Client>()
  readonly #free: StreamSocket[] = []
  #busy = 0
  #idleSince: number
  #leavingSince: number | undefined
  readonly #resets: Patience
  readonly #control: Patience

  constructor(worker: Worker, listener: WorkerListener, socket: Socket, onClosed: (session: ClientSession) => void) {
    this.#worker = worker
    this.#listener = listener
    this.#onClosed = onClosed
    this.#tls = socket instanceof TLSSocket ? socket : undefined
    const { remoteAddress, remotePort, localAddress, localPort } = socket
    this.#ends = { remoteAddress: remoteAddress?.replace(/^::ffff:(?=\d+\.)/, '') ?? 'unknown', remotePort, localAddress, localPort }
    this.#idleSince = worker.now
    this.#resets = new Patience(resetsMax, resetsPerSecond, worker.now)
    this.#control = new Patience(controlFramesMax, controlFramesPerSecond, worker.now)
    socket.on('error', () => undefined)
    const session = performServerHandshake(socket, options)
    this.#session = session
    tellErrors(session)
    // What failed is told by `close`.
    session.on('error', () => undefined)
    session.on('close', () => {
      this.#onClose()
    })
    session.on('connect', () => {
      if (!session.destroyed) session.setLocalWindowSize(connectionWindowBytes)
    })
    session.on('stream', (stream, _headers, flags, ...more: unknown[]) => {
      this.#onStream(stream, flags, (more[0] ?? []) as string[])
    })
    session.on('ping', () => {
      this.#controlFrame()
    })
    session.on('remoteSettings', () => {
      this.#controlFrame()
    })
  }

  #onStream(stream: ServerHttp2Stream, flags: number, raw: readonly string[]): void {
    const worker = this.#worker
    worker.tick()
    stream.on('error', () => undefined)
    if (stream.destroyed) {
      this.#resetByClient()
      return
    }
    const request = requestOf(raw, (flags & endStreamFlag) !== 0)
    if (typeof request === 'string') {
      worker.countRefused('malformed')
      worker.observer?.headRefused(worker.newRequestId(), this.#ends.remoteAddress, 0, request)
      stream.close(constants.NGHTTP2_PROTOCOL_ERROR)
      this.#resetByClient()
      return
    }
    this.#busy++
    this.#freeSocket().begin(stream, request)
  }

  #freeSocket(): StreamSocket {
    for (let socket = this.#free.pop(); socket; socket = this.#free.pop()) if (socket.usable) return socket
    return this.#newSocket()
  }

  #newSocket(): StreamSocket {
    const socket = new StreamSocket(this, this.#ends)
    const face: ClientFace = {
      tls: this.#tls,
      version: '2.0',
      get longLived() {
        return socket.grpc
      },
      cutShort: (why) => socket.cutShort(why),
      ownAnswer: (answer: Answer, requestId: string) => (socket.grpc ? grpcAnswer(answer, requestId, this.#worker.pseudonym) : undefined),
    }
    this.#clients.set(socket, new Client(this.#worker, this.#listener, socket, face))
    socket.once('close', () => {
      this.#clients.delete(socket)
      const at = this.#free.indexOf(socket)
      if (at >= 0) this.#free.splice(at, 1)
    })
    return socket
  }

  streamOver(socket: StreamSocket, reset: boolean, again: boolean): void {
    this.#worker.tick()
    this.#busy--
    if (this.#busy === 0) this.#idleSince = this.#worker.now
    if (again) this.#free.push(socket)
    if (reset) this.#resetByClient()
    else this.#resets.earn()
  }

  #resetByClient(): void {
    if (this.#session.destroyed || this.#resets.spend(this.#worker.now)) return
    this.#calm('http2_resets')
  }

  #controlFrame(): void {
    this.#worker.tick()
    if (this.#session.destroyed || this.#control.spend(this.#worker.now)) return
    this.#calm('http2_control_frames')
  }

  #calm(reason: string): void {
    this.#worker.countRefused(reason)
    this.#session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM)
  }

  /** No further request is wanted. `notice`: somebody else serves them; those that are on their way are served still. */
  leave(notice: boolean): void {
    const session = this.#session
    if (session.destroyed) return
    if (notice && this.#leavingSince === undefined) session.goaway(constants.NGHTTP2_NO_ERROR, everyStream)
    else if (!notice && !session.closed) session.close()
    this.#leavingSince ??= this.#worker.now
  }

  sweep(now: number): void {
    for (const client of [...this.#clients.values()]) {
      client.sweep(now)
      client.exchange.sweep(now)
    }
    if (this.#leavingSince === undefined) {
      if (this.#worker.draining || this.#listener.closed) this.leave(true)
      else if (this.#busy === 0 && now - this.#idleSince >= clientIdleMs) this.leave(false)
    } else if (now - this.#leavingSince >= goawayNoticeMs) this.leave(false)
  }

  destroy(): void {
    this.#session.destroy()
  }

  #onClose(): void {
    this.#worker.tick()
    for (const socket of [...this.#clients.keys()]) socket.destroy()
    this.#onClosed(this)
  }
}
