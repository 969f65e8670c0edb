/**
 * The listening sockets of a worker, and the clients' connections they bring: accepted, told from whom they come by a proxy in front, decrypted,
 * and given to whom speaks the protocol.
 *
 *   accepted ─▶ (waits for the view of a new listener) ─▶ (PROXY header) ─▶ (TLS handshake) ─▶ HTTP/1.1 │ HTTP/2 │ TCP
 */
import { createServer, type Server, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import { listenerAddress, listenerKey, type ListenerView } from '../core/routing-view.ts'
import { ClientSessions } from '../http2/client-sessions.ts'
import { Terminator } from '../tls/terminator.ts'
import { Client } from './client.ts'
import type { ByteSocket, ClientFace } from './client-side.ts'
import { offerHandles, type AcceptedHandle } from './client-reads.ts'
import { backlog, connectionsMax } from './limits.ts'
import { Proxied, securedFrom } from './proxied.ts'
import { WaitingRoom } from './waiting-room.ts'
import type { Worker } from './worker.ts'

/** A listening socket as Node's IPC passes it between processes. */
export interface ListeningHandle {
  readonly fd: number
}

/** Node has no public name for the handle inside a server; its own `cluster` module sends the same object. */
const handleOf = (server: Server): ListeningHandle => (server as unknown as { _handle: ListeningHandle })._handle

export interface WorkerListener {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly address: string
  /** A view has had it: what it accepts has somewhere to go. */
  routed: boolean
  closed: boolean
  /** undefined: plain. */
  terminator?: Terminator | undefined
  /** Reads who the clients of a proxy in front are; undefined: clients come by themselves. */
  proxied?: Proxied | undefined
  /** HTTP/2 is spoken to who asks for it. */
  http2: boolean
  /** undefined: HTTP. */
  protocol?: 'tcp' | undefined
}

export class Connections {
  readonly #worker: Worker
  /** One of them is gone. */
  readonly #onLeft: () => void
  readonly #listeners = new Map<string, { readonly listener: WorkerListener; readonly server: Server }>()
  readonly #clients = new Set<Client>()
  readonly #http2: ClientSessions
  readonly #waitingRoom = new WaitingRoom<WorkerListener>()
  /** PROXY headers and TLS handshakes under way. */
  #handshaking = 0
  #ticketKeys: Buffer | undefined
  #accepted = 0

  constructor(worker: Worker, onLeft: () => void) {
    this.#worker = worker
    this.#onLeft = onLeft
    this.#http2 = new ClientSessions(worker, onLeft)
  }

  // --- listening ----------------------------------------------------------------------------------------------------

  /**
   * Accepts on an address (`where` is undefined), on an inherited descriptor, or from a listening socket that another
   * worker opened. Resolves with the socket, for the primary to keep. Rejects with the system's error.
   */
  listen(name: string, host: string, port: number, where?: ListeningHandle | { readonly fd: number }): Promise<ListeningHandle> {
    const listener: WorkerListener = { name, host, port, address: listenerAddress({ host, port }), routed: false, closed: false, http2: false }
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#accept(listener, socket)
    })
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.once('listening', () => {
        server.off('error', reject)
        // Accepting can fail later on (EMFILE): the next attempt may succeed, and the process must not end for it.
        server.on('error', () => {
          this.#worker.countRefused('accept_failed')
        })
        offerHandles(server, (handle) => this.#takeHandle(listener, handle))
        listener.routed = this.#viewOf(listener) !== undefined
        this.#configure(listener)
        this.#listeners.set(listenerKey(listener), { listener, server })
        resolve(handleOf(server))
      })
      if (where === undefined) server.listen({ host, port, backlog, exclusive: true })
      else server.listen(where, backlog)
    })
  }

  /** The socket itself is closed at once; connections that are open get one more answer, which says `Connection: close`. */
  close(which: ListenerView): void {
    const entry = this.#listeners.get(listenerKey(which))
    if (!entry) return
    this.#listeners.delete(listenerKey(which))
    entry.listener.closed = true
    // Closing an idle connection now could meet a request on its way.
    entry.server.close()
    for (const socket of this.#waitingRoom.take(entry.listener)) socket.destroy()
  }

  get listeners(): readonly WorkerListener[] {
    return [...this.#listeners.values()].map(({ listener }) => listener)
  }

  /** The descriptors of the listening sockets, for whoever carries on after us. */
  descriptors(): { name: string; host: string; port: number; fd: number }[] {
    return [...this.#listeners.values()].flatMap(({ listener, server }) => {
      const { fd } = handleOf(server)
      return fd < 0 ? [] : [{ name: listener.name, host: listener.host, port: listener.port, fd }]
    })
  }

  #viewOf(listener: ListenerView): ListenerView | undefined {
    return this.#worker.view?.listeners.find((each) => listenerKey(each) === listenerKey(listener))
  }

  /** The worker has another view. */
  viewChanged(): void {
    for (const { listener } of this.#listeners.values()) this.#configure(listener)
    this.#admitWaiting()
  }

  /** Those who came on a new listener before its view. */
  #admitWaiting(): void {
    for (const { listener } of this.#listeners.values()) {
      if (listener.routed || this.#viewOf(listener) === undefined) continue
      listener.routed = true
      for (const socket of this.#waitingRoom.take(listener)) this.#begin(listener, socket)
    }
  }

  /** Makes the listener what the view says. The same certificates are not read again. */
  #configure(listener: WorkerListener): void {
    const view = this.#viewOf(listener)
    if (view === undefined) return
    listener.protocol = view.protocol
    listener.http2 = view.http2 === true
    const { proxyFrom } = view
    if (!isDeepStrictEqual(proxyFrom, listener.proxied?.from)) listener.proxied = proxyFrom && new Proxied(proxyFrom)
    if (isDeepStrictEqual(view.tls, listener.terminator?.view) && (listener.terminator?.http2 ?? listener.http2) === listener.http2) return
    listener.terminator =
      view.tls &&
      new Terminator({
        listener: listener.name,
        view: view.tls,
        http2: listener.http2,
        ticketKeys: this.#ticketKeys,
        onEstablished: (socket) => {
          this.#established(listener, socket)
        },
        onFailed: () => {
          this.#failed('tls_handshake')
        },
      })
  }

  setTicketKeys(keys: Buffer): void {
    this.#ticketKeys = keys
    for (const { listener } of this.#listeners.values()) listener.terminator?.setTicketKeys(keys)
  }

  // --- connections --------------------------------------------------------------------------------------------------

  /** All that are open, with those whose handshake is under way. */
  get count(): number {
    return this.established + this.#handshaking
  }

  get established(): number {
    return this.#clients.size + this.#http2.size + this.#worker.tcp.size
  }

  /** Accepted since the last call. */
  takeAccepted(): number {
    const accepted = this.#accepted
    this.#accepted = 0
    return accepted
  }

  /** Of connections that are open; the others have told when they closed. */
  tellFlows(): void {
    for (const client of this.#clients) client.tellFlow()
  }

  get #full(): boolean {
    return this.count + this.#waitingRoom.size >= connectionsMax
  }

  /** The short way of a connection that begins with plain HTTP at once. */
  #takeHandle(listener: WorkerListener, handle: AcceptedHandle): boolean {
    const { terminator, proxied, http2, protocol } = listener
    if (!listener.routed || terminator !== undefined || proxied !== undefined || http2 || protocol === 'tcp' || this.#full) return false
    this.#worker.tick()
    this.#accepted++
    handle.setNoDelay(true)
    this.#clients.add(new Client(this.#worker, listener, handle))
    return true
  }

  #accept(listener: WorkerListener, socket: Socket): void {
    this.#worker.tick()
    this.#accepted++
    if (this.#full) {
      this.#worker.countRefused('too_many_connections')
      socket.on('error', () => undefined)
      socket.destroy()
      return
    }
    if (listener.routed) this.#begin(listener, socket)
    else this.#waitingRoom.wait(listener, socket)
  }

  #begin(listener: WorkerListener, socket: Socket): void {
    if (listener.proxied === undefined) {
      this.#beginRead(listener, socket)
      return
    }
    this.#handshaking++
    listener.proxied.accept(socket, {
      through: () => {
        this.#handshaking--
        this.#worker.tick()
        this.#beginRead(listener, socket)
      },
      refused: (reason) => {
        this.#failed(reason)
      },
    })
  }

  /** Nothing of what comes now is for us: it is TLS, or what the listener speaks. */
  #beginRead(listener: WorkerListener, socket: Socket): void {
    if (listener.terminator === undefined) {
      this.#welcome(listener, socket)
      return
    }
    this.#handshaking++
    listener.terminator.accept(socket)
  }

  #established(listener: WorkerListener, socket: TLSSocket): void {
    this.#handshaking--
    this.#worker.tick()
    securedFrom(socket)
    if (socket.alpnProtocol === 'h2') this.openHttp2(listener, socket)
    else this.#welcome(listener, socket)
  }

  #failed(reason: string): void {
    this.#handshaking--
    this.#worker.countRefused(reason)
    this.#onLeft()
  }

  #welcome(listener: WorkerListener, socket: Socket): void {
    if (listener.protocol === 'tcp') this.#worker.tcp.accept(listener, socket)
    else this.#clients.add(new Client(this.#worker, listener, socket))
  }

  /** A connection that somebody else has accepted, or what stands in for one; routed as if it had come by the listener of this name. */
  attach(name: string, socket: ByteSocket, face?: ClientFace): void {
    this.#worker.tick()
    this.#accepted++
    const listener: WorkerListener = { name, host: '', port: 0, address: '', routed: true, closed: false, http2: false }
    this.#clients.add(new Client(this.#worker, listener, socket, face))
  }

  /** A client's connection, whose first bytes will be (or have shown themselves to be) those of HTTP/2. */
  openHttp2(listener: WorkerListener, socket: Socket): void {
    this.#http2.open(listener, socket)
  }

  forget(client: Client): void {
    this.#clients.delete(client)
    this.#onLeft()
  }

  sweep(now: number): void {
    for (const client of this.#clients) {
      client.sweep(now)
      client.exchange.sweep(now)
    }
    this.#http2.sweep(now)
  }

  /** Nothing more is accepted. `succeeded`: somebody else serves from now on, so idle connections wait for one more request. */
  leave(succeeded: boolean): void {
    this.#waitingRoom.close()
    if (!succeeded) for (const client of this.#clients) client.closeIfIdle()
    this.#http2.leave(succeeded)
  }

  destroy(): void {
    for (const client of this.#clients) client.destroy()
    this.#http2.destroy()
  }
}
