/** From the configuration to what the dispatcher goes by. */
import type { AlertingConfig } from '../config/types.ts'
import type { Integration, Policy } from './core/dispatcher.ts'
import { routeTree } from './core/routes.ts'

const ways = ['webhook', 'slack', 'smtp', 'pagerduty'] as const

/** An Alertmanager is no integration: it groups by itself, and hears of every alert (`relay.ts`). */
export function policyOf({ receivers, root, inhibit, timeIntervals, resolveTimeout }: AlertingConfig): Policy {
  const integrations = Object.entries(receivers).map(([name, receiver]): [string, readonly Integration[]] => [
    name,
    ways.filter((way) => receiver[way] !== undefined).map((id) => ({ id, sendResolved: receiver.sendResolved })),
  ])
  return { root: routeTree(root), inhibit, intervals: timeIntervals, receivers: Object.fromEntries(integrations), resolveTimeoutMs: resolveTimeout }
}
