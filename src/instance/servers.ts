/**
 * The HTTP servers of this process. Their idle connections outlive the balancer's use of them, so that neither side closes one in which
 * the other is just sending; and when the process is to end, they finish what they have begun, tell their clients so, and close.
 *
 * Servers are found by their first request; nothing of Node is patched. A server that never had a request has nothing to finish.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Server as SecureServer } from 'node:https'

export type AnyServer = Server | SecureServer

/** Longer than the balancer keeps an idle connection (55 s) and than most others do (60 s). */
export const keepAliveMsMin = 75_000

interface RequestStarted {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly server: AnyServer
}

export class Servers {
  readonly #servers = new Set<AnyServer>()
  readonly #answers = new Set<ServerResponse>()
  #closing = false

  start(): void {
    subscribe('http.server.request.start', this.#onRequest)
  }

  stop(): void {
    unsubscribe('http.server.request.start', this.#onRequest)
  }

  add(server: AnyServer): void {
    if (this.#servers.has(server)) return
    this.#servers.add(server)
    server.once('close', () => this.#servers.delete(server))
    // 0 is: for ever.
    if (server.keepAliveTimeout > 0) server.keepAliveTimeout = Math.max(server.keepAliveTimeout, keepAliveMsMin)
  }

  /** Stops accepting. Resolves when every request has its answer and every connection is closed. */
  async close(): Promise<void> {
    this.#closing = true
    for (const answer of this.#answers) sayClose(answer)
    await Promise.all([...this.#servers].map(closeServer))
  }

  readonly #onRequest = (message: unknown): void => {
    const { response, server } = message as RequestStarted
    this.add(server)
    if (this.#closing) {
      sayClose(response)
      return
    }
    this.#answers.add(response)
    response.once('close', () => this.#answers.delete(response))
  }
}

/** A connection that is busy would otherwise be kept, and keep the process, for the whole of the keep-alive timeout. */
function sayClose(answer: ServerResponse): void {
  const { socket } = answer
  if (answer.headersSent) answer.once('finish', () => socket?.end())
  else answer.setHeader('connection', 'close')
}

function closeServer(server: AnyServer): Promise<void> {
  return new Promise((resolve) => {
    // An error says that it was not listening: then it is closed.
    server.close(() => {
      resolve()
    })
    server.closeIdleConnections()
  })
}
