/** Sessions, shares and the mirror of a service as the workers get them: what was set by hand goes before the configuration. */
import type { ServiceView } from '../balancer/index.ts'
import type { ServiceConfig } from '../config/types.ts'
import type { Switches } from './routing.ts'

export const mirrorView = ({ mirror }: ServiceConfig): ServiceView['mirror'] =>
  mirror && {
    service: mirror.service,
    share: mirror.share,
    methods: mirror.methods,
    compare: mirror.compare,
    maxBodyBytes: mirror.maxBody,
  }

export function sessionView({ name, balance: { sticky }, split, splitBy }: ServiceConfig, switches: Switches): Pick<ServiceView, 'sticky' | 'split'> {
  const shares = switches.splits?.[name] ?? split
  return {
    sticky: sticky && {
      cookie: sticky.cookie,
      ttlSeconds: sticky.ttl === undefined ? undefined : Math.ceil(sticky.ttl / 1_000),
      drain: sticky.drain,
    },
    split: shares && { shares, by: splitBy === undefined || splitBy.by === 'client-ip' ? undefined : splitBy },
  }
}
