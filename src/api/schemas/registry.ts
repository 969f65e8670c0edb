/** The nouns of the registry as JSON. A field that is not known is left out. The types of `src/registry/types.ts` must fit these; the compiler checks it where they are sent. */
import { z } from 'zod'
import { instancePhases } from '../../registry/types.ts'

const moment = z.number().describe('Milliseconds since 1970.')
const milliseconds = z.number().optional().describe('Milliseconds; absent before the first answer.')

export const breakerStateSchema = z.enum(['closed', 'open', 'halfOpen', 'forcedOpen', 'disabled', 'hydrating'])

const weightReasonSchema = z.object({
  factor: z
    .string()
    .describe('configured, asked, eventLoop, heap, probes, errors, latency, restarts, slowStart, ejection, breaker, connect or state.'),
  value: z.number().describe('0 to 1; 0: it gets nothing.'),
  why: z.string(),
})

const endpointRoleSchema = z.enum(['primary', 'replica', 'lagging', 'stale', 'unknown'])

export const endpointSchema = z
  .object({
    id: z.string(),
    service: z.string(),
    host: z.string(),
    port: z.number(),
    version: z.string().optional().describe('The label of what runs there; absent: it has none.'),
    weight: z.number().describe('As configured, or given by hand.'),
    effectiveWeight: z.number().optional().describe('How much of the traffic it should get beside the others now: 0 to 100.'),
    weightReasons: z.array(weightReasonSchema).optional().describe('Why that is not 100: the factors multiply.'),
    state: z.enum(['active', 'draining', 'maintenance']),
    health: z.enum(['healthy', 'unhealthy', 'pending']),
    reason: z.string().optional().describe('Why it is unhealthy.'),
    ejected: z.string().optional().describe('Why it is out as an outlier; absent when it is not.'),
    breaker: breakerStateSchema.optional().describe('How its circuit breaker stands; absent when the service has none.'),
    role: endpointRoleSchema.optional().describe('Whether a database is written to or read from; absent when its service has no roles.'),
    lagMs: z.number().optional().describe('How far a replica is behind; absent when that is not known.'),
    instance: z.string().optional(),
    reported: z
      .object({
        lagMs: z.number().describe('How long its event loop kept others waiting in the last half second: 99th percentile.'),
        utilization: z.number().describe('Share of the time in which its event loop was busy, 0 to 1.'),
        heapUsedBytes: z.number(),
        heapLimitBytes: z.number(),
        ready: z.boolean(),
      })
      .optional()
      .describe('What the instance told of itself last; absent when it does not load the reporter.'),
    traffic: z.object({
      active: z.number(),
      requests: z.number().describe('Of a TCP service: connections.'),
      errors: z.number(),
      responseTimeMs: milliseconds,
      receivedBytes: z.number().optional().describe('From clients; TCP services only.'),
      sentBytes: z.number().optional().describe('To clients; TCP services only.'),
    }),
  })
  .meta({ id: 'Endpoint' })

const exitSchema = z.object({
  at: moment,
  code: z.number().optional(),
  signal: z.string().optional(),
  class: z.enum(['ordered', 'completed', 'config', 'oom', 'killed', 'crash', 'startFailed', 'unknown']),
  uptime: z.number().describe('Milliseconds.'),
  reason: z.string(),
  stderrTail: z.array(z.string()),
})

export const instanceSchema = z
  .object({
    id: z.string(),
    service: z.string(),
    revision: z.number(),
    version: z.string().optional(),
    phase: z.enum(instancePhases),
    pid: z.number().optional(),
    host: z.string(),
    port: z.number(),
    startedAt: moment.optional(),
    readyAt: moment.optional(),
    restarts: z.number(),
    reason: z.string().optional(),
    nextStartAt: moment.optional(),
    lastExit: exitSchema.optional(),
    resources: z.object({ cpuPercent: z.number(), memoryBytes: z.number() }).optional(),
  })
  .meta({ id: 'Instance' })

export const trafficSchema = z
  .object({
    requests: z.number(),
    active: z.number(),
    errors: z.number(),
    retried: z.number(),
    parked: z.number(),
    parkedTotal: z.number(),
    shed: z.number(),
    limited: z.number().describe('Refused by the rate limit.'),
    queued: z.number().describe('Waiting because all endpoints are at their limits.'),
    queuedTotal: z.number(),
    fallbacks: z.number().describe('Answered by the fallback.'),
    tunnels: z.number(),
    requestRate: z.number().describe('Per second, over the last 10 seconds.'),
    errorRate: z.number().describe('Share, 0 to 1, over the last 10 seconds.'),
    p50Ms: milliseconds,
    p95Ms: milliseconds,
    p99Ms: milliseconds,
  })
  .meta({ id: 'Traffic' })

export const serviceSchema = z
  .object({
    name: z.string(),
    kind: z.enum(['process', 'static']),
    version: z.string().optional(),
    revision: z.number(),
    health: z.enum(['healthy', 'degraded', 'unhealthy', 'starting', 'maintenance']),
    reason: z.string().optional(),
    desired: z.number(),
    ready: z.number(),
    maintenance: z.boolean(),
    routes: z.array(z.string()),
    dependsOn: z.array(z.string()),
    instances: z.array(instanceSchema),
    endpoints: z.array(endpointSchema),
    traffic: trafficSchema,
  })
  .meta({ id: 'Service' })

const responsesSchema = z.record(z.string(), z.number()).describe('By class: `1xx` to `5xx`, and `aborted`.')
const histogramSchema = z.object({ count: z.number(), sum: z.number(), buckets: z.array(z.array(z.number())) })

export const proxySchema = z
  .object({
    at: moment,
    pid: z.number(),
    startedAt: moment,
    viewVersion: z.number(),
    workers: z.array(z.object({ pid: z.number(), connections: z.number(), memoryBytes: z.number() })),
    connections: z.object({ active: z.number(), accepted: z.number() }),
    refused: z.record(z.string(), z.number()),
    observed: z
      .object({ accessLines: z.number(), accessDropped: z.number(), spans: z.number(), spansDropped: z.number() })
      .describe('Lines of the access log and spans: written, and lost.'),
    quarantined: z
      .array(z.object({ id: z.string() }))
      .optional()
      .describe('Requests that instances die of; more of them at `/quarantine`.'),
    limitsStore: z
      .object({ up: z.boolean(), reason: z.string().optional() })
      .optional()
      .describe('The Redis of shared limits; absent: no limit is shared. While it is away each machine goes by its part.'),
    services: z.record(
      z.string(),
      z.object({
        requests: z.number(),
        responses: responsesSchema,
        active: z.number(),
        retried: z.number(),
        parked: z.number(),
        parkedTotal: z.number(),
        shed: z.number(),
        limited: z.number(),
        queued: z.number(),
        queuedTotal: z.number(),
        fallbacks: z.record(z.string(), z.number()).describe('By reason.'),
        hedges: z.record(z.string(), z.number()).describe('Second attempts beside a first one, by who won: `hedge`, `first` or `none`.'),
        mirror: z
          .object({ counts: z.record(z.string(), z.number()) })
          .optional()
          .describe('Copies of its requests, by what came of them.'),
        tunnels: z.number(),
        lateSends: z.number().describe('Endpoints to which something was sent later than 1 ms after the exit of their process.'),
        requestBytes: z.number(),
        responseBytes: z.number(),
        duration: histogramSchema.describe('Microseconds; log-linear buckets, [index, count].'),
        routes: z
          .record(z.string(), z.object({ responses: responsesSchema, duration: histogramSchema }))
          .describe('By label, `shop.example.com/api`: those by which anything came.'),
      }),
    ),
    endpoints: z
      .record(
        z.string(),
        z.object({
          service: z.string(),
          address: z.string(),
          active: z.number(),
          requests: z.number(),
          errors: z.number(),
          refused: z.number().describe('Connections that were refused, or did not come about in time.'),
          responses: responsesSchema,
          firstByte: histogramSchema.describe('Microseconds from the request to the head of its answer.'),
          ewmaMs: z.number().optional(),
          health: z.enum(['healthy', 'unhealthy', 'pending']),
          reason: z.string().optional(),
          ejected: z.string().optional(),
          breaker: breakerStateSchema.optional(),
          limit: z.number().optional().describe('Requests that it may have at a time.'),
          weight: z.number(),
          reasons: z.array(weightReasonSchema),
          role: z.object({ role: endpointRoleSchema, lagMs: z.number().optional(), reason: z.string().optional() }).optional(),
          tcp: z
            .object({ received: z.number(), sent: z.number(), cut: z.number() })
            .optional()
            .describe('Bytes from and to clients, and connections that we ended.'),
        }),
      )
      .describe('By the id of the instance, or `service/host:port`.'),
  })
  .meta({ id: 'Proxy' })

export const overviewSchema = z
  .object({
    status: z.enum(['healthy', 'degraded', 'unhealthy']),
    name: z.string(),
    region: z.string(),
    version: z.string(),
    pid: z.number(),
    uptime: z.number().describe('Seconds.'),
    services: z.array(serviceSchema),
    proxy: proxySchema.optional(),
    proxyConnected: z.boolean(),
    listeners: z.array(z.object({ name: z.string(), url: z.string() })),
    certificates: z
      .array(z.object({ listener: z.string(), file: z.string(), hosts: z.array(z.string()), expiresAt: moment }))
      .optional()
      .describe('Those that expire within three weeks, or have; absent: none does.'),
  })
  .meta({ id: 'Overview' })
