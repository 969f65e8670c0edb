/** What the graph is made of, read off the configuration and what runs: whose an address is, what a service's environment says, and how every node does. */
import { hostname, networkInterfaces } from 'node:os'
import { AddressBook, type AddressFacts } from '../dependencies/core/addresses.ts'
import type { CheckFacts, ServiceFacts } from '../dependencies/core/building.ts'
import { addressOfUrl } from '../dependencies/core/environment.ts'
import type { NodeReading, NodeState } from '../dependencies/core/states.ts'
import type { Config, ServiceConfig } from '../config/index.ts'
import type { CheckSpec } from '../config/types.ts'
import type { ServiceStatus } from '../registry/types.ts'
import type { CheckStatus, HealthOperations } from './health-operations.ts'

export function serviceFacts(config: Config): readonly ServiceFacts[] {
  return Object.values(config.services).map(({ name, dependsOn, source }) => ({
    name,
    dependsOn,
    env: source.kind === 'process' ? source.env : {},
    needs: config.health?.dependencies?.[name],
  }))
}

/** Services first: of a service and a check of the same address the service is meant. */
export function addressBook(
  config: Config,
  services: readonly ServiceStatus[],
  checks: AddressFacts['nodes'],
  isLocal: (host: string) => boolean,
): AddressBook {
  return new AddressBook({ nodes: [...runningAt(services), ...configuredAt(config), ...checks], listeners: listenersOf(config), isLocal })
}

const runningAt = (services: readonly ServiceStatus[]): AddressFacts['nodes'] =>
  services.flatMap(({ name, instances, endpoints }) => [...instances, ...endpoints].map(({ host, port }) => ({ host, port, name })))

/** Ports that are known before anything runs, and listeners whose connections go to one service. */
function configuredAt(config: Config): AddressFacts['nodes'] {
  return Object.values(config.services).flatMap(({ name, source, tcp }) => [
    ...(source.kind === 'process' && source.port !== 'auto' ? [{ host: 'localhost', port: source.port, name }] : []),
    ...[tcp?.listener, tcp?.replicas].flatMap((listener) => {
      const port = listener === undefined ? undefined : config.listeners[listener]?.port
      return port === undefined ? [] : [{ host: 'localhost', port, name }]
    }),
  ])
}

function listenersOf({ listeners, services }: Config): AddressFacts['listeners'] {
  return Object.entries(listeners).flatMap(([listener, { port, protocol }]) => {
    if (protocol === 'tcp') return []
    const routes = Object.values(services).flatMap((service) => routesOf(service, listener))
    return [{ port, routes }]
  })
}

const routesOf = ({ name, routes }: ServiceConfig, listener: string): AddressFacts['listeners'][number]['routes'] =>
  routes.flatMap((route) => (route.listener === listener ? [{ host: route.host, path: route.path, service: name }] : []))

/** Of this machine, as it is now. */
export function localHosts(): ReadonlySet<string> {
  const own = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address))
  return new Set(['localhost', '0.0.0.0', '::', '::1', hostname().toLowerCase(), ...own])
}

/** `before`: its state at the last look. One that starts again is down until it is there; one that starts for the first time is not known. */
export function serviceReading(service: ServiceStatus, intervalMs: number, checkedAt: number, before: NodeState | undefined): NodeReading {
  const { name, health, reason, desired } = service
  const reading = { name, intervalMs, checkedAt, ...(reason !== undefined && { reason }) }
  switch (health) {
    case 'healthy':
    case 'degraded':
      return { ...reading, state: 'up' }
    case 'maintenance':
      return { ...reading, state: 'down', reason: 'it is in maintenance' }
    case 'unhealthy':
      return { ...reading, state: desired === 0 ? 'unknown' : 'down' }
    case 'starting':
      return { ...reading, state: before === undefined || before === 'unknown' ? 'unknown' : 'down' }
  }
}

/** Checks, as far as the graph is concerned. */
export interface CheckSource {
  facts(): readonly CheckFacts[]
  readings(): readonly NodeReading[]
  /** Where what they look at is. */
  addresses(): AddressFacts['nodes']
  /** Looks now; resolves when the outcome counts. */
  run(name: string): Promise<unknown>
}

/** Not those that are the probes of a service: that is a node by itself. */
export function checkSource(checks: Pick<HealthOperations, 'checks' | 'run'>, config: () => Config): CheckSource {
  const own = (): readonly CheckStatus[] => checks.checks().filter(({ kind }) => kind !== 'service')
  return {
    facts: () => own().map(({ name, dependsOn, service }) => ({ name, dependsOn, service, needs: config().health?.dependencies?.[name] })),
    readings: () => own().map(checkReading),
    addresses: () => (config().health?.checks ?? []).flatMap(({ name, spec }) => addressOf(spec).map((address) => ({ ...address, name }))),
    run: (name) => checks.run(name),
  }
}

const nodeStates: Readonly<Record<CheckStatus['state'], NodeState>> = {
  up: 'up',
  suspect: 'suspect',
  down: 'down',
  recovering: 'down',
  unknown: 'unknown',
  paused: 'unknown',
}

const checkReading = ({ name, state, intervalMs, last, message }: CheckStatus): NodeReading => ({
  name,
  state: nodeStates[state],
  intervalMs,
  checkedAt: last?.at ?? 0,
  reason: message,
})

function addressOf(spec: CheckSpec): readonly { readonly host: string; readonly port: number }[] {
  switch (spec.kind) {
    case 'tcp':
    case 'tls':
      return [{ host: spec.host, port: spec.port }]
    case 'http':
    case 'postgres':
    case 'redis':
      return addressOfUrl(spec.url)
    default:
      return []
  }
}
