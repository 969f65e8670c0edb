/** Services as they begin: a wanted one, and one that is known only by what still runs of it. */
import type { ServiceConfig } from '../../config/types.ts'
import { ms, seconds, type Instant } from '../../kernel/time.ts'
import type { Service } from './fleet-state.ts'

export function newService(config: ServiceConfig, waitingSince: Instant | undefined): Service {
  return {
    name: config.name,
    config,
    desired: 0,
    revision: 0,
    stable: undefined,
    slots: new Map(),
    retiring: new Set(),
    released: false,
    waitingSince,
    failedRollout: undefined,
    restart: undefined,
    leaving: false,
    bootTime: undefined,
  }
}

/** How a service that is in no configuration any more is stopped. */
export function orphanConfig(name: string, stop: ServiceConfig['stop'] | undefined): ServiceConfig {
  return {
    name,
    source: { kind: 'process', command: '', cwd: '/', env: {}, port: 'auto' },
    version: undefined,
    instances: { min: 0, max: 0 },
    dependsOn: [],
    start: { timeout: seconds(30) },
    stop: stop ?? { signal: 'SIGTERM', timeout: seconds(30) },
    restart: { policy: 'never', backoff: { initial: seconds(1), max: seconds(60) } },
    health: undefined,
    routes: [],
    balance: { algorithm: 'round-robin', hashHeader: undefined, slowStart: ms(0), weights: 'fused' },
    resilience: { timeout: seconds(30), connectTimeout: seconds(2), retries: { attempts: 0, budget: 0 }, parking: undefined },
  }
}
