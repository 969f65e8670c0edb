/** Numbers for Prometheus, and what was measured until now. */
import { z } from 'zod'
import type { MetricsAnswer } from '../../app/metrics-operations.ts'
import type { Clock } from '../../kernel/time.ts'
import type { ApiDeps } from '../deps.ts'
import { RawAnswer, route, type Immutable, type Route } from '../route.ts'
import { momentOf, serviceName } from '../schemas/common.ts'
import { catalogueSchema, metricsAnswerSchema, metricsQuery, uptimeQuery, uptimeSchema } from '../schemas/metrics.ts'

/** Source: Prometheus docs, "Exposition formats". */
export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8'

const tag = 'Metrics'
const defaultSpanMs = 3_600_000

export function metricsRoutes({ operations }: ApiDeps, clock: Clock): readonly Route[] {
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
  return [
    route(metrics),
    route({ ...metrics, atRoot: true }),
    route({
      method: 'GET',
      path: '/metrics/catalogue',
      tag,
      summary: 'What is measured: name, unit, meaning',
      permission: 'read:status',
      data: catalogueSchema,
      handler: () => operations.history.catalogue().map((metric) => ({ ...metric })),
    }),
    route({
      method: 'GET',
      path: '/services/:name/uptime',
      tag: 'Services',
      summary: 'What it served and failed, by days',
      description:
        'From the traffic itself: counted by the balancer, also while no control process was there. Days of which nothing is known may be missing.',
      permission: 'read:status',
      params: z.object({ name: serviceName.describe('Name of the service.') }),
      query: uptimeQuery,
      data: uptimeSchema,
      handler: ({ params: { name }, query: { days } }) => operations.history.uptime(operations.service(name).name, days).map((day) => ({ ...day })),
    }),
    route({
      method: 'GET',
      path: '/metrics/query',
      tag,
      summary: 'How a metric went',
      description:
        'Kept by the second for an hour, by the minute for 7 days, by the hour for 400 days. Of every step the mean, the smallest and the largest sample; a step without samples has no point. Quantiles are those of single seconds: of a coarser step the mean, smallest and largest of them.',
      permission: 'read:status',
      query: metricsQuery,
      data: metricsAnswerSchema,
      handler: async ({ query: { metric, from, to, step, by, agg, rate, limit, ...labels } }) => {
        const now = clock.wallTime()
        const until = momentOf(to, now) ?? now + 1
        const since = momentOf(from, now) ?? until - defaultSpanMs
        const wanted = Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== undefined)) as Record<string, string>
        return answerOf(await operations.history.query({ metric, labels: wanted, from: since, to: until, step, by, agg, rate, limit }))
      },
    }),
  ]
}

function answerOf({ unit, series, ...rest }: MetricsAnswer): Immutable<z.input<typeof metricsAnswerSchema>> {
  const shown = series.map(({ labels, points }) => ({
    labels,
    points: points.map(({ at, mean, min, max }): [number, number, number, number] => [at, mean, min, max]),
  }))
  return { ...rest, unit: unit ?? null, series: shown }
}
