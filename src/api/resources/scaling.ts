/** How many instances: what was changed, and changing it by hand. */
import { z } from 'zod'
import type { ApiDeps } from '../deps.ts'
import { apiLimits } from '../deps.ts'
import { route, type Route } from '../route.ts'
import { isoTime, limitParameter, lineOfText, pageOf, serviceName } from '../schemas/common.ts'

const scalingSchema = z
  .object({
    id: z.string(),
    type: z.enum(['scale-up', 'scale-down']),
    trigger: z.string(),
    service: z.string(),
    from: z.number(),
    to: z.number(),
    reason: z.string(),
    timestamp: isoTime,
    success: z.boolean(),
  })
  .meta({ id: 'ScalingEvent' })

export const scalingListSchema = z.array(scalingSchema)

export function scalingRoutes({ operations }: ApiDeps): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/scaling/events',
      tag: 'Scaling',
      summary: 'What was scaled, newest first',
      permission: 'read:status',
      query: z.strictObject({ limit: limitParameter(50), after: lineOfText(100).optional().describe('`id` of the last one of the page before.') }),
      data: scalingListSchema,
      handler: ({ query }) => {
        const records = operations.scalingEvents(query.after === undefined ? query.limit : apiLimits.listItemsMax)
        return pageOf(records, query, ({ id }) => id)
      },
    }),
    route({
      method: 'POST',
      path: '/scaling/scale',
      tag: 'Scaling',
      summary: 'Set the number of instances of a service',
      permission: 'scale:service',
      body: z.strictObject({
        service: serviceName,
        instances: z.number().int().min(0).max(10_000),
        reason: lineOfText(500).optional(),
      }),
      data: scalingSchema,
      handler: ({ body: { service, instances, reason }, actor }) =>
        operations.scale(service, instances, { actor, ...(reason !== undefined && { reason }) }),
    }),
  ]
}
