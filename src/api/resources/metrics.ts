/** Numbers for Prometheus. */
import { z } from 'zod'
import type { ApiDeps } from '../deps.ts'
import { RawAnswer, route, type Route } from '../route.ts'

/** Source: Prometheus docs, "Exposition formats". */
export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8'

export function metricsRoutes({ operations }: ApiDeps): readonly Route[] {
  const metrics = {
    method: 'GET',
    path: '/metrics',
    tag: 'Health',
    summary: 'All metrics as Prometheus text',
    permission: 'open',
    data: z.string(),
    alsoProduces: ['text/plain'],
    handler: async () => new RawAnswer(metricsContentType, await operations.metrics()),
  } as const
  return [route(metrics), route({ ...metrics, atRoot: true })]
}
