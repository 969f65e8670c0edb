/**
 * Everything at a glance: in one answer for the brief's dashboard, and as the overview that `holdfast status` shows.
 * Parts that are not built yet are named in `notAvailable`: `alerts` is empty because nothing raises any.
 */
import { z } from 'zod'
import type { Clock } from '../../kernel/time.ts'
import type { ApiDeps } from '../deps.ts'
import type { MachineReader } from '../machine-reader.ts'
import { route, type Route } from '../route.ts'
import { cacheStatsSchema } from '../schemas/cache.ts'
import { overviewSchema } from '../schemas/registry.ts'
import { cacheStats } from './cache.ts'
import { healthOf, healthSchema } from './health.ts'
import { loadBalancerSchema, loadBalancerStats } from './loadbalancer.ts'
import { scalingListSchema } from './scaling.ts'

const scalingShown = 50

const dashboardSchema = z
  .object({
    health: healthSchema,
    cluster: z.object({
      name: z.string(),
      region: z.string(),
      controlProcess: z.object({ pid: z.number(), version: z.string(), uptime: z.number().describe('Seconds.') }),
      proxyConnected: z.boolean(),
      workerCount: z.number(),
      workers: z.array(z.object({ pid: z.number(), connections: z.number(), memoryBytes: z.number() })),
    }),
    loadBalancer: loadBalancerSchema,
    cache: cacheStatsSchema,
    scaling: scalingListSchema,
    alerts: z.array(z.never()).describe('Empty: nothing raises alerts yet.'),
    notAvailable: z.array(z.enum(['alerts'])),
  })
  .meta({ id: 'Dashboard' })

export function dashboardRoutes({ operations }: ApiDeps, machine: MachineReader, clock: Clock): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/dashboard',
      tag: 'Overview',
      summary: 'Health, cluster, load balancer, cache and scaling in one answer',
      permission: 'read:status',
      data: dashboardSchema,
      handler: () => {
        const overview = operations.overview()
        const { name, region, pid, version, uptime, proxyConnected, proxy } = overview
        const workers = proxy?.workers ?? []
        return {
          health: healthOf(overview, machine, clock),
          cluster: { name, region, controlProcess: { pid, version, uptime }, proxyConnected, workerCount: workers.length, workers },
          loadBalancer: loadBalancerStats(operations, overview),
          cache: cacheStats(operations.cache.report()),
          scaling: operations.scalingEvents(scalingShown),
          alerts: [],
          notAvailable: ['alerts'],
        } as const
      },
    }),
    route({
      method: 'GET',
      path: '/overview',
      tag: 'Overview',
      summary: 'All services with their instances, endpoints and traffic',
      permission: 'read:status',
      data: overviewSchema,
      handler: () => operations.overview(),
    }),
  ]
}
