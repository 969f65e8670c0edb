/**
 * The certificates of the listeners: read when a configuration is applied, and again when their files have changed. What is bad is told,
 * once, and changes nothing.
 *
 *   files ──every 5 s, and with each configuration──▶ checked ──▶ differ ──▶ routing ──▶ every worker
 */
import { join } from 'node:path'
import { loadTls, type CertificateStatus, type LoadedTls } from '../balancer/index.ts'
import type { Config } from '../config/types.ts'
import { messageOf } from '../kernel/errors.ts'
import type { EventSink } from '../kernel/events.ts'
import type { Clock } from '../kernel/time.ts'

/** How long a new file may lie there before it is seen. Contents are compared, so links and renames are seen too. */
export const lookMs = 5_000
const dayMs = 24 * 60 * 60 * 1_000
/** Told when less than this is left. */
const warnMs = 21 * dayMs

export type CertificatesByListener = ReadonlyMap<string, LoadedTls>

export interface CertificatesDeps {
  readonly clock: Clock
  readonly events: EventSink
}

export class Certificates {
  readonly #deps: CertificatesDeps
  #current: CertificatesByListener = new Map()
  /** Said once: what is wrong, and what is about to expire. */
  #refusal: string | undefined
  readonly #warned = new Set<string>()

  constructor(deps: CertificatesDeps) {
    this.#deps = deps
  }

  get current(): CertificatesByListener {
    return this.#current
  }

  get statuses(): readonly CertificateStatus[] {
    return [...this.#current.values()].flatMap(({ certificates }) => certificates)
  }

  /** Reads what a configuration names. Rejects with `certificate_unusable`. */
  async load({ listeners, data }: Config): Promise<CertificatesByListener> {
    const directory = join(data, 'tls')
    const now = this.#deps.clock.wallTime()
    const loaded = new Map<string, LoadedTls>()
    for (const [name, { tls }] of Object.entries(listeners)) if (tls) loaded.set(name, await loadTls(name, tls, { directory, now }))
    return loaded
  }

  differs(loaded: CertificatesByListener): boolean {
    const bare = (certificates: CertificatesByListener): string => JSON.stringify([...certificates].map(([name, { view }]) => [name, view]))
    return bare(loaded) !== bare(this.#current)
  }

  /** They are in use from now on. */
  use(loaded: CertificatesByListener): void {
    this.#current = loaded
    this.#refusal = undefined
    this.warn()
  }

  /** Says which are about to expire, or have; each file once. */
  warn(): void {
    const now = this.#deps.clock.wallTime()
    for (const { listener, file, hosts, expiresAt } of this.statuses) {
      const said = `${file} ${expiresAt} ${expiresAt <= now}`
      if (expiresAt - now > warnMs || this.#warned.has(said)) continue
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
    this.#deps.events.emit('certificate.reloaded', { message: `new certificates are in use: ${files.join(', ')}`, data: { files } })
  }
}
