/** A probe for each kind of check. */
import { unreachable } from '../../kernel/errors.ts'
import type { CheckSpec } from '../../config/types.ts'
import type { DefinitionDeps } from '../definitions.ts'
import type { Probe } from '../types.ts'
import { commandProbe } from './command.ts'
import { dnsProbe } from './dns.ts'
import { fileProbe } from './file.ts'
import { heartbeatProbe } from './heartbeat.ts'
import { httpProbe } from './http.ts'
import { connectionsProbe, cpuProbe, diskProbe, loadProbe, memoryProbe } from './machine.ts'
import { networkProbe } from './network.ts'
import { postgresProbe } from './postgres.ts'
import { processProbe } from './process.ts'
import { redisProbe } from './redis.ts'
import { tcpProbe } from './tcp.ts'
import { tlsProbe } from './tls.ts'

export function probeOf(name: string, spec: CheckSpec, timeoutMs: number, { clock, machine, heartbeats }: DefinitionDeps): Probe {
  switch (spec.kind) {
    case 'http':
      return httpProbe(spec, () => clock.wallTime())
    case 'tcp':
      return tcpProbe(spec)
    case 'tls':
      return tlsProbe(spec, () => clock.wallTime())
    case 'dns':
      return dnsProbe(spec)
    case 'postgres':
      return postgresProbe(spec, timeoutMs)
    case 'redis':
      return redisProbe(spec, timeoutMs)
    case 'command':
      return commandProbe(spec)
    case 'disk':
      return diskProbe(spec.path)
    case 'memory':
      return memoryProbe(machine)
    case 'cpu':
      return cpuProbe(machine)
    case 'load':
      return loadProbe(machine)
    case 'network':
      return networkProbe(spec.interface, machine)
    case 'process':
      return processProbe(spec, machine)
    case 'connections':
      return connectionsProbe(spec.port, machine)
    case 'heartbeat':
      return heartbeatProbe(name, spec, heartbeats, clock)
    case 'file':
      return fileProbe(spec.path, () => clock.wallTime())
    default:
      return unreachable(spec)
  }
}
