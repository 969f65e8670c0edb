/**
 * Puts the API together. Nothing listens yet: `ApiServer` does that, and tests inject requests.
 *
 *   request id ─▶ headers ─▶ CORS ─▶ gate ─▶ body ─▶ validation ─▶ resource ─▶ envelope ─▶ record of the outcome
 */
import type { Socket } from 'node:net'
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import Fastify, { LogController, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { hasZodFastifySchemaValidationErrors, serializerCompiler } from 'fastify-type-provider-zod'
import { assert, HoldfastError } from '../kernel/errors.ts'
import { newId, systemClock } from '../kernel/system.ts'
import { AuditTrail } from './audit-trail.ts'
import { anonymous } from './caller.ts'
import { apiLimits, docsBase, type ApiDeps } from './deps.ts'
import { addDocumentationPages, collectDocumentation } from './documentation.ts'
import { answerOf, errorEnvelope, retryAfterOf, type ErrorAnswer } from './errors.ts'
import { addDashboard } from './dashboard-files.ts'
import { EventStreams } from './event-stream.ts'
import { Gate } from './gate.ts'
import { addHomePage } from './home-page.ts'
import { MachineReader } from './machine-reader.ts'
import { alertmanagerRoutes } from './resources/alertmanager.ts'
import { alertRoutes } from './resources/alerts.ts'
import { alertRuleRoutes } from './resources/alert-rules.ts'
import { authRoutes } from './resources/auth.ts'
import { cacheRoutes } from './resources/cache.ts'
import { checkRoutes } from './resources/checks.ts'
import { policyRoutes } from './resources/policies.ts'
import { configRoutes } from './resources/config.ts'
import { dashboardRoutes } from './resources/dashboard.ts'
import { dependencyRoutes } from './resources/dependencies.ts'
import { eventRoutes } from './resources/events.ts'
import { explainRoutes } from './resources/explain.ts'
import { incidentRoutes } from './resources/incidents.ts'
import { healthRoutes } from './resources/health.ts'
import { liveRoutes } from './resources/live.ts'
import { loadBalancerRoutes } from './resources/loadbalancer.ts'
import { breakerRoutes } from './resources/breakers.ts'
import { maintenanceRoutes } from './resources/maintenance.ts'
import { mirrorRoutes } from './resources/mirror.ts'
import { splitRoutes } from './resources/split.ts'
import { metricsRoutes } from './resources/metrics.ts'
import { notAvailableRoutes } from './resources/not-available.ts'
import { profileRoutes } from './resources/profiles.ts'
import { quarantineRoutes } from './resources/quarantine.ts'
import { scalingRoutes } from './resources/scaling.ts'
import { serviceRoutes } from './resources/services.ts'
import { statusRoutes } from './resources/status.ts'
import { systemRoutes } from './resources/system.ts'
import { mount, openPolicy } from './route.ts'
import { compileValidator, invalidInput, isInvalidFields } from './validation.ts'

/** The whole API on a Fastify instance that does not listen. Closing it ends its streams. */
export function buildApi(deps: ApiDeps): FastifyInstance {
  const clock = deps.clock ?? systemClock
  const app = Fastify({
    loggerInstance: deps.log,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    bodyLimit: apiLimits.bodyBytesMax,
    requestTimeout: apiLimits.requestReceiveMs,
    requestIdHeader: false,
    genReqId: ({ headers }) => saneRequestId(headers['x-request-id']) ?? newId(),
    routerOptions: { maxParamLength: apiLimits.cacheKeyCharactersMax },
    forceCloseConnections: 'idle',
    clientErrorHandler: answerBrokenHttp,
    frameworkErrors: answerError,
  })
  app.server.maxConnections = apiLimits.connectionsMax
  app.setValidatorCompiler(compileValidator)
  app.setSerializerCompiler(serializerCompiler)
  readJsonOnly(app)
  identify(app)
  app.setErrorHandler(answerError)
  protect(app, deps)
  collectDocumentation(app, deps.version)
  const streams = new EventStreams(clock)
  app.addHook('preClose', (done) => {
    streams.endAll()
    done()
  })
  void app.after(() => {
    new Gate(deps, new AuditTrail(deps.events.sink, clock), clock).install(app)
    app.setNotFoundHandler((request) => {
      throw new HoldfastError('not_found', `there is no ${request.method} ${pathOf(request)}`, { hint: 'see /api/docs for what there is' })
    })
  })
  app.register((scope, _options, done) => {
    const machine = new MachineReader(clock)
    mount(scope, [
      ...healthRoutes(deps, machine, clock),
      ...metricsRoutes(deps, clock),
      ...dependencyRoutes(deps),
      ...profileRoutes(deps),
      ...dashboardRoutes(deps, machine, clock),
      ...loadBalancerRoutes(deps),
      ...scalingRoutes(deps),
      ...serviceRoutes(deps, streams, clock),
      ...maintenanceRoutes(deps),
      ...splitRoutes(deps),
      ...mirrorRoutes(deps),
      ...breakerRoutes(deps),
      ...quarantineRoutes(deps),
      ...alertRuleRoutes(deps, clock),
      ...cacheRoutes(deps),
      ...checkRoutes(deps),
      ...policyRoutes(deps),
      ...eventRoutes(deps, streams, clock),
      ...liveRoutes(deps, streams, clock),
      ...explainRoutes(deps),
      ...configRoutes(deps),
      ...authRoutes(deps),
      ...systemRoutes(deps),
      ...statusRoutes(deps),
      ...alertRoutes(deps, clock),
      ...alertmanagerRoutes(deps, clock),
      ...incidentRoutes(deps),
      ...notAvailableRoutes(),
    ])
    if (deps.dashboard) addDashboard(scope, deps.dashboard)
    else addHomePage(scope, deps.version)
    done()
  })
  addDocumentationPages(app)
  return app
}

/** A client's own request id, if it cannot break a line of a log. */
function saneRequestId(given: string | string[] | undefined): string | undefined {
  return typeof given === 'string' && /^[A-Za-z0-9._:-]{1,128}$/.test(given) ? given : undefined
}

/** JSON is the only body that is read, unless a route says more. An empty one counts as none. */
function readJsonOnly(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body: string, done) => {
    if (body === '') done(null, undefined)
    else void parse(request, body, done)
  })
}

/** Gives every request its id and an unknown caller, writes one log line for it, and sees to it that no route is without a policy. */
function identify(app: FastifyInstance): void {
  app.decorateRequest('caller')
  app.decorateRequest('failure')
  app.addHook('onRequest', (request, reply, done) => {
    request.caller = anonymous(request.ip)
    reply.header('x-request-id', request.id)
    done()
  })
  app.addHook('onResponse', (request, reply, done) => {
    const { method, routeOptions, caller } = request
    const line = { method, route: routeOptions.url, status: reply.statusCode, ms: Math.round(reply.elapsedTime), actor: caller.actor.name }
    request.log.debug(line, 'request')
    done()
  })
  app.addHook('onRoute', (added) => {
    if (isOfLibrary(added)) added.config = { ...added.config, policy: openPolicy }
    assert(added.config?.policy, `the route ${String(added.method)} ${added.url} says nothing of who may use it`)
  })
}

/** Routes that libraries add: the pages of the documentation and the answers to CORS preflights. Neither holds anything that is not in every copy of Holdfast. */
const isOfLibrary = ({ method, url }: { method: unknown; url: string }): boolean =>
  method === 'OPTIONS' || url === docsBase || url.startsWith(`${docsBase}/`)

/** Security headers on every answer; CORS only for the origins of the configuration. */
function protect(app: FastifyInstance, { config }: ApiDeps): void {
  app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { 'default-src': ["'none'"], 'base-uri': ["'none'"], 'form-action': ["'none'"], 'frame-ancestors': ["'none'"] },
    },
    // This listener speaks plain HTTP; whoever puts TLS before it decides on HSTS.
    strictTransportSecurity: false,
    xFrameOptions: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
  })
  if (config.api.corsOrigins.length === 0) return
  app.register(cors, {
    origin: [...config.api.corsOrigins],
    methods: ['GET', 'POST', 'PUT', 'DELETE'],
    allowedHeaders: ['Authorization', 'Content-Type', 'If-Match', 'Last-Event-ID', 'X-API-Key', 'X-Request-Id'],
    exposedHeaders: ['ETag', 'RateLimit', 'RateLimit-Policy', 'Retry-After', 'X-Request-Id'],
    maxAge: 600,
  })
}

function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const thrown = hasZodFastifySchemaValidationErrors(error) ? invalidInput(request) : error
  const answer = answerOf(thrown)
  request.failure = isInvalidFields(answer.details) ? `not valid: ${answer.details.fields.map(({ field }) => field).join(', ')}` : answer.message
  if (answer.status === 500) request.log.error({ err: thrown, method: request.method, route: request.routeOptions.url }, 'a request failed')
  sendError(reply, answer, retryAfterOf(thrown))
}

function sendError(reply: FastifyReply, answer: ErrorAnswer, retryAfterMs: number | undefined): void {
  if (answer.status === 401 && !reply.hasHeader('www-authenticate')) reply.header('www-authenticate', 'Bearer realm="holdfast"')
  if (retryAfterMs !== undefined) reply.header('retry-after', Math.max(1, Math.ceil(retryAfterMs / 1_000)))
  void reply.code(answer.status).type('application/json; charset=utf-8').send(errorEnvelope(answer))
}

/** What is not HTTP, or too large a head, never becomes a request; it is still told why, in the envelope. */
function answerBrokenHttp(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const [status, code, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? (['431 Request Header Fields Too Large', 'header_too_large', 'the header fields are larger than 16 KiB'] as const)
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? (['408 Request Timeout', 'request_timeout', 'the request did not arrive in time'] as const)
        : (['400 Bad Request', 'malformed_request', 'the request is not valid HTTP'] as const)
  const body = JSON.stringify(errorEnvelope({ code, message, hint: undefined, details: undefined }))
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
}

const pathOf = (request: FastifyRequest): string => (request.url.split('?', 1)[0] ?? '').slice(0, 200).replace(/[^\x21-\x7e]/g, '?')
