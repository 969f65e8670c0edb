/**
 * A route as a declaration: what it asks for, what it answers, and which permission it needs. Everything around the
 * handler (credentials, limits, audit, envelope, documentation) follows from the declaration, so that no route can forget it.
 */
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify'
import { z } from 'zod'
import { permissions, type Permission, type Principal } from '../access/index.ts'
import type { Actor } from '../app/operations.ts'
import { assert } from '../kernel/errors.ts'
import { apiBase } from './deps.ts'
import { errorEnvelopeSchema } from './schemas/common.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

export interface RouteContext<P = unknown, Q = unknown, B = unknown> {
  readonly params: P
  readonly query: Q
  readonly body: B
  readonly actor: Actor
  readonly principal: Principal | undefined
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

/** An answer that is not JSON in the envelope. */
export class RawAnswer {
  readonly contentType: string
  readonly body: string | Buffer | Readable

  constructor(contentType: string, body: string | Buffer | Readable) {
    this.contentType = contentType
    this.body = body
  }
}

export type Immutable<T> = T extends object ? { readonly [K in keyof T]: Immutable<T[K]> } : T

export interface RouteSpec<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, D extends z.ZodType> {
  readonly method: Method
  /** Below `/api/infrastructure`; with `atRoot` below `/`. */
  readonly path: string
  readonly atRoot?: boolean
  readonly tag: string
  readonly summary: string
  readonly description?: string
  readonly permission: Permission | 'open'
  /** Bodies for which no credential is needed, as they carry their own proof. */
  readonly openFor?: (body: unknown) => boolean
  readonly params?: P
  readonly query?: Q
  readonly body?: B
  /** The `data` of the answer. */
  readonly data: D
  /** @default 200 */
  readonly status?: 200 | 201 | 202
  /** Other types it may answer with: `text/event-stream`. */
  readonly alsoProduces?: readonly string[]
  /** Other types of body it reads, besides JSON; they arrive as text. */
  readonly alsoConsumes?: readonly string[]
  /** false: a POST that changes nothing. @default every method but GET is audited */
  readonly audited?: boolean
  /** true: not counted against the rate limit, as probes must not fail because of somebody else. */
  readonly unlimited?: boolean
  /** true: it answers under whatever name it is asked, as it says what everybody may know. */
  readonly anyHost?: boolean
  /** Left out of the OpenAPI document. */
  readonly hidden?: boolean
  readonly handler: (context: RouteContext<z.output<P>, z.output<Q>, z.output<B>>) => Answer<z.input<D>> | Promise<Answer<z.input<D>>>
}

type Answer<T> = Immutable<T> | RawAnswer

/** A route whose types have done their work. */
export interface Route extends Omit<RouteSpec<z.ZodType, z.ZodType, z.ZodType, z.ZodType>, 'handler'> {
  readonly handle: (context: RouteContext) => Promise<unknown>
}

export function route<
  D extends z.ZodType,
  P extends z.ZodType = z.ZodUndefined,
  Q extends z.ZodType = z.ZodUndefined,
  B extends z.ZodType = z.ZodUndefined,
>(spec: RouteSpec<P, Q, B, D>): Route {
  const { handler, ...rest } = spec
  return {
    ...rest,
    // The validator has made the values what the schemas say.
    handle: async (context) => handler(context as RouteContext<z.output<P>, z.output<Q>, z.output<B>>),
  }
}

/** What the hooks need to know of a route; kept where Fastify keeps it. */
export interface RoutePolicy {
  readonly permission: Permission | 'open'
  readonly openFor?: ((body: unknown) => boolean) | undefined
  readonly audited: boolean
  readonly unlimited: boolean
  readonly anyHost?: boolean | undefined
}

export const openPolicy: RoutePolicy = { permission: 'open', audited: false, unlimited: false }

declare module 'fastify' {
  interface FastifyContextConfig {
    policy?: RoutePolicy
  }
}

/** Adds the routes to `app`, in a scope of their own where the route reads other types of body. */
export function mount(app: FastifyInstance, routes: readonly Route[]): void {
  for (const one of routes) {
    if (!one.alsoConsumes) {
      addRoute(app, one)
      continue
    }
    const types = [...one.alsoConsumes]
    app.register((scope, _options, done) => {
      scope.addContentTypeParser(types, { parseAs: 'string' }, (_request, body, next) => {
        next(null, body)
      })
      addRoute(scope, one)
      done()
    })
  }
}

function addRoute(app: FastifyInstance, one: Route): void {
  const audited = one.audited ?? one.method !== 'GET'
  assert(one.permission !== 'open' || !audited, `${one.method} ${one.path} changes something and asks for no credential`)
  app.route({
    method: one.method,
    url: one.atRoot ? one.path : apiBase + one.path,
    // A HEAD of a stream would never end.
    exposeHeadRoute: one.method === 'GET' && !one.alsoProduces?.includes('text/event-stream'),
    config: { policy: { permission: one.permission, openFor: one.openFor, audited, unlimited: one.unlimited ?? false, anyHost: one.anyHost } },
    schema: schemaOf(one),
    handler: async (request, reply) => {
      const { params, query, body, caller } = request
      const answer = await one.handle({ params, query, body, actor: caller.actor, principal: caller.principal, request, reply })
      if (answer instanceof RawAnswer) {
        // nginx would otherwise hold a stream back until its buffer is full.
        if (answer.body instanceof Readable) reply.header('x-accel-buffering', 'no')
        return reply.type(answer.contentType).send(answer.body)
      }
      return reply.code(one.status ?? reply.statusCode).send({ success: true, data: answer })
    },
  })
}

function schemaOf(one: Route): FastifySchema {
  const success = z.object({ success: z.literal(true), data: one.data })
  const content: Record<string, { schema: z.ZodType }> = { 'application/json': { schema: success } }
  for (const type of one.alsoProduces ?? []) content[type] = { schema: z.string() }
  return {
    ...(one.params && { params: one.params }),
    ...(one.query && { querystring: one.query }),
    ...(one.body && { body: one.body }),
    response: {
      [one.status ?? 200]: { description: 'Done.', content },
      '4xx': { description: 'Refused: `error.code` says why.', content: { 'application/json': { schema: errorEnvelopeSchema } } },
      '5xx': { description: 'Failed, or not available now.', content: { 'application/json': { schema: errorEnvelopeSchema } } },
    },
    ...documentationOf(one),
  }
}

const neededFor = (permission: Route['permission']): string =>
  permission === 'open' ? 'Needs no credential.' : `Needs the role ${permissions[permission].from} (permission \`${permission}\`).`

/** The part of the schema that only the OpenAPI document reads. */
function documentationOf(one: Route): FastifySchema {
  const documentation = {
    tags: [one.tag],
    summary: one.summary,
    operationId: `${one.method.toLowerCase()}${one.path.replace('/-/', '/lifecycle/').replace(/[^a-zA-Z]+([a-zA-Z]?)/g, (_, letter: string) => letter.toUpperCase())}${one.atRoot ? 'AtRoot' : ''}`,
    hide: one.hidden ?? false,
    description: [one.description, neededFor(one.permission)].filter(Boolean).join('\n\n'),
    security: one.permission === 'open' ? [] : [{ bearer: [] }, { apiKey: [] }],
    ...(one.alsoConsumes && { consumes: ['application/json', ...one.alsoConsumes] }),
  }
  return documentation
}
