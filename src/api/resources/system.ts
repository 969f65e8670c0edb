/** The system as a whole. */
import { z } from 'zod'
import type { ApiDeps } from '../deps.ts'
import { route, type Route } from '../route.ts'

export function systemRoutes({ operations }: ApiDeps): readonly Route[] {
  return [
    route({
      method: 'POST',
      path: '/system/down',
      tag: 'System',
      summary: 'Drain and stop everything, then end the control process',
      description: 'Answers when the order is taken.',
      permission: 'stop:system',
      status: 202,
      data: z.object({ stopping: z.literal(true) }),
      handler: async ({ actor }) => {
        await operations.down({ actor })
        return { stopping: true } as const
      },
    }),
  ]
}
