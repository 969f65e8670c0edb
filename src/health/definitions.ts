/** From what is configured to what the engine runs. */
import { measures } from '../config/core/check-keys.ts'
import { withoutPasswords } from '../config/core/words.ts'
import { canonical } from '../config/core/write.ts'
import type { CheckConfig, CheckSpec } from '../config/types.ts'
import type { Clock } from '../kernel/time.ts'
import { hostPort } from './core/addresses.ts'
import type { Heartbeats } from './heartbeats.ts'
import type { MachineView } from './machine/machine-view.ts'
import { probeOf } from './probes/index.ts'
import type { CheckDefinition } from './types.ts'

export interface DefinitionDeps {
  readonly clock: Clock
  readonly machine: MachineView
  readonly heartbeats: Heartbeats
}

export function definitionOf(config: CheckConfig, deps: DefinitionDeps): CheckDefinition {
  const { name, spec, interval, timeout, alertAfter, rise, warnAt, criticalAt, hysteresis, severity, service, dependsOn } = config
  const beats = spec.kind === 'heartbeat'
  return {
    name,
    kind: spec.kind,
    target: targetOf(spec),
    address: addressOf(spec),
    intervalMs: interval,
    timeoutMs: timeout,
    // A heartbeat has had its time already.
    alertAfter: beats ? 1 : alertAfter,
    rise: beats ? 1 : rise,
    warnAt,
    criticalAt,
    falling: measures[spec.kind]?.falling ?? false,
    hysteresis,
    severity,
    service,
    dependsOn,
    identity: canonical(config),
    probe: () => probeOf(name, spec, timeout, deps),
  }
}

function targetOf(spec: CheckSpec): string {
  switch (spec.kind) {
    case 'http':
      return withoutPasswords(spec.url)
    case 'postgres':
    case 'redis':
      return withoutPasswords(spec.url)
    case 'tcp':
    case 'tls':
      return hostPort(spec)
    case 'dns':
      return `${spec.type} ${spec.name}${spec.server ? ` @${hostPort(spec.server)}` : ''}`
    case 'command':
      return withoutPasswords(spec.command)
    case 'disk':
    case 'file':
      return spec.path
    case 'network':
      return spec.interface ?? 'all interfaces'
    case 'process':
      return spec.name ?? spec.pidFile ?? spec.pattern ?? ''
    case 'connections':
      return spec.port === undefined ? 'all ports' : `port ${spec.port}`
    case 'heartbeat':
      return `every ${spec.every / 1_000} s`
    case 'memory':
    case 'cpu':
    case 'load':
      return 'this machine'
  }
}

const usualPorts: Readonly<Record<string, string>> = {
  'http:': '80',
  'https:': '443',
  'postgres:': '5432',
  'postgresql:': '5432',
  'redis:': '6379',
  'rediss:': '6379',
}

/** Of those that go over the network: whom they ask. */
function addressOf(spec: CheckSpec): string | undefined {
  switch (spec.kind) {
    case 'tcp':
    case 'tls':
      return hostPort(spec)
    case 'dns':
      return spec.server ? hostPort(spec.server) : `dns:${spec.name}`
    case 'http':
    case 'postgres':
    case 'redis': {
      const url = URL.canParse(spec.url) ? new URL(spec.url) : undefined
      return url ? `${url.hostname}:${url.port === '' ? (usualPorts[url.protocol] ?? '') : url.port}` : undefined
    }
    default:
      return undefined
  }
}
