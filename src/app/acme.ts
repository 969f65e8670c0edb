/**
 * Certificates by ACME (RFC 8555, HTTP-01): obtained for listeners that ask for it, and renewed when two thirds of their life are over. The
 * data plane answers the challenges on its plain listeners. What is in use stays in use until the new one is there.
 *
 *   look (every 5 s) ──due──▶ order ──▶ challenge in the view ──▶ certificate in its file ──▶ taken up like any file
 *                                └──failed──▶ told, and tried again later: 1 min, 2 min, … 6 h
 */
import { createHash, X509Certificate } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AcmeConfig, Config } from '../config/types.ts'
import { codeOf, messageOf } from '../kernel/errors.ts'
import type { EventSink } from '../kernel/events.ts'
import { privateDirectory, writeFileAtomic } from '../kernel/files.ts'
import { jitter, type Random } from '../kernel/random.ts'
import type { Clock } from '../kernel/time.ts'
import { loadAcmeClient } from './acme-client.ts'

const firstRetryMs = 60_000
const lastRetryMs = 6 * 60 * 60_000
/** What `Retry-After` may ask for: one that asks for more is asked once a day all the same. */
const askedWaitMaxMs = 24 * 60 * 60_000
/** When the authority says that it was asked too often. */
const rateLimitedMs = 60 * 60_000
const renewAfterShare = 2 / 3

/** Where the certificate of a listener lies, its key with it: they cannot be out of step. */
export const acmeFile = (data: string, listener: string): string => join(data, 'acme', `${listener}.pem`)

export interface AcmeDeps {
  readonly clock: Clock
  readonly random: Random
  readonly events: EventSink
  readonly config: () => Config
  /** Resolves when every worker gives (or, with undefined, no longer gives) this answer. */
  readonly challenge: (token: string, answer: string | undefined) => Promise<void>
  /** Takes new files up. */
  readonly takeUp: () => Promise<void>
}

interface Trouble {
  readonly waitMs: number
  /** Wall time. */
  readonly until: number
}

export class Acme {
  readonly #deps: AcmeDeps
  /** Wall time of the renewal, by certificate. */
  readonly #due = new Map<string, number>()
  readonly #trouble = new Map<string, Trouble>()
  #busy = false
  #stopped = false

  constructor(deps: AcmeDeps) {
    this.#deps = deps
  }

  /** Begins what is due, one at a time; resolves when nothing is under way. */
  async look(): Promise<void> {
    if (this.#busy) return
    this.#busy = true
    try {
      const { listeners, data } = this.#deps.config()
      for (const [listener, { tls }] of Object.entries(listeners)) {
        if (!this.#stopped && tls?.acme && (await this.#isDue(listener, tls.acme, data))) await this.#renew(listener, tls.acme, data)
      }
    } finally {
      this.#busy = false
    }
  }

  stop(): void {
    this.#stopped = true
  }

  async #isDue(listener: string, { hosts }: AcmeConfig, data: string): Promise<boolean> {
    const now = this.#deps.clock.wallTime()
    if (now < (this.#trouble.get(listener)?.until ?? 0)) return false
    const certificate = await readCertificate(acmeFile(data, listener))
    if (certificate === undefined || hosts.some((host) => certificate.checkHost(host) === undefined)) return true
    const due = this.#due.get(certificate.fingerprint256) ?? dueAt(certificate, this.#deps.random)
    this.#due.set(certificate.fingerprint256, due)
    return now >= due
  }

  async #renew(listener: string, acme: AcmeConfig, data: string): Promise<void> {
    const { events } = this.#deps
    try {
      const pem = await this.#order(acme, data)
      await writeFileAtomic(acmeFile(data, listener), pem, 0o600)
      this.#trouble.delete(listener)
      const expiresAt = new Date(new X509Certificate(pem).validTo).toISOString()
      events.emit('acme.obtained', {
        message: `listener ${listener} has a certificate for ${acme.hosts.join(', ')} by ACME, until ${expiresAt}`,
        data: { listener, hosts: acme.hosts, expiresAt },
      })
      await this.#deps.takeUp()
    } catch (error) {
      if (!this.#stopped) this.#failed(listener, acme, error)
    }
  }

  async #order({ email, directory, hosts }: AcmeConfig, data: string): Promise<string> {
    const { Client, crypto } = await loadAcmeClient(() => this.#deps.clock.wallTime())
    const client = new Client({
      directoryUrl: directory,
      accountKey: await accountKey(data, directory, () => crypto.createPrivateEcdsaKey()),
    })
    const [key, csr] = await crypto.createCsr({ commonName: hosts[0] ?? '', altNames: [...hosts] }, await crypto.createPrivateEcdsaKey())
    const certificate = await client.auto({
      csr,
      termsOfServiceAgreed: true,
      ...(email !== undefined && { email }),
      challengePriority: ['http-01'],
      // It would ask from here, where names may lead elsewhere than for the authority.
      skipChallengeVerification: true,
      challengeCreateFn: (_authorization, challenge, answer) => this.#deps.challenge(challenge.token, answer),
      challengeRemoveFn: (_authorization, challenge) => this.#deps.challenge(challenge.token, undefined),
    })
    return `${certificate.trim()}\n${key.toString().trim()}\n`
  }

  #failed(listener: string, { hosts }: AcmeConfig, error: unknown): void {
    const { clock, random, events } = this.#deps
    // Of a connection that failed by IPv4 and IPv6 there is no message.
    const reason = messageOf(error) || (codeOf(error) ?? 'no reason is known')
    const before = this.#trouble.get(listener)?.waitMs
    const usual = before === undefined ? firstRetryMs : Math.min(before * 2, lastRetryMs)
    const limited = /rate.?limit|too many/i.test(reason) ? rateLimitedMs : 0
    const until = clock.wallTime() + Math.max(askedToWait(error), jitter(random, Math.max(usual, limited), 0.1))
    this.#trouble.set(listener, { waitMs: usual, until })
    const retryAt = new Date(until).toISOString()
    events.emit('acme.failed', {
      message: `getting a certificate for ${hosts.join(', ')} (listener ${listener}) failed: ${reason}; the one in use stays, and it is tried again at ${retryAt}`,
      level: 'error',
      data: { listener, hosts, reason, retryAt },
    })
  }
}

/** By the authority. */
function askedToWait(error: unknown): number {
  const { retryAfterMs } = ((error as { details?: unknown }).details ?? {}) as { retryAfterMs?: number }
  return Math.min(retryAfterMs ?? 0, askedWaitMaxMs)
}

function dueAt({ validFrom, validTo }: X509Certificate, random: Random): number {
  const from = Date.parse(validFrom)
  return from + jitter(random, (Date.parse(validTo) - from) * renewAfterShare, 0.02)
}

/** One account for each authority. */
async function accountKey(data: string, directory: string, make: () => Promise<Buffer>): Promise<Buffer> {
  const folder = join(data, 'acme')
  const file = join(folder, `account-${createHash('sha256').update(directory).digest('hex').slice(0, 16)}.key`)
  try {
    return await readFile(file)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
  const key = await make()
  await mkdir(folder, { recursive: true, mode: privateDirectory })
  await writeFileAtomic(file, key, 0o600)
  return key
}

async function readCertificate(file: string): Promise<X509Certificate | undefined> {
  try {
    return new X509Certificate(await readFile(file))
  } catch {
    // None yet, or damaged: a new one is got.
    return undefined
  }
}
