/** What the contract names and is not built yet: known by name, answered 501 `not_available_yet`, and absent from the OpenAPI document. A row leaves this table when its part arrives. */
import { z } from 'zod'
import type { Permission } from '../../access/index.ts'
import { HoldfastError } from '../../kernel/errors.ts'
import { route, type Method, type Route } from '../route.ts'

interface Missing {
  readonly methods: readonly Method[]
  readonly path: string
  readonly part: string
  readonly atRoot?: true
  /** @default `read:status` to read, `act:service` to act */
  readonly permission?: Permission | 'open'
}

const list: readonly Missing[] = [
  { methods: ['PUT', 'DELETE'], path: '/services/:name', part: 'changing services by the API (use PUT /config)', permission: 'manage:config' },
  { methods: ['POST'], path: '/discovery/register', part: 'discovery' },
  { methods: ['PUT'], path: '/discovery/:id/heartbeat', part: 'discovery' },
  { methods: ['DELETE'], path: '/discovery/:id', part: 'discovery' },
  { methods: ['GET'], path: '/discovery/:service', part: 'discovery' },
  { methods: ['GET', 'PUT'], path: '/scaling/services/:name', part: 'automatic scaling' },
  { methods: ['GET', 'POST'], path: '/rollouts', part: 'rollouts' },
  { methods: ['GET'], path: '/rollouts/:id', part: 'rollouts' },
  { methods: ['POST'], path: '/rollouts/:id/promote', part: 'rollouts' },
  { methods: ['POST'], path: '/rollouts/:id/pause', part: 'rollouts' },
  { methods: ['POST'], path: '/rollouts/:id/resume', part: 'rollouts' },
  { methods: ['POST'], path: '/rollouts/:id/abort', part: 'rollouts' },
  { methods: ['GET', 'POST'], path: '/backups', part: 'backups' },
  { methods: ['GET'], path: '/backups/:id', part: 'backups' },
  { methods: ['POST'], path: '/backups/:id/verify', part: 'backups' },
  { methods: ['POST'], path: '/backups/:id/restore', part: 'backups', permission: 'manage:recovery' },
  { methods: ['GET'], path: '/recovery/objectives', part: 'recovery' },
  { methods: ['GET', 'POST'], path: '/recovery/plans', part: 'recovery', permission: 'manage:recovery' },
  { methods: ['GET', 'POST'], path: '/recovery/drills', part: 'recovery', permission: 'manage:recovery' },
  { methods: ['GET'], path: '/recovery/failovers', part: 'recovery' },
  { methods: ['POST'], path: '/recovery/failover', part: 'recovery', permission: 'manage:recovery' },
  { methods: ['POST'], path: '/recovery/switchover', part: 'recovery', permission: 'manage:recovery' },
  { methods: ['GET'], path: '/regions', part: 'regions' },
  { methods: ['GET'], path: '/nodes', part: 'clusters of several nodes' },
  { methods: ['GET'], path: '/audit', part: 'the audit log', permission: 'manage:recovery' },
  { methods: ['GET'], path: '/audit/verify', part: 'the audit log', permission: 'manage:recovery' },
]

export function notAvailableRoutes(): readonly Route[] {
  return list.flatMap(({ methods, path, part, atRoot, permission }) =>
    methods.map((method) =>
      route({
        method,
        path,
        ...(atRoot && { atRoot }),
        tag: 'Not available yet',
        summary: part,
        permission: permission ?? (method === 'GET' ? 'read:status' : 'act:service'),
        audited: false,
        hidden: true,
        data: z.never(),
        handler: () => {
          throw new HoldfastError('not_available_yet', `${method} ${path} is not available yet: it comes with ${part}`, { details: { part } })
        },
      }),
    ),
  )
}
