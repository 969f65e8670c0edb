/** Circuit breakers: how they stand, and holding those of a service open, or letting them go, by hand. */
import { z } from 'zod'
import type { ServiceStatus } from '../../registry/types.ts'
import type { ApiDeps } from '../deps.ts'
import { route, type Route } from '../route.ts'
import { serviceName } from '../schemas/common.ts'
import { type breakerStateSchema, breakerSchema } from '../schemas/breakers.ts'

const actions = ['isolate', 'close', 'reset'] as const
const summaries = {
  isolate: 'Hold the breakers of a service open',
  close: 'Close the breakers of a service',
  reset: 'Close them and forget what they counted',
}

type State = z.output<typeof breakerStateSchema>
/** A service stops taking requests only when all of its endpoints are refused. */
const refusing: readonly State[] = ['forcedOpen', 'open', 'halfOpen']

export function breakersOf({ name, endpoints }: Pick<ServiceStatus, 'name' | 'endpoints'>): z.output<typeof breakerSchema> | undefined {
  const guarded = endpoints.flatMap(({ id, breaker }) => (breaker === undefined ? [] : [{ endpoint: id, state: breaker }]))
  if (guarded.length === 0) return undefined
  // The least grave of them: one endpoint that may be asked keeps the service going.
  const state = guarded.every(({ state }) => refusing.includes(state))
    ? refusing.findLast((each) => guarded.some(({ state }) => state === each))
    : undefined
  return { name, state: state ?? 'closed', endpoints: guarded }
}

export function breakerRoutes({ operations }: ApiDeps): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/circuit-breakers',
      tag: 'Services',
      summary: 'How the circuit breakers stand',
      permission: 'read:status',
      data: z.array(breakerSchema),
      handler: () => operations.services().flatMap((service) => breakersOf(service) ?? []),
    }),
    ...actions.map((action) =>
      route({
        method: 'POST',
        path: `/circuit-breakers/:name/${action}`,
        tag: 'Services',
        summary: summaries[action],
        permission: 'maintain:service',
        params: z.strictObject({ name: serviceName }),
        data: z.object({ name: z.string(), action: z.enum(actions) }),
        handler: async ({ params, actor }) => {
          await operations.orderBreaker(params.name, action, { actor })
          return { name: params.name, action }
        },
      }),
    ),
  ]
}
