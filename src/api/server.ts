/** The API as a part with a life: it listens from `start` to `stop`. */
import type { FastifyInstance } from 'fastify'
import { assert } from '../kernel/errors.ts'
import type { Component } from '../kernel/lifecycle.ts'
import { buildApi } from './app.ts'
import { readDashboard } from './dashboard-files.ts'
import type { ApiDeps } from './deps.ts'
import { close, listen } from './listen.ts'

export class ApiServer implements Component {
  readonly name = 'api'
  readonly #deps: ApiDeps
  #running: { readonly app: FastifyInstance; readonly url: string } | undefined

  constructor(deps: ApiDeps) {
    this.#deps = deps
  }

  /** Rejects with `listen_failed`, naming the address and how to find who holds it. */
  async start(): Promise<void> {
    const app = buildApi({ dashboard: await readDashboard(), ...this.#deps })
    const { host, port } = this.#deps.config.api
    this.#running = { app, url: await listen(app, { host, port, what: 'the API', key: 'api.port' }) }
  }

  /** Ends the open streams, lets requests finish until the deadline, then cuts them. */
  async stop(deadline: AbortSignal): Promise<void> {
    const running = this.#running
    this.#running = undefined
    if (running) await close(running.app, deadline)
  }

  /** Where a client on this machine reaches it: `http://127.0.0.1:3006`. Only while it runs. */
  get url(): string {
    assert(this.#running, 'the API does not listen')
    return this.#running.url
  }
}
