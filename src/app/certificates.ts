/**
 * The certificates of the listeners, and those for origins: read when a configuration is applied, and again when their files have changed. What is bad is told,
 * once, and changes nothing.
 *
 *   files ──every 5 s, and with each configuration──▶ checked ──▶ differ ──▶ routing ──▶ every worker
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { loadOriginTls, loadTls, type CertificateStatus, type LoadedTls, type OriginTlsView } from '../balancer/index.ts'
import { acmeFile } from './acme.ts'
import type { Config, ListenerTlsConfig } from '../config/types.ts'
import { messageOf } from '../kernel/errors.ts'
import type { EventSink } from '../kernel/events.ts'
import type { Clock } from '../kernel/time.ts'

/** How long a new file may lie there before it is seen. Contents are compared, so links and renames are seen too. */
export const lookMs = 5_000
const dayMs = 24 * 60 * 60 * 1_000
/** Told when less than this is left. */
const warnMs = 21 * dayMs

export interface LoadedCertificates {
  readonly listeners: ReadonlyMap<string, LoadedTls>
  /** By service. */
  readonly origins: ReadonlyMap<string, OriginTlsView>
}

export const noCertificates: LoadedCertificates = { listeners: new Map(), origins: new Map() }

export interface CertificatesDeps {
  readonly clock: Clock
  readonly events: EventSink
}

/** What ACME has got so far; until it has, the certificate for development serves. */
function withObtained(tls: ListenerTlsConfig, file: string): ListenerTlsConfig {
  if (tls.acme === undefined) return tls
  if (!existsSync(file)) return { ...tls, development: true }
  return { ...tls, certificates: [...tls.certificates, { cert: file, key: file, hosts: tls.acme.hosts }] }
}

export class Certificates {
  readonly #deps: CertificatesDeps
  #current = noCertificates
  /** Said once: what is wrong, and what is about to expire. */
  #refusal: string | undefined
  readonly #warned = new Set<string>()

  constructor(deps: CertificatesDeps) {
    this.#deps = deps
  }

  get current(): LoadedCertificates {
    return this.#current
  }

  get statuses(): readonly CertificateStatus[] {
    return [...this.#current.listeners.values()].flatMap(({ certificates }) => certificates)
  }

  /** Reads what a configuration names. Rejects with `certificate_unusable`. */
  async load({ listeners, services, data }: Config): Promise<LoadedCertificates> {
    const directory = join(data, 'tls')
    const now = this.#deps.clock.wallTime()
    const loaded = new Map<string, LoadedTls>()
    for (const [name, { tls }] of Object.entries(listeners)) {
      if (tls) loaded.set(name, await loadTls(name, withObtained(tls, acmeFile(data, name)), { directory, now }))
    }
    const origins = new Map<string, OriginTlsView>()
    for (const { name, origin } of Object.values(services)) if (origin?.tls) origins.set(name, await loadOriginTls(name, origin.tls))
    return { listeners: loaded, origins }
  }

  differs(loaded: LoadedCertificates): boolean {
    const bare = (certificates: LoadedCertificates): string =>
      JSON.stringify([[...certificates.listeners].map(([name, { view }]) => [name, view]), [...certificates.origins]])
    return bare(loaded) !== bare(this.#current)
  }

  /** They are in use from now on. */
  use(loaded: LoadedCertificates): void {
    this.#current = loaded
    this.#refusal = undefined
    this.warn()
  }

  /** Those about to expire, or that have. */
  get expiring(): readonly CertificateStatus[] {
    const now = this.#deps.clock.wallTime()
    return this.statuses.filter(({ expiresAt }) => expiresAt - now <= warnMs)
  }

  /** Says which are about to expire, or have; each file once. */
  warn(): void {
    const now = this.#deps.clock.wallTime()
    for (const { listener, file, hosts, expiresAt } of this.expiring) {
      const said = `${file} ${expiresAt} ${expiresAt <= now}`
      if (this.#warned.has(said)) continue
      this.#warned.add(said)
      const at = new Date(expiresAt).toISOString()
      this.#deps.events.emit('certificate.expiring', {
        message: `the certificate ${file} of listener ${listener} ${expiresAt <= now ? `has expired (${at})` : `expires on ${at}`}`,
        level: expiresAt <= now ? 'error' : 'warning',
        data: { listener, file, hosts, expiresAt: at },
      })
    }
  }

  /** Says why files that have changed are not used; the same reason once. */
  refused(error: unknown): void {
    const reason = messageOf(error)
    if (reason === this.#refusal) return
    this.#refusal = reason
    this.#deps.events.emit('certificate.refused', {
      message: `a certificate cannot be used, and the one before it stays: ${reason}`,
      level: 'error',
      data: { reason },
    })
  }

  reloaded(): void {
    const files = this.statuses.map(({ file }) => file)
    const named = [...files, ...[...this.#current.origins.keys()].map((service) => `those for the origins of ${service}`)]
    this.#deps.events.emit('certificate.reloaded', { message: `new certificates are in use: ${named.join(', ')}`, data: { files } })
  }
}
