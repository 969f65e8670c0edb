/** The declaration of the whole configuration. What stands here is all that the file may hold. */
import { minutes, seconds } from '../../kernel/time.ts'
import { bindHost, origin } from './addresses.ts'
import { alerting } from './alerting-keys.ts'
import { cacheKeys } from './cache-keys.ts'
import { healthKeys } from './check-keys.ts'
import { addressRange, errorPages } from './http-keys.ts'
import { accessLog, explain, tracing } from './observe-keys.ts'
import { limits } from './limits-keys.ts'
import { policyKeys } from './policy-keys.ts'
import { listenerProtocols } from '../types.ts'
import { boolean, integer, filled, nameOf, oneOf, orWord, patience, port, rate, text } from './scalars.ts'
import { key, list, map, object, optional, planned, type Value } from './schema.ts'
import { service, type ServiceSettings } from './service-keys.ts'
import { statusPage } from './status-keys.ts'
import { listenerTls } from './tls-keys.ts'

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
/** As many proxy workers as anybody has cores for. */
export const workersMax = 256
/** HS256 keys shorter than its hash are refused. Source: RFC 7518 §3.2. */
export const jwtSecretMin = 32

const jwtSecret = {
  ...text('text', { expected: `at least ${jwtSecretMin} characters` }),
  read: (text: string) => (text.length >= jwtSecretMin && text.length <= 4_096 ? text : undefined),
}

const listener = object({
  port: key(port, { doc: 'The port that takes traffic.', default: 8080 }),
  host: key(bindHost, { doc: 'The address it listens on; `0.0.0.0` is every IPv4 address, `::` every address.', default: '0.0.0.0' }),
  protocol: key(oneOf(listenerProtocols), { doc: '`tcp`: all its connections go to one service, which names it under `tcp`.', default: 'http', change: 'routing' }),
  tls: optional(listenerTls, { doc: 'Certificates: the listener speaks TLS.', without: 'plain', change: 'routing' }),
  proxyProtocol: optional(
    object({
      from: key(list(addressRange, { min: 1 }), { doc: 'Addresses and ranges of those proxies. Whoever else connects is refused, and so is a connection without the header.' }),
    }),
    { doc: 'Proxies in front begin each connection with a PROXY header (version 1 or 2) that says whose it is.', without: 'clients come by themselves', change: 'routing' },
  ),
  http2: optional(boolean, {
    doc: 'HTTP/2 for clients that ask for it: by ALPN with TLS, without TLS by beginning with it (prior knowledge).',
    without: '`true` with `tls`, else `false`',
    change: 'routing',
  }),
})

export const configType = object({
  name: key(filled('text', 'a text', { max: 128 }), { doc: 'The name of the whole, as the API shows it.', default: 'holdfast', change: 'immediate' }),
  region: key(nameOf('region'), { doc: 'The name of this region; it stands on every event.', default: 'local', change: 'restartHoldfast' }),
  data: key(filled('path', 'a path'), { doc: 'Directory of state, logs and sockets, from the directory of the file.', default: './.holdfast', change: 'restartHoldfast' }),
  api: key(
    object({
      port: key(port, { doc: 'The port of the REST API and the dashboard.', default: 3006 }),
      host: key(bindHost, { doc: 'The address it listens on. Anything but this machine itself needs a proxy with TLS in front.', default: '127.0.0.1' }),
      corsOrigins: key(list(origin), { doc: 'Web origins whose pages may call the API.', default: [] }),
      tls: planned('A certificate for the API.', 'TLS comes with a later release'),
    }),
    { doc: 'The REST API, and the dashboard at `/`.', change: 'restartHoldfast' },
  ),
  metrics: key(
    object({
      port: key(orWord('off', port), { doc: 'A second listener, with `/metrics` only, open to whoever reaches it.', default: 'off' }),
      host: key(bindHost, { doc: 'The address it listens on.', default: '127.0.0.1' }),
    }),
    { doc: 'Metrics for Prometheus. They are on the API in any case.', change: 'restartHoldfast' },
  ),
  log: key(
    object({
      level: key(oneOf(logLevels), { doc: 'The least level that is written.', default: 'info' }),
      directory: key(filled('path', 'a path'), { doc: 'Directory of `combined-YYYY-MM-DD.log`, from the data directory: JSON lines, a file a day, kept 14 days.', default: 'logs' }),
      access: key(accessLog, { doc: 'The access log: `access-YYYY-MM-DD.log` in the same directory.', default: 'off', change: 'immediate' }),
    }),
    { doc: 'The log of Holdfast itself, and of the requests.', change: 'restartHoldfast' },
  ),
  tracing: key(tracing, { doc: 'W3C trace context, and spans over OTLP.', default: 'off', change: 'immediate' }),
  explain: key(explain, { doc: 'What `holdfast explain` remembers of requests.', change: 'immediate' }),
  listeners: key(map('listener', nameOf('listener'), listener, { min: 1 }), {
    doc: 'Where traffic comes in.',
    default: { web: { port: 8080, host: '0.0.0.0', protocol: 'http', tls: undefined, proxyProtocol: undefined, http2: undefined } },
    defaultDoc: '`web` on 8080',
    change: 'listening',
  }),
  cluster: key(
    object({
      workers: key(orWord('auto', integer(1, workersMax)), { doc: 'Proxy workers; `auto` is one per core.', default: 'auto', change: 'restartHoldfast' }),
      gracefulShutdownTimeout: key(patience, {
        doc: 'How long requests may take to finish when everything stops.',
        default: seconds(30),
        change: 'immediate',
      }),
    }),
    { doc: 'The processes that carry the traffic.' },
  ),
  services: key(map('service', nameOf('service'), service), { doc: 'What is kept up.' }),
  errorPages: optional(errorPages, {
    doc: 'Files that are the body of the answers to requests that no service takes, from the directory of the file; a status goes before its class.',
    without: 'a plain page or JSON',
    change: 'routing',
  }),
  access: key(
    object({
      jwtSecret: optional(jwtSecret, {
        doc: 'Signs the tokens of the API. Changing it ends all of them.',
        without: 'made once and kept in the data directory',
        secret: true,
      }),
      rateLimit: key(rate, { doc: 'API requests per credential and address.', default: { count: 600, per: minutes(1) } }),
    }),
    { doc: 'Who may use the API.', change: 'restartHoldfast' },
  ),
  limits: optional(limits, { doc: 'What several machines share of the limits.', without: 'each machine has its own', change: 'routing' }),
  cache: key(cacheKeys, { doc: 'What is kept in memory and in Redis.' }),
  store: key(
    object({
      sqlite: key(object({}), { doc: 'SQLite in the data directory. It has no settings.' }),
      etcd: planned('State shared by many machines.', 'etcd comes with a later release'),
    }),
    { doc: 'Where state is kept.', change: 'restartHoldfast' },
  ),
  statusPage: key(statusPage, { doc: 'The public status page, at `/status` of the API’s port, for everybody who reaches it.', change: 'immediate' }),
  health: key(healthKeys, { doc: 'Checks of things that are not a service’s own probe; that goes under the service.', change: 'immediate' }),
  alerting: key(alerting, { doc: 'What is said of, to whom, and when.', change: 'immediate' }),
  regions: planned('Other regions.', 'regions come with a later release'),
  backup: planned('Backups.', 'backups come with a later release'),
  recovery: planned('Objectives, failover and drills.', 'recovery comes with a later release'),
  policies: key(policyKeys, { doc: 'What is done by itself when something happens.', default: [], change: 'immediate' }),
})

/** The configuration in the shape of the file, complete. */
export type Settings = Value<typeof configType>
export type { ServiceSettings }
