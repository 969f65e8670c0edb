/**
 * The declaration of `health`: checks of things that are not a service's own probe. A check names its kind by the key that says what it looks at
 * (`tcp: db:5432`, `disk: /`), of which there is exactly one; what no single key can know; the way to the configuration and back.
 */
import { days, ms, seconds } from '../../kernel/time.ts'
import {
  checkSeverities,
  dnsTypes,
  type CheckConfig,
  type CheckSpec,
  type HealthConfig,
  type Threshold,
  type ThresholdUnit,
} from '../types.ts'
import { address, headerName, serverName, statusRange } from './addresses.ts'
import type { Report } from './checks.ts'
import { checkDependencyNames, dependencyKeys } from './dependency-keys.ts'
import { redisUrl } from './redis-url.ts'
import { boolean, duration, filled, integer, nameOf, oneOf, percent, port, text, timeout } from './scalars.ts'
import { key, list, map, object, optional, type Draft, type Scalar, type Value } from './schema.ts'
import { readDuration, readPercent, readSize, writeDuration, writePercent, writeSize } from './units.ts'
import { either, nearest, quote } from './words.ts'

/** More of them on one machine are a mistake. */
export const checksMax = 10_000

const file = filled('path', 'a path')
const anyText = filled('text', 'a text')
const url = filled('URL', 'a URL such as https://shop.example.com/health', { matching: /^https?:\/\/[^\s/?#]+[^\s#]*$/ })
const postgresUrl = filled('URL', 'a URL such as postgres://user:password@db.internal:5432/shop', { matching: /^postgres(?:ql)?:\/\/\S+$/ })
const dnsName = text('name', { max: 255, expected: 'a name such as shop.example.com', matching: /^[A-Za-z0-9_*-]+(?:\.[A-Za-z0-9_-]+)*\.?$/ })
const interfaceName = text('interface', { max: 15, expected: 'the name of a network interface such as eth0', matching: /^[^\s/:]+$/ })

/** `80%`, `250ms`, `21d`, `10MiB`, `500`. */
export const threshold: Scalar<Threshold> = {
  kind: 'scalar',
  name: 'share, duration, size or number',
  expected: 'a share such as 80%, a duration such as 250ms or 21d, a size such as 10MiB, or a number',
  read(text) {
    const share = readPercent(text)
    if (share !== undefined) return { value: Number((share * 100).toFixed(4)), unit: 'percent' }
    if (/^\d{1,15}(?:\.\d{1,6})?$/.test(text)) return { value: Number(text), unit: 'count' }
    const length = readDuration(text)
    if (length !== undefined) return { value: length, unit: 'ms' }
    const bytes = readSize(text.replace(/\/s$/, ''))
    return bytes === undefined ? undefined : { value: bytes, unit: 'bytes' }
  },
  write({ value, unit }) {
    switch (unit) {
      case 'percent':
        return writePercent(value / 100)
      case 'ms':
        return writeDuration(value)
      case 'bytes':
        return writeSize(value)
      case 'count':
        return value
    }
  },
}

const endOrOwn = (what: string): string => `the ${what} of the address`
const nothing = { ...object({}), on: true }

const check = object({
  name: key(nameOf('check'), { doc: 'What it is called everywhere: in alerts, in the API, in `holdfast checks`.' }),
  http: optional(
    object(
      {
        url: key(url, { doc: 'What is asked for. Redirects are not followed.' }),
        method: key(oneOf(['GET', 'HEAD', 'POST']), { doc: 'The method.', default: 'GET' }),
        headers: key(map('header', headerName, anyText), { doc: 'Fields of the request. Those named authorization or cookie are shown to nobody.', default: {} }),
        expect: key(
          object({
            status: key(statusRange, { doc: 'Answers that pass.', default: { min: 200, max: 399 } }),
            body: optional(anyText, { doc: 'A text that the first MiB of the answer must contain.', without: 'any' }),
            json: optional(filled('path or path = value', 'a path such as status.db, or status.db = ok', { max: 512 }), {
              doc: 'A value in a JSON answer that must be there, or be this: `status.db = ok`, `items[0].ready = true`. Of one that is only named and is a number, thresholds are about it.',
              without: 'any',
            }),
          }),
          { doc: 'What passes.' },
        ),
        ca: optional(file, { doc: 'PEM: the authorities that are believed.', without: 'the authorities that Node.js knows' }),
        verify: key(boolean, { doc: '`false` believes every certificate.', default: true }),
        certificate: key(
          object({
            warnAt: key(duration(ms(0), days(400)), { doc: 'Valid for no longer than that: a warning.', default: days(21) }),
            criticalAt: optional(duration(ms(0), days(400)), { doc: 'Valid for no longer than that: it fails.', without: 'an answer that comes is an answer' }),
          }),
          { doc: 'Of an `https:` URL: how long its certificate is still valid.' },
        ),
      },
      { short: ['url'] },
    ),
    { doc: 'Asks a URL. Passes by status, and text or JSON value of the answer. Thresholds: the time it takes.', without: 'exactly one kind is required' },
  ),
  tcp: optional(address, { doc: 'Connects to an address. Thresholds: the time it takes.', without: 'one kind' }),
  tls: optional(
    object(
      {
        address: key(address, { doc: 'Where the certificate is served.' }),
        serverName: optional(serverName, { doc: 'The name that is asked for and must be in the certificate.', without: endOrOwn('host') }),
        ca: optional(file, { doc: 'PEM: the authorities that are believed.', without: 'the authorities that Node.js knows' }),
        verify: key(boolean, { doc: '`false`: only the end of the certificate counts, not who signed it or for whom.', default: true }),
      },
      { short: ['address'] },
    ),
    { doc: 'Looks at a certificate. Thresholds: how long it is still valid; by default 21d and 7d.', without: 'one kind' },
  ),
  dns: optional(
    object(
      {
        name: key(dnsName, { doc: 'What is asked for.' }),
        type: key(oneOf(dnsTypes), { doc: 'The type of the record.', default: 'A' }),
        server: optional(address, { doc: 'Who is asked.', without: 'the servers of this machine' }),
        expect: key(list(anyText), { doc: 'Values that must be among the answers.', default: [] }),
      },
      { short: ['name'] },
    ),
    { doc: 'Asks for a DNS record. Thresholds: the time it takes.', without: 'one kind' },
  ),
  postgres: optional(
    object(
      {
        url: key(postgresUrl, { doc: 'How it is reached. The package `pg` must be installed.' }),
        query: optional(anyText, { doc: 'A query whose first column of the first row is a number: thresholds are about that.', without: '`select 1`; thresholds: the time it takes' }),
      },
      { short: ['url'] },
    ),
    { doc: 'Sends a query to a PostgreSQL server.', without: 'one kind' },
  ),
  redis: optional(redisUrl, { doc: 'Sends a PING to a Redis server. The package `redis` must be installed. Thresholds: the time it takes.', without: 'one kind' }),
  command: optional(
    object(
      {
        command: key(anyText, { doc: 'A command line. The timeout is 10s unless it is given; then its whole process group is killed. Of the environment of Holdfast it gets what services get.' }),
        cwd: key(file, { doc: 'Where it runs, from the directory of the file.', default: '.' }),
        exitCode: key(integer(0, 255), { doc: 'The exit code that passes.', default: 0 }),
      },
      { short: ['command'] },
    ),
    { doc: 'Runs a command. What it prints last is the message. If its output ends with a line that is a number, thresholds are about that, else about the time it takes.', without: 'one kind' },
  ),
  disk: optional(file, { doc: 'The file system of this path. Thresholds: how much of its space is in use; by default 85% and 95%.', without: 'one kind' }),
  memory: optional(nothing, { doc: '`memory: on`: the memory of this machine. Thresholds: how much is not available; by default 85% and 95%.', without: 'one kind' }),
  cpu: optional(nothing, { doc: '`cpu: on`: the cores of this machine since the check before. Thresholds: how busy; by default 85% and 95%.', without: 'one kind' }),
  load: optional(nothing, { doc: '`load: on`: the load average of a minute, by core. Thresholds: by default 2 and 4.', without: 'one kind' }),
  network: optional(
    object({ interface: optional(interfaceName, { doc: 'Which one; it must be up.', without: 'all but loopback, together' }) }, { short: ['interface'] }),
    { doc: 'A network interface: it must be up and without new errors. Thresholds: bytes a second, in and out together.', without: 'one kind' },
  ),
  process: optional(
    object(
      {
        name: optional(filled('name', 'the name of a program', { max: 64 }), { doc: 'The name of the program, as `ps` has it.', without: 'one of `name`, `pidFile` and `pattern` is required' }),
        pidFile: optional(file, { doc: 'A file with its pid.', without: 'one of the three' }),
        pattern: optional(filled('text', 'a text'), { doc: 'A text in its command line.', without: 'one of the three' }),
        min: key(integer(0, 1_000_000), { doc: 'There must be so many.', default: 1 }),
        max: optional(integer(0, 1_000_000), { doc: 'There may be so many.', without: 'any number' }),
      },
      { short: ['name'] },
    ),
    { doc: 'Counts processes of this machine. Thresholds: how many.', without: 'one kind' },
  ),
  connections: optional(
    { ...object({ port: optional(port, { doc: 'Of this local port only.', without: 'all' }) }, { short: ['port'] }), on: true },
    { doc: 'Counts established TCP connections of this machine. Thresholds: how many.', without: 'one kind' },
  ),
  heartbeat: optional(
    object(
      {
        every: key(duration(seconds(10), days(7)), { doc: 'How often it should be heard of.' }),
        grace: key(duration(ms(0), days(7)), { doc: 'How much later it may be.', default: ms(0) }),
      },
      { short: ['every'] },
    ),
    { doc: 'Somebody else calls `POST /api/infrastructure/health/checks/NAME/heartbeat` this often; down when that fails to come.', without: 'one kind' },
  ),
  file: optional(file, { doc: 'A file that must be there. Thresholds: how old its last change is.', without: 'one kind' }),
  interval: key(duration(ms(100), days(7)), { doc: 'From one check to the next, ± 10%. While it is suspect, a second.', default: seconds(10) }),
  timeout: optional(timeout, { doc: 'No answer by then is a failure.', without: '`2s`; of `command` `10s`' }),
  alertAfter: key(integer(1, 100), { doc: 'Failures in a row until it is down.', default: 3 }),
  rise: key(integer(1, 100), { doc: 'Passes in a row until it is up again.', default: 2 }),
  warnAt: optional(threshold, { doc: 'From here on it is up, with a warning.', without: 'by its kind' }),
  criticalAt: optional(threshold, { doc: 'From here on it fails.', without: 'by its kind' }),
  hysteresis: key(percent, { doc: 'So far it must go back from a threshold to count as below it: a share of the threshold.', default: 0.05 }),
  severity: key(oneOf(checkSeverities), { doc: 'Of the alert when it is down.', default: 'critical' }),
  service: optional(nameOf('service'), { doc: 'The service that it tells of. Good traffic of that then outweighs it.', without: 'none' }),
  dependsOn: key(list(nameOf('service')), { doc: 'Services and checks without which it cannot pass.', default: [] }),
})

export const healthKeys = object({
  checks: key(list(check), { doc: 'Checks of things that are not a service’s own probe.', default: [] }),
  canaries: key(list(address), {
    doc: 'Two addresses or more, independent of each other and of everything else: while none of them takes a connection, this node does not see the network, and no check is down for that.',
    default: [],
  }),
  ...dependencyKeys,
})

type CheckSettings = Value<typeof check>
type HealthSettings = Value<typeof healthKeys>

export const specKinds = ['http', 'tcp', 'tls', 'dns', 'postgres', 'redis', 'command', 'disk', 'memory', 'cpu', 'load', 'network', 'process', 'connections', 'heartbeat', 'file'] as const
type SpecKind = (typeof specKinds)[number]

interface Measure {
  readonly units: readonly ThresholdUnit[]
  /** Less is worse. */
  readonly falling?: true
  readonly warnAt?: Threshold
  readonly criticalAt?: Threshold
}

const percents = { units: ['percent'], warnAt: { value: 85, unit: 'percent' }, criticalAt: { value: 95, unit: 'percent' } } as const
const times = { units: ['ms'] } as const
const counts = { units: ['count'] } as const

/** What thresholds of each kind are about, and what they are where none is given. */
export const measures: Readonly<Record<SpecKind, Measure | undefined>> = {
  http: { units: ['ms', 'count'] },
  tcp: times,
  tls: { units: ['ms'], falling: true, warnAt: { value: days(21), unit: 'ms' }, criticalAt: { value: days(7), unit: 'ms' } },
  dns: times,
  postgres: { units: ['ms', 'count'] },
  redis: times,
  command: { units: ['ms', 'count'] },
  disk: percents,
  memory: percents,
  cpu: percents,
  load: { units: ['count'], warnAt: { value: 2, unit: 'count' }, criticalAt: { value: 4, unit: 'count' } },
  network: { units: ['bytes'] },
  process: counts,
  connections: counts,
  heartbeat: undefined,
  file: { units: ['ms'] },
}

const unitWords: Readonly<Record<ThresholdUnit, string>> = { percent: 'a share such as 80%', ms: 'a duration such as 250ms or 21d', bytes: 'a size such as 10MiB', count: 'a number' }

export function checkHealthChecks(health: Draft<HealthSettings>, services: readonly string[], report: Report): void {
  const checks = health?.checks ?? []
  if (checks.length > checksMax) report.problem('health.checks', { message: `there are ${checks.length}, and more than ${checksMax} are not allowed` })
  const canaries = health?.canaries?.length ?? 0
  if (canaries === 1) report.problem('health.canaries', { message: 'one canary cannot tell its own death from ours', hint: 'give at least two, independent of each other' })
  const names = new Map<string, string>()
  checks.forEach((one, index) => {
    if (one === undefined) return
    const path = `health.checks[${index}]`
    checkOne(path, one, report)
    const { name } = one
    if (name === undefined) return
    const other = names.get(name)
    if (other !== undefined) report.problem(`${path}.name`, { message: `${quote(name)} is the name of ${other} already` })
    else if (services.includes(name)) report.problem(`${path}.name`, { message: `${quote(name)} is the name of a service`, hint: `call it ${name}-check, say: alerts and the graph go by names` })
    names.set(name, path)
  })
  checkNames(checks, services, report)
  checkDependencyNames(health?.dependencies, [...services, ...names.keys()], report)
}

function checkNames(checks: readonly Draft<CheckSettings>[], services: readonly string[], report: Report): void {
  const known = [...services, ...checks.flatMap((one) => one?.name ?? [])]
  checks.forEach((one, index) => {
    const path = `health.checks[${index}]`
    if (one?.service !== undefined && !services.includes(one.service)) unknownName(`${path}.service`, 'service', one.service, services, report)
    one?.dependsOn?.forEach((name, at) => {
      if (name === undefined) return
      if (name === one.name) report.problem(`${path}.dependsOn[${at}]`, { message: 'a check cannot depend on itself' })
      else if (!known.includes(name)) unknownName(`${path}.dependsOn[${at}]`, 'service or check', name, known, report)
    })
  })
}

function unknownName(path: string, what: string, name: string, known: readonly string[], report: Report): void {
  const near = nearest(name, known)
  const listed = known.length === 0 ? `there is no ${what} at all` : `known: ${either(known.slice(0, 8), 'and')}`
  report.problem(path, { message: `there is no ${what} ${quote(name)}`, found: name, hint: near === undefined ? listed : `did you mean "${near}"?` })
}

function checkOne(path: string, one: NonNullable<Draft<CheckSettings>>, report: Report): void {
  const given = specKinds.filter((kind) => report.given(`${path}.${kind}`))
  const [kind, second] = given
  if (kind === undefined) {
    report.keyProblem(path, { message: 'has nothing to look at', hint: `give it one of ${either(specKinds)}` })
    return
  }
  if (second !== undefined) {
    report.keyProblem(`${path}.${second}`, { message: `cannot be combined with ${kind}`, hint: 'make two checks of it' })
    return
  }
  checkThresholds(path, kind, one, report)
  if (kind === 'http') checkCertificate(path, one.http, report)
  if (kind === 'process' && one.process !== undefined) {
    const ways = ['name', 'pidFile', 'pattern'].filter((way) => report.given(`${path}.process.${way}`) || (way === 'name' && one.process?.name !== undefined))
    if (ways.length !== 1) report.keyProblem(`${path}.process`, { message: ways.length === 0 ? 'has nothing to look for' : `cannot have both ${either(ways, 'and')}`, hint: 'give it exactly one of name, pidFile and pattern' })
    const { min, max } = one.process
    if (min !== undefined && max !== undefined && max < min) report.problem(`${path}.process.max`, { expected: `at least min, which is ${min}`, found: String(max) })
  }
  if (kind === 'heartbeat' && report.given(`${path}.timeout`)) report.keyProblem(`${path}.timeout`, { message: 'means nothing for heartbeat', hint: 'give it a grace' })
  if (one.timeout !== undefined && one.interval !== undefined && one.timeout > one.interval) {
    report.problem(`${path}.${report.given(`${path}.timeout`) ? 'timeout' : 'interval'}`, { message: `the timeout (${writeDuration(one.timeout)}) is longer than the interval (${writeDuration(one.interval)})` })
  }
}

function checkCertificate(path: string, http: NonNullable<Draft<CheckSettings>>['http'], report: Report): void {
  const { warnAt, criticalAt } = http?.certificate ?? {}
  if (report.given(`${path}.http.certificate`) && http?.url?.startsWith('http:') === true)
    report.keyProblem(`${path}.http.certificate`, { message: 'means nothing for a URL without TLS', hint: 'leave it out, or ask an https: URL' })
  if (warnAt !== undefined && criticalAt !== undefined && warnAt < criticalAt)
    report.problem(`${path}.http.certificate.criticalAt`, { message: `must be at most warnAt, which is ${writeDuration(warnAt)}`, found: writeDuration(criticalAt) })
}

function checkThresholds(path: string, kind: SpecKind, one: NonNullable<Draft<CheckSettings>>, report: Report): void {
  const measure = measures[kind]
  const bounds = (['warnAt', 'criticalAt'] as const).filter((name) => report.given(`${path}.${name}`))
  for (const name of bounds) {
    const bound = one[name] as Threshold | undefined
    if (measure === undefined) report.keyProblem(`${path}.${name}`, { message: `means nothing for ${kind}, which measures nothing`, hint: 'leave it out' })
    else if (bound !== undefined && !measure.units.includes(bound.unit)) {
      report.problem(`${path}.${name}`, { message: `of ${kind} expected ${either(measure.units.map((unit) => unitWords[unit]))}`, found: String(threshold.write(bound)) })
      return
    }
  }
  const [warn, critical] = [one.warnAt as Threshold | undefined, one.criticalAt as Threshold | undefined]
  if (measure === undefined || warn === undefined || critical === undefined) return
  if (warn.unit !== critical.unit) report.problem(`${path}.criticalAt`, { message: `is ${unitWords[critical.unit].split(' such')[0]}, and warnAt is ${unitWords[warn.unit].split(' such')[0]}` })
  else if (measure.falling ? warn.value < critical.value : warn.value > critical.value) {
    const word = measure.falling ? 'at most' : 'at least'
    report.problem(`${path}.criticalAt`, { message: `must be ${word} warnAt, which is ${threshold.write(warn)}`, found: String(threshold.write(critical)) })
  }
}

export function toHealthConfig({ checks, canaries, dependencies }: HealthSettings, resolve: (path: string) => string): HealthConfig {
  const given = Object.keys(dependencies).length > 0
  return { checks: checks.map((one) => toCheck(one, resolve)), canaries, ...(given && { dependencies }) }
}

const usualTimeout = seconds(2)
const commandTimeout = seconds(10)

function toCheck(one: CheckSettings, resolve: (path: string) => string): CheckConfig {
  const spec = toSpec(one, resolve)
  const { name, interval, alertAfter, rise, hysteresis, severity, service, dependsOn } = one
  const usual = spec.kind === 'command' ? commandTimeout : usualTimeout
  const measure = measures[spec.kind]
  // Who gives one of the two has said what counts; the other's default might contradict it.
  const own = one.warnAt !== undefined || one.criticalAt !== undefined
  const warnAt = own ? one.warnAt : measure?.warnAt
  const criticalAt = own ? one.criticalAt : measure?.criticalAt
  return { name, spec, interval, timeout: one.timeout ?? ms(Math.min(usual, Math.max(interval, 100))), alertAfter, rise, warnAt, criticalAt, hysteresis, severity, service, dependsOn }
}

function toSpec(one: CheckSettings, resolve: (path: string) => string): CheckSpec {
  const path = (name: string | undefined): string | undefined => (name === undefined ? undefined : resolve(name))
  if (one.http) {
    const { url, method, headers, expect, ca, verify, certificate } = one.http
    return { kind: 'http', url, method, headers, expect: { statusMin: expect.status.min, statusMax: expect.status.max, body: expect.body, json: expect.json === undefined ? undefined : toJson(expect.json) }, ca: path(ca), verify, certificate }
  }
  if (one.tcp) return { kind: 'tcp', ...one.tcp }
  if (one.tls) return { kind: 'tls', ...one.tls.address, serverName: one.tls.serverName?.toLowerCase(), ca: path(one.tls.ca), verify: one.tls.verify }
  if (one.dns) return { kind: 'dns', ...one.dns }
  if (one.postgres) return { kind: 'postgres', ...one.postgres }
  if (one.redis !== undefined) return { kind: 'redis', url: one.redis }
  if (one.command) return { kind: 'command', ...one.command, cwd: resolve(one.command.cwd) }
  if (one.disk !== undefined) return { kind: 'disk', path: resolve(one.disk) }
  if (one.memory) return { kind: 'memory' }
  if (one.cpu) return { kind: 'cpu' }
  if (one.load) return { kind: 'load' }
  if (one.network) return { kind: 'network', interface: one.network.interface }
  if (one.process) return { kind: 'process', ...one.process, pidFile: path(one.process.pidFile) }
  if (one.connections) return { kind: 'connections', port: one.connections.port }
  if (one.heartbeat) return { kind: 'heartbeat', ...one.heartbeat }
  return { kind: 'file', path: resolve(one.file ?? '') }
}

/** `status.db = ok` */
function toJson(text: string): { readonly path: string; readonly equals: string | undefined } {
  const at = text.indexOf('=')
  return at === -1 ? { path: text.trim(), equals: undefined } : { path: text.slice(0, at).trim(), equals: text.slice(at + 1).trim() }
}

export function fromHealthConfig({ checks, canaries, dependencies = {} }: HealthConfig): Draft<HealthSettings> {
  return { checks: checks.map(fromCheck), canaries, dependencies }
}

function fromCheck({ spec, timeout, ...rest }: CheckConfig): NonNullable<Draft<CheckSettings>> {
  return { ...rest, ...(spec.kind !== 'heartbeat' && { timeout }), ...fromSpec(spec) }
}

function fromSpec(spec: CheckSpec): Draft<Partial<CheckSettings>> {
  switch (spec.kind) {
    case 'http': {
      const { kind, expect, ...http } = spec
      const json = expect.json && (expect.json.equals === undefined ? expect.json.path : `${expect.json.path} = ${expect.json.equals}`)
      return { [kind]: { ...http, expect: { status: { min: expect.statusMin, max: expect.statusMax }, body: expect.body, json } } }
    }
    case 'tcp':
      return { tcp: { host: spec.host, port: spec.port } }
    case 'tls': {
      const { kind, host, port, ...tls } = spec
      return { [kind]: { address: { host, port }, ...tls } }
    }
    case 'redis':
      return { redis: spec.url }
    case 'disk':
    case 'file':
      return { [spec.kind]: spec.path }
    default: {
      const { kind, ...inner } = spec
      return { [kind]: inner }
    }
  }
}
