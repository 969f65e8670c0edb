/** The load balancer in the brief's words: a server is what everywhere else is called an endpoint. */
import { isIPv6 } from 'node:net'
import { z } from 'zod'
import type { Operations, Overview } from '../../app/operations.ts'
import type { ServiceTelemetry } from '../../balancer/port.ts'
import { HoldfastError } from '../../kernel/errors.ts'
import type { EndpointStatus } from '../../registry/types.ts'
import type { ApiDeps } from '../deps.ts'
import { route, type Route } from '../route.ts'
import { endpointId, lineOfText, serviceName } from '../schemas/common.ts'

const serverSchema = z
  .object({
    id: z.string(),
    host: z.string(),
    port: z.number(),
    weight: z.number(),
    version: z.string().nullable().describe('The label of what runs there; null: it has none.'),
    status: z.enum(['active', 'maintenance', 'draining']),
    health: z.enum(['healthy', 'unhealthy', 'pending']),
    connections: z.number().describe('Requests in flight.'),
    responseTime: z.number().nullable().describe('Mean time to the first byte over the last seconds, in milliseconds; null before the first answer.'),
    service: z.string(),
    instance: z.string().nullable(),
    requests: z.number(),
    errors: z.number(),
    reason: z.string().nullable().describe('Why it is unhealthy.'),
  })
  .meta({ id: 'Server' })

export const loadBalancerSchema = z
  .object({
    totalRequests: z.number(),
    totalConnections: z.number().describe('Accepted since the proxy started.'),
    activeConnections: z.number(),
    averageResponseTime: z.number().describe('Milliseconds, from the request head to the end of the answer, over all requests; 0 without any.'),
    errorRate: z.number().describe('Share of all requests answered 5xx, 0 to 1.'),
    algorithm: z.string().describe('That of the first service; each has its own in `algorithms`.'),
    algorithms: z.record(z.string(), z.string()),
    servers: z.array(serverSchema),
  })
  .meta({ id: 'LoadBalancer' })

export type LoadBalancerStats = z.input<typeof loadBalancerSchema>

function asServer(endpoint: EndpointStatus): z.input<typeof serverSchema> {
  const { id, host, port, weight, version = null, state, health, service, traffic } = endpoint
  return {
    id,
    host,
    port,
    weight,
    version,
    status: state,
    health,
    connections: traffic.active,
    responseTime: traffic.responseTimeMs ?? null,
    service,
    instance: endpoint.instance ?? null,
    requests: traffic.requests,
    errors: traffic.errors,
    reason: endpoint.reason ?? null,
  }
}

export function loadBalancerStats(operations: Operations, { proxy }: Overview): LoadBalancerStats {
  const services: readonly ServiceTelemetry[] = Object.values(proxy?.services ?? {})
  const total = (count: (service: ServiceTelemetry) => number): number => services.reduce((sum, service) => sum + count(service), 0)
  const finished = total(({ duration }) => duration.count)
  const requests = total((service) => service.requests)
  const algorithms = Object.fromEntries(Object.values(operations.config().services).map(({ name, balance }) => [name, balance.algorithm]))
  return {
    totalRequests: requests,
    totalConnections: proxy?.connections.accepted ?? 0,
    activeConnections: proxy?.connections.active ?? 0,
    averageResponseTime: finished === 0 ? 0 : Math.round(total(({ duration }) => duration.sum) / finished) / 1_000,
    errorRate: requests === 0 ? 0 : total(({ responses }) => responses['5xx'] ?? 0) / requests,
    algorithm: Object.values(algorithms)[0] ?? 'none',
    algorithms,
    servers: operations.endpoints().map(asServer),
  }
}

const hostName = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/
const withoutBrackets = (host: string): string => host.replace(/^\[(.*)\]$/, '$1')
const hostSchema = lineOfText(253)
  .refine((host) => hostName.test(host) || isIPv6(withoutBrackets(host)), 'must be a host name or an IP address, without a scheme, a port or a path')
  .transform(withoutBrackets)

export function loadBalancerRoutes({ operations }: ApiDeps): readonly Route[] {
  const serverParams = z.object({ serverId: endpointId.describe('`id` of a server in the statistics.') })
  const serverOf = (id: string): z.input<typeof serverSchema> => {
    const endpoint = operations.endpoints().find((one) => one.id === id)
    if (!endpoint)
      throw new HoldfastError('unknown_endpoint', `there is no server ${JSON.stringify(id)}`, { hint: 'look for its id in GET /loadbalancer/stats' })
    return asServer(endpoint)
  }
  return [
    route({
      method: 'GET',
      path: '/loadbalancer/stats',
      tag: 'Load balancer',
      summary: 'Traffic in numbers, and all servers',
      permission: 'read:status',
      data: loadBalancerSchema,
      handler: () => loadBalancerStats(operations, operations.overview()),
    }),
    route({
      method: 'POST',
      path: '/loadbalancer/servers',
      tag: 'Load balancer',
      summary: 'Add a server',
      permission: 'change:servers',
      status: 201,
      body: z.strictObject({
        host: hostSchema,
        port: z.number().int().min(1).max(65_535),
        weight: z.number().min(0.001).max(1_000).optional().describe('Default 1.'),
        version: lineOfText(64)
          .optional()
          .describe('Label of what runs there, for a split. Default: that of the service.')
          .meta({ examples: ['v2'] }),
        service: serviceName.optional().describe('Default: the only service with given endpoints, else the first service.'),
      }),
      data: serverSchema,
      handler: async ({ body: { host, port, weight, service, version }, actor }) => {
        const server = {
          host,
          port,
          ...(weight !== undefined && { weight }),
          ...(service !== undefined && { service }),
          ...(version !== undefined && { version }),
        }
        return asServer(await operations.addServer(server, { actor }))
      },
    }),
    route({
      method: 'DELETE',
      path: '/loadbalancer/servers/:serverId',
      tag: 'Load balancer',
      summary: 'Remove a server',
      permission: 'change:servers',
      params: serverParams,
      data: z.object({ id: z.string(), removed: z.literal(true) }),
      handler: async ({ params, actor }) => {
        await operations.removeServer(params.serverId, { actor })
        return { id: params.serverId, removed: true } as const
      },
    }),
    route({
      method: 'PUT',
      path: '/loadbalancer/servers/:serverId/maintenance',
      tag: 'Load balancer',
      summary: 'Switch maintenance of a server on or off',
      permission: 'maintain:service',
      params: serverParams,
      body: z.strictObject({ maintenance: z.boolean() }),
      data: serverSchema,
      handler: async ({ params, body, actor }) => {
        await operations.setMaintenance({ endpoint: params.serverId }, body.maintenance, { actor })
        return serverOf(params.serverId)
      },
    }),
  ]
}
