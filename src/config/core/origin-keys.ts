/** The declaration of how endpoints are spoken to, what no single key of it can know, and the way to the configuration and back. */
import { originProtocols, proxyProtocolVersions, type OriginConfig, type OriginTlsConfig, type TcpKind } from '../types.ts'
import type { Report } from './checks.ts'
import { serverName } from './addresses.ts'
import { boolean, filled, oneOf } from './scalars.ts'
import { key, object, optional, type Draft, type Value } from './schema.ts'

const file = filled('path', 'a path')

const originTls = object(
  {
    enabled: key(boolean, { doc: 'Whether endpoints are spoken to by TLS.', default: true }),
    ca: optional(file, { doc: 'PEM: the authorities that are believed, in place of the usual ones.', without: 'the authorities that Node.js knows' }),
    cert: optional(file, { doc: 'PEM: our certificate for endpoints that ask for one.', without: 'none is shown' }),
    key: optional(file, { doc: 'PEM: its private key, without a passphrase.', without: 'none' }),
    serverName: optional(serverName, { doc: 'The name that is asked for and must be in the certificate.', without: 'the host of the endpoint' }),
    verify: key(boolean, { doc: '`false` believes every certificate: whoever is in between can read and change everything.', default: true }),
  },
  { short: ['enabled'] },
)

export const originKeys = object({
  protocol: key(oneOf(originProtocols), { doc: 'What they speak. `h2` is HTTP/2, which gRPC needs: with `tls` by ALPN, without from the first byte on.', default: 'http1' }),
  proxyProtocol: optional(oneOf(proxyProtocolVersions), { doc: 'The version of the PROXY protocol that tells them first whose connection it is. A connection then carries the requests of one client connection only.', without: 'it is not spoken' }),
  tls: optional(originTls, { doc: 'TLS to endpoints: `tls: true`. Files that change are read again. With `tcp` it is how the role is asked; connections of clients are carried as they are.', without: 'plain' }),
})

export type OriginSettings = Value<typeof originKeys>

function checkTls(path: string, tls: NonNullable<Draft<OriginSettings>>['tls'], report: Report): void {
  const given = (name: string): boolean => report.given(`${path}.tls.${name}`)
  if (given('cert') !== given('key')) {
    const [there, missing] = given('cert') ? ['cert', 'key'] : ['key', 'cert']
    report.keyProblem(`${path}.tls.${there}`, { message: `needs ${missing}`, hint: 'a certificate and its private key go together' })
  }
  if (tls?.verify === false && given('ca')) {
    report.keyProblem(`${path}.tls.ca`, { message: 'means nothing with verify: false', hint: 'leave out verify: only certificates of this authority are then believed' })
  }
}

export function checkOrigin(path: string, origin: NonNullable<Draft<OriginSettings>>, report: Report): void {
  checkTls(path, origin.tls, report)
  if (origin.protocol === 'h2' && origin.proxyProtocol !== undefined) {
    report.keyProblem(`${path}.proxyProtocol`, { message: 'means nothing with protocol: h2', hint: 'leave one of them out: a connection of HTTP/2 is shared by many clients' })
  }
}

/** Of a service whose connections are carried as they are: TLS is for the questions about roles. */
export function checkTcpOrigin(path: string, origin: NonNullable<Draft<OriginSettings>>, kind: TcpKind | undefined, report: Report): void {
  const hasRoles = kind !== undefined && kind !== 'plain'
  for (const name of ['protocol', ...(hasRoles ? [] : ['tls'])].filter((name) => report.given(`${path}.${name}`))) {
    report.keyProblem(`${path}.${name}`, { message: 'means nothing for tcp', hint: 'leave it out: the bytes of a connection are carried as they are' })
  }
  if (hasRoles) checkTls(path, origin.tls, report)
  if (hasRoles && report.given(`${path}.proxyProtocol`)) {
    report.keyProblem(`${path}.proxyProtocol`, { message: `is not understood by ${kind}`, hint: 'leave it out' })
  }
}

export function toOrigin({ protocol, proxyProtocol, tls }: OriginSettings, resolve: (path: string) => string): OriginConfig | undefined {
  const origin: OriginConfig = {
    ...(protocol !== 'http1' && { protocol }),
    ...(tls?.enabled === true && { tls: toOriginTls(tls, resolve) }),
    ...(proxyProtocol !== undefined && { proxyProtocol }),
  }
  return Object.keys(origin).length === 0 ? undefined : origin
}

function toOriginTls({ ca, cert, key, serverName, verify }: NonNullable<OriginSettings['tls']>, resolve: (path: string) => string): OriginTlsConfig {
  const path = (file: string | undefined): string | undefined => (file === undefined ? undefined : resolve(file))
  return { ca: path(ca), cert: path(cert), key: path(key), serverName: serverName?.toLowerCase(), verify }
}

export function fromOrigin(origin: OriginConfig | undefined): Draft<OriginSettings> {
  return origin && { protocol: origin.protocol ?? 'http1', ...(origin.proxyProtocol && { proxyProtocol: origin.proxyProtocol }), ...(origin.tls && { tls: { enabled: true, ...origin.tls } }) }
}
