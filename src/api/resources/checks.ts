/** Checks: how they stand, and making, pausing, resuming one; and where those that are expected to be heard of report. */
import { z } from 'zod'
import type { ApiDeps } from '../deps.ts'
import { route, type Route } from '../route.ts'
import { checkDetailOf, checkDetailSchema, checkName, checkOf, checkSchema } from '../schemas/checks.ts'
import { isoTime, lineOfText, listQuery, pageOf } from '../schemas/common.ts'

const tag = 'Checks'
const params = z.strictObject({ name: checkName })
const heartbeatBody = z
  .strictObject({
    ok: z.boolean().optional().describe('`false`: it failed, and its check with it. Default `true`.'),
    message: lineOfText(300).optional(),
  })
  .optional()

export function checkRoutes({ operations }: ApiDeps): readonly Route[] {
  const { health } = operations
  return [
    route({
      method: 'GET',
      path: '/health/checks',
      tag,
      summary: 'All checks',
      description: 'Those of the configuration and of programs, then each service by its own probes.',
      permission: 'read:status',
      query: listQuery.extend({
        state: z.enum(['unknown', 'up', 'suspect', 'down', 'recovering', 'paused']).optional().describe('Only those in this state.'),
      }),
      data: z.array(checkSchema),
      handler: ({ query: { state, ...page } }) =>
        pageOf(
          health.checks().filter((check) => state === undefined || check.state === state),
          page,
          ({ name }) => name,
        ).map(checkOf),
    }),
    route({
      method: 'GET',
      path: '/health/network',
      tag,
      summary: 'Whether this node itself sees the network',
      description: 'While it does not, no check is taken for down because something cannot be reached.',
      permission: 'read:status',
      data: z.object({ blind: z.boolean(), since: isoTime.nullable(), reason: z.string().nullable() }),
      handler: () => {
        const { blind, since, reason } = health.network()
        return { blind, since: since === undefined ? null : new Date(since).toISOString(), reason: reason ?? null }
      },
    }),
    route({
      method: 'GET',
      path: '/health/checks/:name',
      tag,
      summary: 'One check, with its last runs',
      permission: 'read:status',
      params,
      data: checkDetailSchema,
      handler: ({ params: { name } }) => checkDetailOf(health.check(name)),
    }),
    route({
      method: 'POST',
      path: '/health/checks/:name/run',
      tag,
      summary: 'Make a check now',
      permission: 'act:checks',
      params,
      data: checkDetailSchema,
      handler: async ({ params: { name } }) => checkDetailOf(await health.run(name)),
    }),
    route({
      method: 'POST',
      path: '/health/checks/:name/pause',
      tag,
      summary: 'Pause a check',
      description: 'It is not made until it is resumed, also over a restart.',
      permission: 'act:checks',
      params,
      data: checkDetailSchema,
      handler: async ({ params: { name }, actor }) => checkDetailOf(await health.pause(name, { actor })),
    }),
    route({
      method: 'POST',
      path: '/health/checks/:name/resume',
      tag,
      summary: 'Resume a check',
      permission: 'act:checks',
      params,
      data: checkDetailSchema,
      handler: async ({ params: { name }, actor }) => checkDetailOf(await health.resume(name, { actor })),
    }),
    route({
      method: 'POST',
      path: '/health/checks/:name/heartbeat',
      tag,
      summary: 'Report that somebody is alive',
      description: 'For checks of kind `heartbeat`.',
      permission: 'act:checks',
      // One that comes every few seconds would fill the audit trail.
      audited: false,
      params,
      body: heartbeatBody,
      data: checkDetailSchema,
      handler: async ({ params: { name }, body }) => checkDetailOf(await health.heartbeat(name, body ?? {})),
    }),
  ]
}
