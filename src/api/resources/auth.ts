/** Credentials: tokens for people and pages, API keys for programs. */
import { z } from 'zod'
import { may, permissions, type ApiKeyInfo, type Permission, type Principal } from '../../access/index.ts'
import { assert } from '../../kernel/errors.ts'
import { ms, type WallTime } from '../../kernel/time.ts'
import type { ApiDeps } from '../deps.ts'
import { route, type Route } from '../route.ts'
import { durationSchema, isoTime, lineOfText, listQuery, pageOf, roleSchema } from '../schemas/common.ts'

const keySchema = z
  .object({
    id: z.string(),
    name: z.string(),
    role: roleSchema,
    createdAt: isoTime,
    createdBy: z.string(),
    expiresAt: isoTime,
    lastUsedAt: isoTime.nullable().describe('To the minute; null: never used.'),
  })
  .meta({ id: 'ApiKey' })

const loginSchema = z.strictObject({ login: z.string().min(1).max(200).describe('The one-time code of a login link.') })
const mintSchema = z.strictObject({
  role: roleSchema,
  ttl: durationSchema.optional().describe('Default 1h, at most 24h.'),
  subject: lineOfText(100).optional().describe('Whom it is for; default: whoever asks.'),
})

const mintedSchema = z.object({ token: z.string(), subject: z.string(), role: roleSchema, expiresAt: isoTime })

export function authRoutes(deps: ApiDeps): readonly Route[] {
  return [tokenRoute(deps), renewRoute(deps), selfRoute(), loginCodeRoute(deps), ...apiKeyRoutes(deps)]
}

function loginCodeRoute({ access }: ApiDeps): Route {
  return route({
    method: 'POST',
    path: '/auth/login-codes',
    tag: 'Access',
    summary: 'Make the one-time code of a login link',
    description: 'The link is the address of the API with `/#login=` and the code. It works once, within 15 minutes, and gives the role admin.',
    permission: 'manage:access',
    status: 201,
    data: z.object({ code: z.string(), expiresAt: isoTime }),
    handler: ({ principal }) => {
      const { code, expiresAt } = access.createLoginCode(required(principal).name)
      return { code, expiresAt: iso(expiresAt) }
    },
  })
}

function tokenRoute({ access }: ApiDeps): Route {
  return route({
    method: 'POST',
    path: '/auth/token',
    tag: 'Access',
    summary: 'Make a token',
    description: 'An admin makes one for a role; a one-time login code is exchanged for one without any other credential.',
    permission: 'manage:access',
    openFor: (body) => loginSchema.safeParse(body).success,
    body: z.union([mintSchema, loginSchema]),
    data: mintedSchema,
    handler: async ({ body, principal, request }) => {
      const minted =
        'login' in body
          ? await access.login(body.login, request.ip)
          : await access.mintToken({ ...mintOf(body, required(principal)), by: required(principal) })
      return { ...minted, expiresAt: iso(minted.expiresAt) }
    },
  })
}

const permissionNames = Object.keys(permissions) as [Permission, ...Permission[]]

function selfRoute(): Route {
  return route({
    method: 'GET',
    path: '/auth/self',
    tag: 'Access',
    summary: 'Who this credential is of, and what it may do',
    permission: 'read:status',
    data: z.object({
      name: z.string(),
      role: roleSchema,
      expiresAt: isoTime.nullable().describe('null: never.'),
      renewableUntil: isoTime.nullable().describe('null: it cannot be renewed.'),
      permissions: z.array(z.enum(permissionNames)),
    }),
    handler: ({ principal }) => {
      const { name, role, expiresAt, renewableUntil } = required(principal)
      return {
        name,
        role,
        expiresAt: expiresAt === undefined ? null : iso(expiresAt),
        renewableUntil: renewableUntil === undefined ? null : iso(renewableUntil),
        permissions: permissionNames.filter((permission) => may(role, permission)),
      }
    },
  })
}

function renewRoute({ access }: ApiDeps): Route {
  return route({
    method: 'POST',
    path: '/auth/renew',
    tag: 'Access',
    summary: 'Exchange the token of a sign-in for a new one',
    description: 'For tokens that came of a login link, until 7 days after it. Others answer 409 `not_renewable`.',
    permission: 'read:status',
    data: mintedSchema,
    handler: async ({ principal }) => {
      const minted = await access.renew(required(principal))
      return { ...minted, expiresAt: iso(minted.expiresAt) }
    },
  })
}

function apiKeyRoutes({ access }: ApiDeps): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/auth/api-keys',
      tag: 'Access',
      summary: 'All API keys, without their secrets',
      permission: 'manage:access',
      query: listQuery,
      data: z.array(keySchema),
      handler: ({ query }) => pageOf(access.apiKeys(), query, ({ keyId }) => keyId).map(shown),
    }),
    route({
      method: 'POST',
      path: '/auth/api-keys',
      tag: 'Access',
      summary: 'Make an API key',
      description: 'The key is in this answer and never again.',
      permission: 'manage:access',
      status: 201,
      body: z.strictObject({ name: lineOfText(100), role: roleSchema, ttl: durationSchema.optional().describe('Default 90d, at most 365d.') }),
      data: keySchema.extend({ key: z.string() }),
      handler: async ({ body: { name, role, ttl }, principal }) => {
        const made = await access.createApiKey({ name, role, by: required(principal), ...(ttl !== undefined && { ttl: ms(ttl) }) })
        return { ...shown(made), key: made.key }
      },
    }),
    route({
      method: 'DELETE',
      path: '/auth/api-keys/:id',
      tag: 'Access',
      summary: 'Revoke an API key, at once',
      permission: 'manage:access',
      params: z.object({ id: lineOfText(50) }),
      data: z.object({ id: z.string(), revoked: z.literal(true) }),
      handler: async ({ params, principal }) => {
        await access.revokeApiKey(params.id, required(principal))
        return { id: params.id, revoked: true } as const
      },
    }),
  ]
}

function mintOf({ role, ttl, subject }: z.output<typeof mintSchema>, by: Principal) {
  return { role, subject: subject ?? by.name, ...(ttl !== undefined && { ttl: ms(ttl) }) }
}

function required(principal: Principal | undefined): Principal {
  assert(principal, 'the gate let somebody unknown through')
  return principal
}

const iso = (time: WallTime): string => new Date(time).toISOString()

const shown = ({ keyId, createdAt, expiresAt, lastUsedAt, name, role, createdBy }: ApiKeyInfo): z.input<typeof keySchema> => ({
  id: keyId,
  name,
  role,
  createdBy,
  createdAt: iso(createdAt),
  expiresAt: iso(expiresAt),
  lastUsedAt: lastUsedAt === undefined ? null : iso(lastUsedAt),
})
