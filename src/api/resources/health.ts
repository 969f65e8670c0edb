/** Is it alive, is it ready: what probes, load balancers and the brief's clients ask, without a credential. */
import { z } from 'zod'
import { HoldfastError, messageOf } from '../../kernel/errors.ts'
import type { Clock } from '../../kernel/time.ts'
import type { Overview } from '../../app/operations.ts'
import type { ServiceStatus } from '../../registry/types.ts'
import type { ApiDeps } from '../deps.ts'
import type { MachineReader } from '../machine-reader.ts'
import { route, type Route } from '../route.ts'
import { isoTime } from '../schemas/common.ts'

export const healthSchema = z
  .object({
    status: z.enum(['healthy', 'degraded', 'unhealthy']),
    timestamp: isoTime,
    services: z.array(
      z.object({
        service: z.string(),
        status: z.enum(['healthy', 'degraded', 'unhealthy', 'starting', 'maintenance']),
        responseTime: z.number().nullable().describe('Median over the last 10 seconds, in milliseconds; null without requests.'),
        details: z.object({
          uptime: z.number().describe('Seconds since its oldest running instance became ready; 0 when none is.'),
          cpuUsage: z.number().nullable().describe('Percent of one core, mean of its instances; null when there is no reading.'),
          memoryUsage: z.number().nullable().describe("Percent of the machine's memory, all its instances together; null when there is no reading."),
          ready: z.number(),
          desired: z.number(),
          reason: z.string().nullable(),
        }),
      }),
    ),
    system: z.object({
      cpu: z.object({ usage: z.number().describe('Percent of all cores.'), cores: z.number() }),
      memory: z.object({ total: z.number(), used: z.number() }),
    }),
    uptime: z.number().describe('Seconds since the control process started.'),
  })
  .meta({ id: 'Health' })

export type Health = z.input<typeof healthSchema>

export function healthOf(overview: Overview, machine: MachineReader, clock: Clock): Health {
  const now = clock.wallTime()
  const { cpu, memory } = machine.read()
  return {
    status: overview.status,
    timestamp: new Date(now).toISOString(),
    services: overview.services.map((service) => serviceHealth(service, now, memory.total)),
    system: { cpu, memory },
    uptime: overview.uptime,
  }
}

function serviceHealth(service: ServiceStatus, now: number, memoryTotal: number): Health['services'][number] {
  const readySince = service.instances.filter(({ phase }) => phase === 'ready').map(({ readyAt }) => readyAt ?? now)
  const readings = service.instances.flatMap(({ resources }) => (resources ? [resources] : []))
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
  const known = readings.length > 0
  return {
    service: service.name,
    status: service.health,
    responseTime: service.traffic.p50Ms ?? null,
    details: {
      uptime: readySince.length === 0 ? 0 : Math.max(0, Math.floor((now - Math.min(...readySince)) / 1_000)),
      cpuUsage: known ? tenths(sum(readings.map(({ cpuPercent }) => cpuPercent)) / readings.length) : null,
      memoryUsage: known ? tenths((100 * sum(readings.map(({ memoryBytes }) => memoryBytes))) / memoryTotal) : null,
      ready: service.ready,
      desired: service.desired,
      reason: service.reason ?? null,
    },
  }
}

const tenths = (value: number): number => Math.round(value * 10) / 10

/** Why traffic should not be sent here; empty when it may. */
async function reasonsNotReady({ operations }: Pick<ApiDeps, 'operations'>): Promise<readonly string[]> {
  const store = await operations.checkStore().then(
    () => [],
    (error: unknown) => [`the store cannot be read: ${messageOf(error)}`],
  )
  const { proxyConnected, services } = operations.overview()
  const proxy = proxyConnected ? [] : ['the proxy is not connected']
  const waiting = services
    // One that is scaled to 0 has all that is wanted of it.
    .filter(({ kind, ready, desired }) => ready === 0 && (kind !== 'process' || desired > 0))
    .map(({ name, reason }) => `${name}: nothing of it is ready${reason === undefined ? '' : ` (${reason})`}`)
  return [...store, ...proxy, ...waiting]
}

export function healthRoutes(deps: ApiDeps, machine: MachineReader, clock: Clock): readonly Route[] {
  const health = {
    method: 'GET',
    tag: 'Health',
    summary: 'How everything is',
    description: 'Answers 200 as long as the control process lives, whatever `status` says: for liveness probes.',
    permission: 'open',
    unlimited: true,
    data: healthSchema,
    handler: () => healthOf(deps.operations.overview(), machine, clock),
  } as const
  const ready = {
    method: 'GET',
    tag: 'Health',
    summary: 'Whether traffic can be served',
    description:
      '200 when the store and the proxy are connected and every service that wants instances has one ready; else 503 with `details.reasons`.',
    permission: 'open',
    unlimited: true,
    data: z.object({ ready: z.literal(true) }),
    handler: async () => {
      const reasons = await reasonsNotReady(deps)
      if (reasons.length > 0) throw new HoldfastError('not_ready', `not ready: ${reasons.join('; ')}`, { details: { reasons } })
      return { ready: true } as const
    },
  } as const
  return [
    route({ ...health, path: '/health' }),
    route({ ...health, path: '/health', atRoot: true }),
    route({ ...ready, path: '/ready' }),
    route({ ...ready, path: '/ready', atRoot: true }),
  ]
}
