/**
 * Everything at a glance: in one answer for the brief's dashboard, and as the overview that `holdfast status` shows.
 */
import { z } from 'zod'
import type { Clock } from '../../kernel/time.ts'
import type { ApiDeps } from '../deps.ts'
import type { MachineReader } from '../machine-reader.ts'
import { route, type Route } from '../route.ts'
import { alertSchema, asAlert } from '../schemas/alerts.ts'
import { cacheStatsSchema } from '../schemas/cache.ts'
import { overviewSchema } from '../schemas/registry.ts'
import { byGravity } from './alerts.ts'
import { cacheStats } from './cache.ts'
import { healthOf, healthSchema } from './health.ts'
import { loadBalancerSchema, loadBalancerStats } from './loadbalancer.ts'
import { scalingListSchema } from './scaling.ts'

const scalingShown = 50
const alertsShown = 100

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
    alerts: z.array(alertSchema).describe('The gravest 100 that fire.'),
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
          alerts: operations.alerting.alerts().toSorted(byGravity).slice(0, alertsShown).map(asAlert),
        }
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
