/** Requests that kill instances: what is quarantined, and letting one go by hand. */
import { z } from 'zod'
import type { ApiDeps } from '../deps.ts'
import { route, type Route } from '../route.ts'
import { isoTime, lineOfText } from '../schemas/common.ts'

const quarantinedSchema = z
  .object({
    id: z.string(),
    service: z.string(),
    request: z.string().describe('Method and path, without the query.'),
    since: isoTime,
    until: isoTime,
    crashes: z.array(
      z.object({
        instance: z.string(),
        reason: z.string().describe('How it ended: `exit code=1`.'),
        requestId: z.string().describe('Of the request that was in flight.'),
        at: isoTime,
      }),
    ),
  })
  .meta({ id: 'QuarantinedRequest' })

export function quarantineRoutes({ operations }: ApiDeps): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/quarantine',
      tag: 'Services',
      summary: 'Requests that killed two instances and are sent to none',
      permission: 'read:status',
      data: z.array(quarantinedSchema),
      handler: () =>
        operations.quarantined().map(({ id, service, label, since, until, crashes }) => ({
          id,
          service,
          request: label,
          since: new Date(since).toISOString(),
          until: new Date(until).toISOString(),
          crashes: crashes.map(({ instance, reason, request, at }) => ({ instance, reason, requestId: request, at: new Date(at).toISOString() })),
        })),
    }),
    route({
      method: 'DELETE',
      path: '/quarantine/:id',
      tag: 'Services',
      summary: 'Send a quarantined request to instances again',
      permission: 'maintain:service',
      params: z.strictObject({ id: lineOfText(100) }),
      data: z.object({ id: z.string(), forgotten: z.literal(true) }),
      handler: async ({ params, actor }) => {
        await operations.forgetQuarantined(params.id, { actor })
        return { id: params.id, forgotten: true as const }
      },
    }),
  ]
}
