/** Services and limits for tests of the decisions. */
import type { ServiceConfig } from '../../config/types.ts'
import { ms, seconds } from '../../kernel/time.ts'
import { defaultFleetLimits, type FleetLimits } from '../core/fleet-state.ts'

export const fleetLimits = (overrides: Partial<FleetLimits> = {}): FleetLimits => ({ ...defaultFleetLimits(2), ...overrides })

export interface ServiceOptions {
  readonly port?: 'auto' | number
  readonly command?: string
  readonly dependsOn?: readonly string[]
  readonly instances?: number
  readonly restart?: ServiceConfig['restart']
}

/** 10 s to start, 10 s to stop. */
export function serviceConfig(name: string, options: ServiceOptions = {}): ServiceConfig {
  const { port = 'auto', command = 'serve', dependsOn = [], instances = 1, restart } = options
  return {
    name,
    source: { kind: 'process', command, cwd: '/', env: {}, port },
    version: undefined,
    instances: { min: instances, max: instances },
    dependsOn,
    start: { timeout: seconds(10) },
    stop: { signal: 'SIGTERM', timeout: seconds(10) },
    restart: restart ?? { policy: 'always', backoff: { initial: seconds(1), max: seconds(60) } },
    health: undefined,
    routes: [],
    balance: { algorithm: 'round-robin', hashHeader: undefined, slowStart: ms(0), weights: 'fused' },
    resilience: { timeout: seconds(30), connectTimeout: seconds(2), retries: { attempts: 0, budget: 0 }, parking: undefined },
  }
}
