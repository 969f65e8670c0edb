/**
 * What no single key can know: combinations. Each check looks at what was understood and keeps quiet about holes, so
 * that one mistake makes one problem.
 */
import type { Complaint } from './problem.ts'
import { isIPv4, type Address } from './addresses.ts'
import type { Settings, ServiceSettings } from './keys.ts'
import { checkCache, checkTcpCache } from './cache-keys.ts'
import { checkHealthChecks } from './check-keys.ts'
import { checkHealth } from './health-keys.ts'
import { checkOrigin, checkTcpOrigin } from './origin-keys.ts'
import type { Draft } from './schema.ts'
import { checkTcp, entrances } from './tcp-keys.ts'
import { checkPolicies as checkActing } from './policy-keys.ts'
import { checkShared } from './limits-keys.ts'
import { firstHttp } from './listeners.ts'
import { checkWhen, whenKey } from './route-keys.ts'
import { checkMirror } from './mirror-keys.ts'
import { checkNotifier } from './notifier-keys.ts'
import { checkRules } from './rule-keys.ts'
import { checkSplit } from './session-keys.ts'
import { checkStatusPage } from './status-keys.ts'
import { checkTls } from './tls-keys.ts'
import { writeDuration } from './units.ts'
import { either, nearest, quote } from './words.ts'

export interface Report {
  /** Whether something stands in the file or the environment for this path, right or wrong. */
  given(path: string): boolean
  /** Points at the value given for the path or, failing that, at what is around it. */
  problem(path: string, complaint: Complaint): void
  /** The same, pointing at the key: for what should not be there, or has something missing. */
  keyProblem(path: string, complaint: Complaint): void
}

type Services = NonNullable<Draft<Settings['services']>>
type Service = NonNullable<Draft<ServiceSettings>>
type Route = NonNullable<NonNullable<Draft<ServiceSettings['routes']>>[number]>

/** Of its endpoints, as far as the file says. */
const versionsOf = (service: Draft<ServiceSettings>): readonly string[] => [
  ...new Set([...(service?.endpoints ?? []).map((endpoint) => endpoint?.version ?? service?.version), ...Object.keys(service?.split ?? {})].flatMap((version) => version ?? [])),
]

export function check(settings: Draft<Settings>, report: Report): void {
  if (settings === undefined) return
  const services = settings.services ?? {}
  for (const [name, service] of Object.entries(services)) {
    if (service === undefined) continue
    checkService(`services.${name}`, service, report)
    checkMirror(`services.${name}.mirror`, name, service.mirror, services, report)
  }
  for (const [name, service] of Object.entries(services)) {
    checkFallback(name, services, report)
    const stored = report.given('limits.redis')
    checkShared(`services.${name}.resilience.rateLimit`, service?.resilience?.rateLimit, stored, report)
    service?.routes?.forEach((route, index) => checkShared(`services.${name}.routes[${index}].rateLimit`, route?.rateLimit, stored, report))
  }
  for (const [name, listener] of Object.entries(settings.listeners ?? {})) {
    if (listener?.tls) checkTls(`listeners.${name}.tls`, listener.tls, report)
    if (listener?.tls?.acme && !Object.values(settings.listeners ?? {}).some(isPlain)) {
      report.keyProblem(`listeners.${name}.tls.acme`, { message: 'has no plain listener to be asked at', hint: 'the authority asks at port 80 of each name: add a listener without tls' })
    }
  }
  checkCache(settings.cache, report)
  checkRules(settings.alerting, Object.keys(services), report)
  checkStatusPage(settings.statusPage, services, report)
  checkNotifier(settings.alerting, report)
  checkEntrances(settings, services, report)
  checkDependencies(services, report)
  checkHealthChecks(settings.health, Object.keys(services), report)
  const versions = Object.entries(services).map(([name, service]) => [name, versionsOf(service)] as const)
  checkActing(settings.policies, new Map(versions), (settings.health?.checks ?? []).flatMap((one) => one?.name ?? []), report)
  checkRoutes(settings, services, report)
  checkSockets(settings, services, report)
}

const isPlain = (listener: { readonly protocol?: 'http' | 'tcp' | undefined; readonly tls?: unknown } | undefined): boolean =>
  listener?.protocol !== 'tcp' && listener?.tls === undefined

function checkFallback(name: string, services: Services, report: Report): void {
  const fallback = services[name]?.resilience?.fallback
  if (fallback === undefined || fallback === 'off') return
  const path = `services.${name}.resilience.fallback`
  const given = (key: string): boolean => report.given(`${path}.${key}`)
  if (fallback.stale && services[name]?.cache?.enabled !== true)
    report.keyProblem(`${path}.stale`, { message: 'needs a cache', hint: `add cache: true to ${name}: nothing is kept that could be given` })
  if (given('body') === given('service') && (given('body') || !fallback.stale)) {
    const message = given('body') ? 'cannot have both a body and a service' : 'has nothing to answer'
    report.keyProblem(path, { message, hint: 'give it a body, which is a file, or a service, or stale: true' })
    return
  }
  const { service } = fallback
  if (service === undefined) return
  for (const key of ['status', 'contentType']) {
    if (given(key)) report.keyProblem(`${path}.${key}`, { message: 'means nothing with a service, whose own answer is passed on', hint: 'leave it out' })
  }
  if (service === name) report.problem(`${path}.service`, { message: 'a service cannot stand for itself' })
  else if (!Object.keys(services).includes(service)) report.problem(`${path}.service`, unknownName('service', service, Object.keys(services)))
  else if (services[service]?.tcp !== undefined) report.problem(`${path}.service`, { message: `${service} carries connections, not requests`, hint: 'name an HTTP service' })
}

const sources = ['command', 'image', 'kubernetes', 'endpoints', 'discover'] as const
/** Keys about processes, which mean nothing for addresses that somebody else runs. */
export const processKeys = ['cwd', 'env', 'port', 'user', 'instances', 'resources', 'start', 'stop', 'restart'] as const

function checkService(path: string, service: Service, report: Report): void {
  const [first, second] = sources.filter((source) => report.given(`${path}.${source}`))
  if (first === undefined) report.keyProblem(path, { message: 'has nothing to run', hint: 'give it a command, or endpoints that somebody else runs' })
  else if (second !== undefined) report.keyProblem(`${path}.${second}`, { message: `cannot be combined with ${first}`, hint: 'a service comes from exactly one of them' })
  else if (first === 'endpoints') checkStatic(path, service, report)
  else checkProcess(path, service, report)
  checkPolicies(path, service, report)
  if (service.health) checkHealth(`${path}.health`, service.origin?.protocol === 'h2', report)
  if (service.tcp) {
    checkTcp(path, service.tcp, report)
    checkTcpCache(`${path}.cache`, report)
  }
  if (service.origin && service.tcp) checkTcpOrigin(`${path}.origin`, service.origin, service.tcp.kind, report)
  else if (service.origin) checkOrigin(`${path}.origin`, service.origin, report)
}

function checkStatic(path: string, service: Service, report: Report): void {
  for (const key of processKeys) {
    if (report.given(`${path}.${key}`)) report.keyProblem(`${path}.${key}`, { message: 'means nothing for endpoints, which somebody else runs', hint: 'leave it out' })
  }
  if (service.endpoints && !service.endpoints.includes(undefined)) {
    const versions = service.endpoints.flatMap((endpoint) => endpoint?.version ?? service.version ?? [])
    checkSplit(`${path}.split`, service.split, versions, report)
  }
  const seen = new Set<string>()
  service.endpoints?.forEach((endpoint, index) => {
    const address = whole(endpoint?.address)
    if (address === undefined) return
    const text = addressText(address)
    if (seen.has(text)) report.problem(`${path}.endpoints[${index}]`, { message: `${text} is given twice`, hint: 'use a weight to give it more traffic' })
    seen.add(text)
  })
}

function checkProcess(path: string, { instances, port, env, split }: Service, report: Report): void {
  checkSplit(`${path}.split`, split, undefined, report)
  const { min, max } = instances ?? {}
  if (min !== undefined && max !== undefined && max < min) {
    report.problem(`${path}.instances.max`, { expected: `at least min, which is ${min}`, found: String(max) })
  } else if (min !== undefined && max !== undefined && max > min) {
    report.problem(`${path}.instances.max`, { message: 'not available yet: scaling between min and max comes with a later release', hint: `write instances: ${min}` })
  }
  if (typeof port === 'number' && (min ?? 1) > 1) {
    report.problem(`${path}.port`, { message: `${String(min)} instances cannot share port ${port}`, hint: 'use port: auto and listen on $PORT' })
  }
  for (const name of Object.keys(env ?? {})) {
    if (name === 'PORT') report.keyProblem(`${path}.env.PORT`, { message: 'PORT is set for each instance', hint: 'leave it out, or use the key "port" for a fixed one' })
    else if (name.startsWith('HOLDFAST_')) report.keyProblem(`${path}.env.${name}`, { message: 'names that begin with HOLDFAST_ are taken', hint: 'choose another name' })
  }
}

function checkPolicies(path: string, { restart, balance }: Service, report: Report): void {
  const { initial, max } = restart?.backoff ?? {}
  if (initial !== undefined && max !== undefined && initial > max) {
    const given = report.given(`${path}.restart.backoff.max`) ? 'max' : 'initial'
    report.problem(`${path}.restart.backoff.${given}`, { message: `the first wait (${writeDuration(initial)}) is longer than the longest (${writeDuration(max)})` })
  }
  if (balance?.hashHeader !== undefined && balance.algorithm !== undefined && balance.algorithm !== 'consistent-hash') {
    report.keyProblem(`${path}.balance.hashHeader`, { message: `means nothing for ${balance.algorithm}`, hint: 'set algorithm: consistent-hash' })
  }
}

function checkDependencies(services: Services, report: Report): void {
  const names = Object.keys(services)
  for (const [name, service] of Object.entries(services)) {
    service?.dependsOn?.forEach((dependency, index) => {
      const path = `services.${name}.dependsOn[${index}]`
      if (dependency === name) report.problem(path, { message: 'a service cannot depend on itself' })
      else if (dependency !== undefined && !names.includes(dependency)) report.problem(path, unknownName('service', dependency, names))
    })
  }
  for (const cycle of cycles(services)) {
    report.problem(`services.${cycle[0] ?? ''}.dependsOn`, { message: `services wait for each other: ${cycle.join(' → ')}`, hint: 'one of them has to start first' })
  }
}

/** Each round trip once, from its first service back to it. A service that waits for itself is told elsewhere. */
function cycles(services: Services): string[][] {
  const found: string[][] = []
  const finished = new Set<string>()
  for (const start of Object.keys(services)) {
    const trail: { name: string; rest: string[] }[] = []
    const visit = (name: string): void => {
      const rest = (services[name]?.dependsOn ?? []).filter((next): next is string => next !== undefined && next !== name && services[next] !== undefined)
      trail.push({ name, rest: [...rest] })
    }
    if (!finished.has(start)) visit(start)
    for (let top = trail.at(-1); top !== undefined; top = trail.at(-1)) {
      const next = top.rest.shift()
      if (next === undefined) {
        finished.add(top.name)
        trail.pop()
      } else {
        const from = trail.findIndex(({ name }) => name === next)
        if (from !== -1) found.push([...trail.slice(from).map(({ name }) => name), next])
        else if (!finished.has(next)) visit(next)
      }
    }
  }
  return found
}

function checkRoutes(settings: NonNullable<Draft<Settings>>, services: Services, report: Report): void {
  const listeners = Object.keys(settings.listeners ?? {})
  const taken = new Map<string, { path: string; methods: readonly (string | undefined)[] | undefined }[]>()
  for (const [name, service] of Object.entries(services)) {
    service?.routes?.forEach((route, index) => {
      if (route === undefined) return
      const path = `services.${name}.routes[${index}]`
      const listener = route.listener ?? (report.given(`${path}.listener`) ? undefined : firstHttp(settings.listeners ?? {}))
      if (listener === undefined) return
      if (!listeners.includes(listener)) {
        if (settings.listeners !== undefined) report.problem(`${path}.listener`, unknownName('listener', listener, listeners))
        return
      }
      if (settings.listeners?.[listener]?.protocol === 'tcp') {
        report.problem(`${path}.listener`, { message: `listener ${listener} carries connections, not requests`, hint: 'name a listener without protocol: tcp' })
        return
      }
      checkWhen(`${path}.when`, route.when, report)
      if (!isWhole(route, path, report)) return
      const key = JSON.stringify([listener, route.host, route.path, whenKey(route.when)])
      const others = taken.get(key) ?? []
      const other = others.find(({ methods }) => overlap(methods, route.methods))
      if (other !== undefined) report.problem(path, { message: `takes the same requests as ${other.path}`, hint: 'give one of them another host, path, methods or when' })
      taken.set(key, [...others, { path, methods: route.methods }])
    })
  }
}

/** Every TCP listener belongs to one service. */
function checkEntrances(settings: NonNullable<Draft<Settings>>, services: Services, report: Report): void {
  const known = settings.listeners ?? {}
  const takenBy = new Map<string, string>()
  for (const [name, service] of Object.entries(services)) {
    for (const { path, listener } of entrances(`services.${name}`, service?.tcp)) {
      const other = takenBy.get(listener)
      if (known[listener] === undefined) {
        if (settings.listeners !== undefined) report.problem(path, unknownName('listener', listener, Object.keys(known)))
      } else if (known[listener].protocol === 'http') {
        report.problem(path, { message: `listener ${listener} takes HTTP requests`, hint: `set listeners.${listener}.protocol: tcp` })
      } else if (other !== undefined) report.problem(path, { message: `listener ${listener} belongs to ${other} already`, hint: 'give each its own listener' })
      takenBy.set(listener, path)
    }
  }
  for (const [name, listener] of Object.entries(known)) {
    if (listener?.protocol !== 'tcp') continue
    if (listener.http2 === true) report.keyProblem(`listeners.${name}.http2`, { message: 'means nothing for connections that are carried as they are', hint: 'leave it out' })
    if (takenBy.has(name)) continue
    report.problem(`listeners.${name}.protocol`, { message: 'no service takes its connections', hint: `name it under services.….tcp.listener` })
  }
}

/** Nothing of it was misunderstood. */
function isWhole(route: Route, path: string, report: Report): boolean {
  if (route.path === undefined || (route.host === undefined && report.given(`${path}.host`))) return false
  return route.methods === undefined ? !report.given(`${path}.methods`) : !route.methods.includes(undefined)
}

/** A route that names the method goes before one that takes any, so those two do not collide. */
function overlap(a: readonly (string | undefined)[] | undefined, b: readonly (string | undefined)[] | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.some((method) => b.includes(method))
}

interface Socket extends Address {
  readonly path: string
}

function checkSockets(settings: NonNullable<Draft<Settings>>, services: Services, report: Report): void {
  const listeners: Socket[] = []
  const others: Socket[] = []
  const add = (to: Socket[], path: string, host: string | undefined, port: number | 'off' | 'auto' | undefined): void => {
    if (typeof port === 'number' && host !== undefined) to.push({ path, host, port })
  }
  for (const [name, listener] of Object.entries(settings.listeners ?? {})) add(listeners, `listeners.${name}.port`, listener?.host, listener?.port)
  add(others, 'api.port', settings.api?.host, settings.api?.port)
  add(others, 'metrics.port', settings.metrics?.host, settings.metrics?.port)
  // What a command binds to is its own affair; at worst, every address.
  for (const [name, service] of Object.entries(services)) add(others, `services.${name}.port`, '0.0.0.0', service?.port)

  const sockets = [...listeners, ...others]
  sockets.forEach((socket, index) => {
    const other = sockets.slice(0, index).find((earlier) => clash(earlier, socket))
    if (other === undefined) return
    const [blamed, holder] = report.given(socket.path) || !report.given(other.path) ? [socket, other] : [other, socket]
    report.problem(blamed.path, { message: `port ${socket.port} is already taken by ${holder.path}`, hint: 'choose another port' })
  })
  for (const [name, service] of Object.entries(services)) {
    service?.endpoints?.forEach((endpoint, index) => {
      const address = whole(endpoint?.address)
      const listener = address && listeners.find((one) => loops(one, address))
      if (listener !== undefined) {
        const path = `services.${name}.endpoints[${index}]`
        report.problem(path, { message: `would send requests back to ${listener.path.replace(/\.port$/, '')}`, hint: 'give the address of the server itself' })
      }
    })
  }
}

const wildcards = ['0.0.0.0', '::']

function clash(a: Address, b: Address): boolean {
  return a.port === b.port && (plainHost(a.host) === plainHost(b.host) || wildcards.includes(a.host) || wildcards.includes(b.host))
}

function loops(listener: Address, endpoint: Address): boolean {
  if (listener.port !== endpoint.port) return false
  const isHere = wildcards.includes(endpoint.host) || plainHost(endpoint.host) === '::1' || (isIPv4(plainHost(endpoint.host)) && plainHost(endpoint.host).startsWith('127.'))
  return plainHost(listener.host) === plainHost(endpoint.host) || (isHere && wildcards.includes(listener.host))
}

function plainHost(host: string): string {
  return host === 'localhost' ? '127.0.0.1' : host
}

function addressText({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

function whole(address: Draft<Address>): Address | undefined {
  return address?.host === undefined || address.port === undefined ? undefined : { host: address.host, port: address.port }
}

function unknownName(what: string, name: string, known: readonly string[]): Complaint {
  const near = nearest(name, known)
  const listed = known.length === 0 ? `there is no ${what} at all` : `known: ${either(known.slice(0, 8), 'and')}`
  return { message: `there is no ${what} ${quote(name)}`, found: name, hint: near === undefined ? listed : `did you mean "${near}"?` }
}
