/** An API over a made-up Holdfast, with a credential for each role, in virtual time. */
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { Access, type Role } from '../../access/index.ts'
import type { Config } from '../../config/types.ts'
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts'
import { MemoryStore } from '../../store/index.ts'
import type { ApiDeps } from '../deps.ts'
import type { RoutePolicy } from '../route.ts'
import { FakeOperations, testConfig } from './fake-operations.ts'

export interface Harness {
  readonly operations: FakeOperations
  readonly access: Access
  readonly clock: VirtualClock
  readonly deps: ApiDeps
  /** Everything that was logged, as JSON lines. */
  readonly logged: string[]
  readonly tokens: Readonly<Record<Role, string>>
  readonly unawaited: unknown[]
}

export async function harness(changes: Partial<Config> = {}): Promise<Harness> {
  const config = { ...testConfig, ...changes }
  const operations = new FakeOperations()
  const clock = new VirtualClock()
  const store = new MemoryStore()
  await store.start()
  const unawaited: unknown[] = []
  const access = new Access({ config, store, events: operations, clock, onError: (error) => unawaited.push(error) })
  await access.start()
  const logged: string[] = []
  const log = pino({ level: 'debug' }, { write: (line: string) => logged.push(line) })
  const by = { name: 'test', role: 'admin', credential: 'local', expiresAt: undefined } as const
  const mint = async (role: Role): Promise<string> => (await access.mintToken({ subject: role, role, by })).token
  const tokens = { viewer: await mint('viewer'), operator: await mint('operator'), admin: await mint('admin') }
  operations.stored.length = 0
  return {
    operations,
    access,
    clock,
    logged,
    tokens,
    unawaited,
    deps: { operations, access, events: { sink: operations }, config, log, version: '0.1.0', clock },
  }
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  // The shape depends on the route; a test says what it expects of it.
  readonly body: { success: boolean; data?: unknown; error?: { code: string; message: string; hint?: string; details: unknown } }
}

export type Request = { readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'OPTIONS' | 'HEAD'; readonly url: string } & {
  readonly token?: string
  readonly headers?: Record<string, string>
  readonly payload?: string | object
  readonly address?: string
}

export async function ask(app: FastifyInstance, { method = 'GET', url, token, headers = {}, payload, address }: Request): Promise<Answer> {
  const reply = await app.inject({
    method,
    url,
    headers: { ...(token !== undefined && { authorization: `Bearer ${token}` }), ...headers },
    ...(payload !== undefined && { payload }),
    ...(address !== undefined && { remoteAddress: address }),
  })
  const json = method !== 'HEAD' && String(reply.headers['content-type']).startsWith('application/json')
  return { status: reply.statusCode, headers: reply.headers, body: json ? reply.json<Answer['body']>() : { success: true, data: reply.body } }
}

export interface FoundRoute {
  readonly method: string
  readonly url: string
  readonly policy: RoutePolicy | undefined
  readonly hidden: boolean
}

/** Every route of an API that is not ready yet, as it will be. */
export async function routesOf(app: FastifyInstance): Promise<readonly FoundRoute[]> {
  const found: FoundRoute[] = []
  app.addHook('onRoute', ({ method, url, config, schema }) => {
    const hidden = (schema as { hide?: boolean } | undefined)?.hide === true
    for (const one of [method].flat()) found.push({ method: one, url, policy: config?.policy, hidden })
  })
  await app.ready()
  return found
}
