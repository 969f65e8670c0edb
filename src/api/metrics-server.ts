/** A second listener with nothing but `/metrics`, for networks where Prometheus may reach a port that must not carry the API. */
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import type { Operations } from '../app/operations.ts'
import type { Config } from '../config/types.ts'
import { assert, HoldfastError } from '../kernel/errors.ts'
import type { Component } from '../kernel/lifecycle.ts'
import { apiLimits } from './deps.ts'
import { answerOf, errorEnvelope } from './errors.ts'
import { close, listen } from './listen.ts'
import { metricsContentType } from './resources/metrics.ts'

export interface MetricsServerDeps {
  readonly operations: Pick<Operations, 'metrics'>
  readonly config: Pick<Config, 'metrics'>
  readonly log: FastifyBaseLogger
}

/** Does nothing when `metrics.port` is not set. */
export class MetricsServer implements Component {
  readonly name = 'metrics'
  readonly #deps: MetricsServerDeps
  #running: { readonly app: FastifyInstance; readonly url: string } | undefined

  constructor(deps: MetricsServerDeps) {
    this.#deps = deps
  }

  /** Rejects with `listen_failed`. */
  async start(): Promise<void> {
    const { host, port } = this.#deps.config.metrics
    if (port === undefined) return
    const app = buildMetricsApp(this.#deps)
    this.#running = { app, url: await listen(app, { host, port, what: 'the metrics', key: 'metrics.port' }) }
  }

  async stop(deadline: AbortSignal): Promise<void> {
    const running = this.#running
    this.#running = undefined
    if (running) await close(running.app, deadline)
  }

  /** Only while it listens. */
  get url(): string {
    assert(this.#running, 'the metrics do not listen')
    return this.#running.url
  }
}

function buildMetricsApp({ operations, log }: MetricsServerDeps): FastifyInstance {
  const app = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 1,
    requestTimeout: apiLimits.requestReceiveMs,
  })
  app.server.maxConnections = apiLimits.connectionsMax
  app.get('/metrics', async (_request, reply) => reply.type(metricsContentType).send(await operations.metrics()))
  app.setNotFoundHandler(() => {
    throw new HoldfastError('not_found', 'there is only /metrics here')
  })
  app.setErrorHandler((error, request, reply) => {
    const answer = answerOf(error)
    if (answer.status === 500) request.log.error({ err: error }, 'the metrics could not be read')
    return reply.code(answer.status).send(errorEnvelope(answer))
  })
  return app
}
