/** How the clients of a service are divided between versions, by hand: before what is configured, until it is taken back. */
import { z } from 'zod'
import type { ApiDeps } from '../deps.ts'
import { route, type Route } from '../route.ts'
import { lineOfText, serviceName } from '../schemas/common.ts'

const named = z.object({ name: serviceName.describe('Name of the service.') })
const shares = z
  .record(lineOfText(64), z.number().min(0).max(1))
  .describe('Share of the clients by version, 1 in all.')
  .meta({ examples: [{ v1: 0.9, v2: 0.1 }] })

const splitExample = {
  service: 'shop',
  shares: { v1: 0.9, v2: 0.1 },
  source: 'hand',
  versions: { v1: 2, v2: 1 },
  traffic: {
    v1: { requests: 12_312, errors: 0, requestRate: 214, errorRate: 0, p95Ms: 9.1 },
    v2: { requests: 912, errors: 4, requestRate: 24, errorRate: 0.004, p95Ms: 11.3 },
  },
}

const splitSchema = z
  .object({
    service: z.string(),
    shares: z.record(z.string(), z.number()).optional().describe('Absent: the weights of the endpoints decide.'),
    source: z.enum(['hand', 'configuration', 'none']),
    versions: z.record(z.string(), z.number()).describe('Versions of the endpoints that there are, with their number.'),
    traffic: z
      .record(
        z.string(),
        z.object({
          requests: z.number().describe('Since its endpoints are there.'),
          errors: z.number().describe('Answers of 5xx, and attempts without an answer.'),
          requestRate: z.number().describe('Per second, over the last 10 seconds.'),
          errorRate: z.number().describe('0 to 1, over the last 10 seconds.'),
          p95Ms: z.number().optional().describe('To the first byte, over the last 10 seconds; absent: none came.'),
        }),
      )
      .describe('How the endpoints of each version do.'),
  })
  .meta({ id: 'Split', examples: [splitExample] })

export function splitRoutes({ operations }: ApiDeps): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/services/:name/split',
      tag: 'Services',
      summary: 'How its clients are divided between versions',
      permission: 'read:status',
      params: named,
      data: splitSchema,
      handler: ({ params }) => operations.split(params.name),
    }),
    route({
      method: 'PUT',
      path: '/services/:name/split',
      tag: 'Services',
      summary: 'Divide its clients between versions',
      description:
        'Holds before what is configured, also after a restart, until it is deleted. The same client keeps its side; clients move only to a side that grows.',
      permission: 'change:servers',
      params: named,
      body: z.strictObject({ shares }),
      data: splitSchema,
      handler: ({ params, body, actor }) => operations.setSplit(params.name, body.shares, { actor }),
    }),
    route({
      method: 'DELETE',
      path: '/services/:name/split',
      tag: 'Services',
      summary: 'Divide its clients as configured',
      permission: 'change:servers',
      params: named,
      data: splitSchema,
      handler: ({ params, actor }) => operations.setSplit(params.name, undefined, { actor }),
    }),
  ]
}
