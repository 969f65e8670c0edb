/** What came of the copies that a service's requests are mirrored by. */
import { z } from 'zod'
import { mirrorResults } from '../../balancer/core/mirror.ts'
import type { ApiDeps } from '../deps.ts'
import { route, type Route } from '../route.ts'
import { isoTime, serviceName } from '../schemas/common.ts'

const answerSchema = z.object({
  status: z.number(),
  contentType: z.string(),
  bytes: z.number().describe('Of the body, as far as it was compared (`maxBody`).'),
  hash: z.string().describe('SHA-256 of that.'),
})

const mirrorSchema = z
  .object({
    service: z.string(),
    mirror: z.string().optional().describe('Who gets the copies; absent: nobody.'),
    counts: z.record(z.enum(mirrorResults), z.number()).describe('Since the proxy started.'),
    differences: z
      .array(
        z.object({
          at: isoTime,
          request: z.string().describe('Its id.'),
          method: z.string(),
          path: z.string().describe('Without the query.'),
          differs: z.array(z.enum(['status', 'contentType', 'bytes', 'hash'])),
          original: answerSchema,
          mirrored: answerSchema,
        }),
      )
      .describe('The last 50, newest first.'),
  })
  .meta({ id: 'Mirror' })

export function mirrorRoutes({ operations }: ApiDeps): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/services/:name/mirror',
      tag: 'Services',
      summary: 'What came of the copies of its requests',
      permission: 'read:status',
      params: z.object({ name: serviceName.describe('Name of the service.') }),
      data: mirrorSchema,
      handler: ({ params }) => {
        const { differences, ...report } = operations.mirror(params.name)
        return {
          ...report,
          differences: differences
            .toReversed()
            .map((difference) => ({ ...difference, at: new Date(difference.at).toISOString(), differs: [...difference.differs] })),
        }
      },
    }),
  ]
}
