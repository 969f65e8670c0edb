/** Why something happened: the trail of a request, or what an event came from and led to. */
import { z } from 'zod'
import { trailReasons, trailSteps } from '../../balancer/core/trail.ts'
import type { ApiDeps } from '../deps.ts'
import { route, type Route } from '../route.ts'
import { lineOfText } from '../schemas/common.ts'
import { asApiEvent, eventSchema } from '../schemas/events.ts'

const candidateSchema = z.object({
  endpoint: z.string(),
  weight: z.number().describe('0 to 100.'),
  less: z.string().optional().describe('Why its weight is not 100, though it could be chosen.'),
  active: z.number(),
  responseMs: z.number().optional(),
  skipped: z.string().optional().describe('Why it could not be chosen.'),
})

const stepSchema = z.object({
  at: z.number().describe('Milliseconds since the head of the request.'),
  step: z.enum(trailSteps),
  endpoint: z.string().optional(),
  note: z.string().optional(),
  candidates: z.array(candidateSchema).optional().describe('Every endpoint as the choice found it.'),
})

const trailExample = {
  id: '4f1c09a2b70000001',
  pid: 4171,
  startedAt: 1_795_283_736_000,
  client: '10.0.0.7',
  method: 'GET',
  target: '/cart',
  service: 'shop',
  route: 'shop.example.com/',
  algorithm: 'p2c-ewma',
  status: 200,
  durationMs: 3.31,
  tries: 2,
  reasons: ['retried'],
  steps: [
    { at: 0, step: 'picked', endpoint: 'shop-3f2a9c', note: 'p2c-ewma' },
    { at: 0.41, step: 'failed', endpoint: 'shop-3f2a9c', note: 'no connection came about (ECONNREFUSED): tried again' },
    {
      at: 0.52,
      step: 'picked',
      endpoint: 'shop-9b1e44',
      note: 'p2c-ewma',
      candidates: [
        { endpoint: 'shop-3f2a9c', weight: 100, active: 0, skipped: 'tried before by this request' },
        { endpoint: 'shop-9b1e44', weight: 100, active: 2, responseMs: 2.9 },
      ],
    },
    { at: 3.2, step: 'answered', endpoint: 'shop-9b1e44', note: '200' },
    { at: 3.31, step: 'ended', note: '200' },
  ],
}

const trailSchema = z
  .object({
    id: z.string(),
    pid: z.number().describe('Of the proxy worker.'),
    startedAt: z.number(),
    client: z.string(),
    method: z.string(),
    target: z.string(),
    service: z.string().optional(),
    route: z.string().optional(),
    algorithm: z.string().optional(),
    status: z.number().describe('0: cut, or left by the client.'),
    durationMs: z.number(),
    tries: z.number(),
    reasons: z.array(z.enum(trailReasons)).describe('Why it was remembered.'),
    traceId: z.string().optional(),
    steps: z.array(stepSchema),
  })
  .meta({ id: 'RequestTrail', examples: [trailExample] })

export function explainRoutes({ operations }: ApiDeps): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/explain/:id',
      tag: 'Events',
      summary: 'Why: the trail of a request, or the causes and effects of an event',
      permission: 'read:events',
      params: z.strictObject({ id: lineOfText(128).describe('The `X-Request-Id` of a request, or the id of an event.') }),
      data: z.object({ id: z.string(), requests: z.array(trailSchema), events: z.array(eventSchema) }),
      handler: async ({ params: { id } }) => {
        const { requests, events } = await operations.explain(id)
        return { id, requests, events: events.map(asApiEvent) }
      },
    }),
  ]
}
