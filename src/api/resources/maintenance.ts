/** Maintenance: taking a service, an endpoint or everything out of the traffic by hand, and putting it back. */
import { z } from 'zod'
import type { ApiDeps } from '../deps.ts'
import { route, type Route } from '../route.ts'
import { endpointId, serviceName } from '../schemas/common.ts'

const bodySchema = z
  .strictObject({
    service: serviceName.optional(),
    endpoint: endpointId.optional(),
    enabled: z.boolean(),
  })
  .refine(({ service, endpoint }) => service === undefined || endpoint === undefined, 'must name a service or an endpoint, not both')
  .describe('Without `service` and `endpoint`: everything.')

type Body = z.output<typeof bodySchema>

export function maintenanceRoutes({ operations }: ApiDeps): readonly Route[] {
  return [
    route({
      method: 'PUT',
      path: '/maintenance',
      tag: 'Services',
      summary: 'Switch maintenance on or off',
      permission: 'maintain:service',
      body: bodySchema,
      data: z.object({ target: z.string().describe('`service shop`, `endpoint 10.0.0.5:3000` or `everything`.'), enabled: z.boolean() }),
      handler: async ({ body, actor }) => {
        const { target, name } = targetOf(body)
        await operations.setMaintenance(target, body.enabled, { actor })
        return { target: name, enabled: body.enabled }
      },
    }),
  ]
}

function targetOf({ service, endpoint }: Body): { readonly target: { service: string } | { endpoint: string } | 'all'; readonly name: string } {
  if (service !== undefined) return { target: { service }, name: `service ${service}` }
  if (endpoint !== undefined) return { target: { endpoint }, name: `endpoint ${endpoint}` }
  return { target: 'all', name: 'everything' }
}
