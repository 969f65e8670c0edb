/** The declaration of TLS at a listener, what no single key of it can know, and the way to the configuration. */
import { tlsVersions, type ListenerTlsConfig } from '../types.ts'
import { routeHost } from './addresses.ts'
import type { Report } from './checks.ts'
import { boolean, filled, oneOf } from './scalars.ts'
import { key, list, object, optional, type Draft, type Value } from './schema.ts'

const file = filled('path', 'a path')

export const listenerTls = object({
  certificates: key(
    list(
      object({
        cert: key(file, { doc: 'PEM: the certificate, then those between it and the root. From the directory of the file.' }),
        key: key(file, { doc: 'PEM: its private key, without a passphrase.' }),
        hosts: key(list(routeHost), { doc: 'The hosts it is shown to; `*.example.com` is any name one label below.', default: [], defaultDoc: 'the names in the certificate' }),
      }),
    ),
    { doc: 'The first one is shown to whoever names no host, or one that none has. Files that change are read again.', default: [] },
  ),
  minVersion: key(oneOf(tlsVersions), { doc: 'The oldest version that is spoken.', default: 'TLSv1.2' }),
  clientCa: optional(file, { doc: 'PEM: authorities whose clients are believed. The origin learns who they are.', without: 'clients are not asked for a certificate' }),
  requireClientCert: key(boolean, { doc: 'Refuses clients without a certificate of `clientCa`.', default: false }),
  development: key(boolean, { doc: 'Makes a certificate for `localhost` that is signed by itself, kept in the data directory.', default: false }),
})

export type TlsSettings = Value<typeof listenerTls>

export function checkTls(path: string, tls: NonNullable<Draft<TlsSettings>>, report: Report): void {
  if (tls.certificates?.length === 0 && tls.development === false) {
    report.keyProblem(path, { message: 'has no certificate', hint: 'give it certificates: [{ cert, key }], or development: true for one made here' })
  }
  if (tls.requireClientCert === true && !report.given(`${path}.clientCa`)) {
    report.keyProblem(`${path}.requireClientCert`, { message: 'needs clientCa', hint: 'give the file of the authorities whose clients may come in' })
  }
}

export function toTls(tls: TlsSettings, resolve: (path: string) => string): ListenerTlsConfig {
  const { certificates, minVersion, clientCa, requireClientCert, development } = tls
  return {
    certificates: certificates.map(({ cert, key, hosts }) => ({ cert: resolve(cert), key: resolve(key), hosts })),
    minVersion,
    clientCa: clientCa === undefined ? undefined : resolve(clientCa),
    requireClientCert,
    development,
  }
}
