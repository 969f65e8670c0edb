/**
 * Certificates out of their files, checked whole before anything uses them: what is wrong with one is said with its file and the
 * reason, and what was in use stays in use.
 */
import { createPrivateKey, generateKeyPairSync, randomBytes, X509Certificate, type KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { codeOf, HoldfastError, messageOf } from '../../kernel/errors.ts'
import { makePrivateDirectory, writeFileAtomic } from '../../kernel/files.ts'
import { selfSigned } from './self-signed.ts'
import type { OriginTlsView } from '../core/origin-view.ts'
import type { CertificateView, TlsVersion, TlsView } from '../core/tls-view.ts'
import { originContext } from './dialer.ts'

const dayMs = 24 * 60 * 60 * 1_000
const developmentDays = 365
const developmentHosts = ['localhost', '127.0.0.1', '::1']

/** The `tls` of a listener as the configuration has it, paths absolute. */
interface TlsFiles {
  readonly certificates: readonly { readonly cert: string; readonly key: string; readonly hosts: readonly string[] }[]
  readonly minVersion: TlsVersion
  readonly clientCa: string | undefined
  readonly requireClientCert: boolean
  readonly development: boolean
}

/** A certificate as an operator knows it. */
export interface CertificateStatus {
  readonly listener: string
  readonly file: string
  readonly hosts: readonly string[]
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

/** Whose certificates they are. */
interface Place {
  readonly what: string
  /** In the configuration. */
  readonly key: string
  readonly details: Readonly<Record<string, string>>
}

const listenerPlace = (listener: string): Place => ({ what: `listener ${listener}`, key: `listeners.${listener}.tls`, details: { listener } })
const originPlace = (service: string): Place => ({ what: `the origins of ${service}`, key: `services.${service}.origin.tls`, details: { service } })

export interface LoadedTls {
  readonly view: TlsView
  readonly certificates: readonly CertificateStatus[]
}

/** `directory`: where the certificate for development lies. Rejects with `certificate_unusable`. */
export async function loadTls(
  listener: string,
  files: TlsFiles,
  { directory, now }: { readonly directory: string; readonly now: number },
): Promise<LoadedTls> {
  const own = files.development ? [{ ...(await developmentFiles(directory, now)), hosts: [] }] : []
  const loaded = await Promise.all([...files.certificates, ...own].map((each) => loadPair(listener, each)))
  const clientCa = files.clientCa === undefined ? undefined : await loadAuthorities(listenerPlace(listener), files.clientCa)
  const { minVersion, requireClientCert } = files
  return {
    view: { certificates: loaded.map(({ view }) => view), minVersion, clientCa, requireClientCert },
    certificates: loaded.map(({ status }) => status),
  }
}

/** The `origin.tls` of a service as the configuration has it, paths absolute. */
interface OriginTlsFiles {
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
  readonly serverName: string | undefined
  readonly verify: boolean
}

/** Rejects with `certificate_unusable`. */
export async function loadOriginTls(service: string, { ca, cert, key, serverName, verify }: OriginTlsFiles): Promise<OriginTlsView> {
  const place = originPlace(service)
  const authorities = ca === undefined ? undefined : await loadAuthorities(place, ca)
  const pair = cert === undefined || key === undefined ? undefined : await readPair(place, { cert, key })
  const view = { ca: authorities, cert: pair?.cert, key: pair?.key, serverName, verify }
  parsed(place, ca ?? cert ?? '', 'it is refused by OpenSSL', () => originContext(view))
  return view
}

async function loadPair(
  listener: string,
  pair: TlsFiles['certificates'][number],
): Promise<{ readonly view: CertificateView; readonly status: CertificateStatus }> {
  const { cert, key, certificate } = await readPair(listenerPlace(listener), pair)
  const hosts = pair.hosts.length > 0 ? pair.hosts : hostsOf(certificate)
  return { view: { cert, key, hosts }, status: { listener, file: pair.cert, hosts, expiresAt: Date.parse(certificate.validTo) } }
}

async function readPair(place: Place, pair: { readonly cert: string; readonly key: string }) {
  const [cert, key] = await Promise.all([readPem(place, pair.cert), readPem(place, pair.key)])
  const certificate = parsed(place, pair.cert, 'holds no certificate', () => new X509Certificate(cert))
  const privateKey: KeyObject = parsed(place, pair.key, 'holds no private key that can be read without a passphrase', () => createPrivateKey(key))
  if (!certificate.checkPrivateKey(privateKey)) throw unusable(place, pair.cert, `the key ${pair.key} belongs to another certificate`)
  parsed(place, pair.cert, 'it is refused by OpenSSL', () => createSecureContext({ cert, key }))
  return { cert, key, certificate }
}

/** The DNS names that the certificate is good for. */
function hostsOf(certificate: Pick<X509Certificate, 'subjectAltName'>): string[] {
  return (certificate.subjectAltName ?? '')
    .split(', ')
    .filter((name) => name.startsWith('DNS:'))
    .map((name) => name.slice('DNS:'.length).toLowerCase())
}

async function loadAuthorities(place: Place, file: string): Promise<string> {
  const pem = await readPem(place, file)
  parsed(place, file, 'holds no certificate of an authority', () => new X509Certificate(pem))
  return pem
}

async function readPem(place: Place, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw unusable(place, file, codeOf(error) === 'ENOENT' ? 'there is no such file' : messageOf(error), error)
  }
}

function parsed<T>(place: Place, file: string, what: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw unusable(place, file, `${what} (${messageOf(error)})`, error)
  }
}

const unusable = (place: Place, file: string, reason: string, cause?: unknown): HoldfastError =>
  new HoldfastError('certificate_unusable', `using ${file} for ${place.what} failed: ${reason}`, {
    hint: `correct ${place.key} or the file; until then the certificates that were in use stay in use`,
    details: { ...place.details, file },
    cause,
  })

/** Makes the pair for development when there is none, or when its time is nearly over. */
async function developmentFiles(directory: string, now: number): Promise<{ readonly cert: string; readonly key: string }> {
  const files = { cert: join(directory, 'development.crt'), key: join(directory, 'development.key') }
  if (await isFresh(files.cert, now)) return files
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const cert = selfSigned({
    hosts: developmentHosts,
    publicKey,
    privateKey,
    serial: randomBytes(16),
    notBefore: new Date(now - dayMs),
    notAfter: new Date(now + developmentDays * dayMs),
  })
  await makePrivateDirectory(directory)
  await writeFileAtomic(files.key, privateKey.export({ type: 'pkcs8', format: 'pem' }), 0o600)
  await writeFileAtomic(files.cert, cert, 0o644)
  return files
}

async function isFresh(file: string, now: number): Promise<boolean> {
  try {
    return Date.parse(new X509Certificate(await readFile(file)).validTo) - now > 30 * dayMs
  } catch {
    // None yet, or damaged: a new one is made, and what hinders that is told by the writing.
    return false
  }
}
