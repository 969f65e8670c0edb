/** Services: where they stand, what they print, how they do; and restarting one. */
import { z } from 'zod'
import type { LogLine, LogQuery } from '../../app/operations.ts'
import type { Clock } from '../../kernel/time.ts'
import { apiLimits, type ApiDeps } from '../deps.ts'
import type { EventStreams } from '../event-stream.ts'
import { followLogs } from '../follow-logs.ts'
import { RawAnswer, route, type Route } from '../route.ts'
import { isoTime, limitParameter, lineOfText, listQuery, momentOf, pageOf, queryFlag, serviceName, sinceParameter } from '../schemas/common.ts'
import { refuseUnknownInstance } from '../unknown-names.ts'
import { instanceSchema, serviceSchema, trafficSchema } from '../schemas/registry.ts'

const named = z.object({ name: serviceName.describe('Name of the service.') })

const logLineSchema = z.object({
  time: z.number().describe('Milliseconds since 1970.'),
  service: z.string(),
  instance: z.string(),
  stream: z.enum(['stdout', 'stderr']),
  text: z.string(),
})

const metricsSchema = z.object({
  service: z.string(),
  timestamp: isoTime,
  traffic: trafficSchema,
  instances: z.array(z.object({ id: z.string(), cpuPercent: z.number().nullable(), memoryBytes: z.number().nullable(), restarts: z.number() })),
  endpoints: z.array(
    z.object({ id: z.string(), active: z.number(), requests: z.number(), errors: z.number(), responseTimeMs: z.number().nullable() }),
  ),
})

export function serviceRoutes(deps: ApiDeps, streams: EventStreams, clock: Clock): readonly Route[] {
  const { operations } = deps
  return [
    route({
      method: 'GET',
      path: '/services',
      tag: 'Services',
      summary: 'All services',
      permission: 'read:status',
      query: listQuery,
      data: z.array(serviceSchema),
      handler: ({ query }) => pageOf(operations.services(), query, ({ name }) => name),
    }),
    route({
      method: 'GET',
      path: '/services/:name',
      tag: 'Services',
      summary: 'One service',
      permission: 'read:status',
      params: named,
      data: serviceSchema,
      handler: ({ params }) => operations.service(params.name),
    }),
    route({
      method: 'GET',
      path: '/services/:name/instances',
      tag: 'Services',
      summary: 'Its instances',
      permission: 'read:status',
      params: named,
      query: listQuery,
      data: z.array(instanceSchema),
      handler: ({ params, query }) => pageOf(operations.instances(params.name), query, ({ id }) => id),
    }),
    route({
      method: 'GET',
      path: '/services/:name/metrics',
      tag: 'Services',
      summary: 'Its traffic and resources in numbers',
      permission: 'read:status',
      params: named,
      data: metricsSchema,
      handler: ({ params }) => metricsOf(deps, params.name, clock),
    }),
    route({
      method: 'POST',
      path: '/services/:name/restart',
      tag: 'Services',
      summary: 'Replace its instances one by one',
      description:
        'The new one is ready before the old one goes, so no request is lost. Answers when all are replaced; 409 `restart_failed` when a new one never became ready.',
      permission: 'restart:service',
      params: named,
      data: z.object({ service: z.string(), replaced: z.array(z.object({ from: z.string(), to: z.string() })) }),
      handler: ({ params, actor }) => operations.restart(params.name, { actor }),
    }),
    logRoute(deps, streams, clock),
  ]
}

function logRoute({ operations, access }: ApiDeps, streams: EventStreams, clock: Clock): Route {
  return route({
    method: 'GET',
    path: '/services/:name/logs',
    tag: 'Services',
    summary: 'What its instances print',
    description: 'With `follow=true` as server-sent events: the last lines first, then each new one.',
    permission: 'read:logs',
    params: named,
    query: z.strictObject({
      instance: lineOfText(200).optional(),
      since: sinceParameter.optional(),
      grep: z.string().min(1).max(500).optional().describe('A plain text that the line must contain.'),
      limit: limitParameter(200, apiLimits.logLinesMax),
      follow: queryFlag('Go on with each new line.').optional(),
    }),
    data: z.array(logLineSchema),
    alsoProduces: ['text/event-stream'],
    handler: async ({ params: { name }, query: { follow, instance, since, grep, limit }, principal, request }) => {
      const moment = momentOf(since, clock.wallTime())
      const query: LogQuery = {
        limit,
        ...(instance !== undefined && { instance }),
        ...(grep !== undefined && { grep }),
        ...(moment !== undefined && { since: moment }),
      }
      operations.service(name)
      if (instance !== undefined) await refuseUnknownInstance(operations, name, instance)
      if (follow !== true) return operations.logs(name, query) satisfies Promise<readonly LogLine[]>
      const stream = streams.open(() => principal !== undefined && access.holds(principal))
      followLogs(stream, operations, name, query).catch((error: unknown) => {
        request.log.error({ err: error }, 'a log stream failed')
        stream.fail()
      })
      return new RawAnswer('text/event-stream', stream.body)
    },
  })
}

function metricsOf({ operations }: ApiDeps, name: string, clock: Clock): z.input<typeof metricsSchema> {
  const { traffic, instances, endpoints } = operations.service(name)
  return {
    service: name,
    timestamp: new Date(clock.wallTime()).toISOString(),
    traffic: { ...traffic },
    instances: instances.map(({ id, resources, restarts }) => ({
      id,
      cpuPercent: resources?.cpuPercent ?? null,
      memoryBytes: resources?.memoryBytes ?? null,
      restarts,
    })),
    endpoints: endpoints.map(({ id, traffic: { active, requests, errors, responseTimeMs } }) => ({
      id,
      active,
      requests,
      errors,
      responseTimeMs: responseTimeMs ?? null,
    })),
  }
}
