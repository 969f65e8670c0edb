/** The declaration of TLS at a listener, what no single key of it can know, and the way to the configuration. */
import { tlsVersions, type AcmeConfig, type ListenerTlsConfig } from '../types.ts'
import { routeHost } from './addresses.ts'
import type { Report } from './checks.ts'
import { boolean, filled, oneOf, text } from './scalars.ts'
import { key, list, object, optional, type Draft, type Value } from './schema.ts'

const file = filled('path', 'a path')

const directoryUrl = text('URL', { max: 2_048, expected: 'a URL such as https://acme-v02.api.letsencrypt.org/directory', matching: /^https:\/\/[^\s/]+\/\S*$/ })
const emailAddress = filled('address', 'an address such as ops@example.com', { max: 254, matching: /^[^\s@]+@[^\s@]+$/ })
const certifiedHost = { ...routeHost, read: (text: string) => (text.includes('*') ? undefined : routeHost.read(text)), expected: 'a host name such as shop.example.com' }

const acme = object({
  hosts: key(list(certifiedHost, { min: 1 }), { doc: 'The names in the certificate. Port 80 of each must lead to a plain listener of this node.' }),
  agreeToTerms: key(boolean, { doc: 'You agree to the terms of the authority; without that nothing is asked for.', default: false }),
  email: optional(emailAddress, { doc: 'Where the authority writes to.', without: 'it writes to nobody' }),
  directory: key(directoryUrl, { doc: 'The authority.', default: 'https://acme-v02.api.letsencrypt.org/directory' }),
})

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
  acme: optional(acme, { doc: 'A certificate got and renewed by ACME (HTTP-01). It needs the package `acme-client`.', without: 'none' }),
  development: key(boolean, { doc: 'Makes a certificate for `localhost` that is signed by itself, kept in the data directory.', default: false }),
})

export type TlsSettings = Value<typeof listenerTls>

export function checkTls(path: string, tls: NonNullable<Draft<TlsSettings>>, report: Report): void {
  if (tls.certificates?.length === 0 && tls.development === false && !report.given(`${path}.acme`)) {
    report.keyProblem(path, { message: 'has no certificate', hint: 'give it certificates: [{ cert, key }], or development: true for one made here' })
  }
  if (tls.acme?.agreeToTerms === false) {
    report.keyProblem(`${path}.acme`, { message: 'needs agreeToTerms: true', hint: 'read the terms of the authority; it gives certificates only to who agrees to them' })
  }
  if (tls.requireClientCert === true && !report.given(`${path}.clientCa`)) {
    report.keyProblem(`${path}.requireClientCert`, { message: 'needs clientCa', hint: 'give the file of the authorities whose clients may come in' })
  }
}

function toAcme({ hosts, email, directory }: NonNullable<TlsSettings['acme']>): AcmeConfig {
  return { hosts, email, directory, agreeToTerms: true }
}

export function toTls(tls: TlsSettings, resolve: (path: string) => string): ListenerTlsConfig {
  const { certificates, minVersion, clientCa, requireClientCert, development, acme } = tls
  return {
    certificates: certificates.map(({ cert, key, hosts }) => ({ cert: resolve(cert), key: resolve(key), hosts })),
    minVersion,
    clientCa: clientCa === undefined ? undefined : resolve(clientCa),
    requireClientCert,
    development,
    ...(acme && { acme: toAcme(acme) }),
  }
}
