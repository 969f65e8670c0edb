/** The declaration of a TCP service, what no single key of it can know, and the way to the configuration. */
import { minutes, ms, seconds } from '../../kernel/time.ts'
import { tcpKinds } from '../types.ts'
import type { Report } from './checks.ts'
import { boolean, duration, filled, nameOf, oneOf, text, timeout } from './scalars.ts'
import { key, object, optional, type Draft, type Value } from './schema.ts'

/** As long as PostgreSQL's longest name. */
const nameMax = 63

export const tcp = object(
  {
    listener: key(nameOf('listener'), { doc: 'Where its connections come in: a listener with `protocol: tcp`, of this service alone. With roles, those that write.' }),
    replicas: optional(nameOf('listener'), { doc: 'Where connections that only read come in; they go to replicas. Needs a `kind` with roles.', without: 'there is no such way in' }),
    kind: key(oneOf(tcpKinds), {
      doc: '`postgres` and `redis`: the endpoints are asked which one is the primary, and nothing else gets a connection that may write.',
      default: 'plain',
    }),
    user: optional(filled('text', 'a text', { max: nameMax }), { doc: 'Who asks for the role.', without: 'PostgreSQL: `postgres`; Redis: its default user' }),
    password: optional(text('text', { max: 1_024 }), { doc: 'Its password, best as `${file:PATH}`.', without: 'none', secret: true }),
    database: optional(filled('text', 'a text', { max: nameMax }), { doc: 'For `postgres`: the database it asks in.', without: '`postgres`' }),
    readFromPrimary: key(boolean, { doc: 'While there is no replica, `replicas` leads to the primary. Otherwise those connections wait.', default: true }),
    maxLag: optional(timeout, { doc: 'A replica further behind gets no new connections.', without: 'any replica will do' }),
    interval: key(duration(ms(50), seconds(60)), { doc: 'From one question for the role, or one test connection, to the next; 250 ms while a primary is sought.', default: seconds(1) }),
    timeout: key(duration(ms(10), seconds(60)), { doc: 'No answer by then is a failure.', default: seconds(1) }),
    idleTimeout: key(duration(seconds(1)), { doc: 'A connection without a byte either way is closed.', default: minutes(60) }),
  },
  { short: ['listener'] },
)

export type TcpSettings = Value<typeof tcp>

/** Keys that are about requests: a TCP service has none. */
const requestKeys = ['routes', 'health', 'redirect', 'headers', 'cors', 'allow', 'deny', 'trustedProxies', 'limits', 'compression', 'errorPages', 'maintenancePage', 'resilience.retries', 'resilience.hedge', 'resilience.breaker', 'resilience.ejection', 'resilience.rateLimit', 'resilience.concurrency', 'resilience.queue', 'balance.sticky', 'balance.hashHeader', 'balance.sticky', 'split', 'splitBy', 'mirror'] as const
/** Keys that ask for a role. */
const roleKeys = ['replicas', 'user', 'password', 'database', 'readFromPrimary', 'maxLag'] as const

export function checkTcp(path: string, settings: NonNullable<Draft<TcpSettings>>, report: Report): void {
  for (const key of requestKeys) {
    if (report.given(`${path}.${key}`)) report.keyProblem(`${path}.${key}`, { message: 'means nothing for a TCP service, which knows of no requests', hint: 'leave it out' })
  }
  if (settings.kind === 'plain') {
    for (const key of roleKeys) {
      if (report.given(`${path}.tcp.${key}`)) report.keyProblem(`${path}.tcp.${key}`, { message: 'needs endpoints that have roles', hint: 'set kind: postgres or kind: redis' })
    }
  }
  if (settings.kind === 'redis' && report.given(`${path}.tcp.database`)) report.keyProblem(`${path}.tcp.database`, { message: 'means nothing for redis', hint: 'leave it out' })
}

export interface Entrance {
  readonly path: string
  readonly listener: string
}

/** The listeners that it takes for itself. */
export function entrances(path: string, settings: Draft<TcpSettings>): Entrance[] {
  const taken: Entrance[] = []
  if (settings?.listener !== undefined) taken.push({ path: `${path}.tcp.listener`, listener: settings.listener })
  if (settings?.replicas !== undefined) taken.push({ path: `${path}.tcp.replicas`, listener: settings.replicas })
  return taken
}
