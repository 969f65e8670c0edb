/**
 * API keys: long-lived credentials for programs, kept in the store as the hash of their secret. All are held in memory
 * and follow the store by a watch, so that checking one is a lookup and revoking one on any node reaches every node.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { formatDuration } from '../kernel/duration.ts'
import { HoldfastError } from '../kernel/errors.ts'
import { wallTime, type Clock, type Duration, type WallTime } from '../kernel/time.ts'
import type { Change, Entry, StateStore } from '../store/port.ts'
import { formatApiKey, keyIdLength, parseApiKey } from './core/api-key.ts'
import { isRole, type Role } from './core/roles.ts'
import { subjectPattern } from './tokens.ts'
import type { ApiKeyInfo, Authentication } from './types.ts'

const prefix = 'apikeys/'
export const apiKeysMax = 1_000
export const apiKeyTtlDefault = 90 * 86_400_000
export const apiKeyTtlMax = 365 * 86_400_000
const usedResolution = 60_000

interface ApiKeyRecord {
  readonly name: string
  readonly role: Role
  /** Hex SHA-256 of the secret: it has 256 random bits, so a slow hash would protect nothing. */
  readonly secretHash: string
  readonly createdAt: WallTime
  readonly createdBy: string
  readonly expiresAt: WallTime
  readonly lastUsedAt?: WallTime
}

interface Held {
  readonly record: ApiKeyRecord
  /** `secretHash` as bytes, made once: comparing with a key that exists must not take longer than with one that does not. */
  readonly hash: Buffer
  readonly modRevision: number
}

/** Compared with when the key id is unknown, so that both ways take the same time. */
const nobodysHash = sha256('nobody')

export class ApiKeys {
  readonly #store: StateStore
  readonly #clock: Clock
  readonly #onError: (error: unknown) => void
  readonly #held = new Map<string, Held>()
  /** The revision at which a key went: what arrives late must not bring it back. */
  readonly #goneAt = new Map<string, number>()
  /** Keys whose use is being written down; also what keeps two requests from writing it twice. */
  readonly #recording = new Map<string, Promise<void>>()
  #watch: Disposable | undefined

  constructor(store: StateStore, clock: Clock, onError: (error: unknown) => void) {
    this.#store = store
    this.#clock = clock
    this.#onError = onError
  }

  /** Watches first and lists second, so that nothing falls between. */
  async start(): Promise<void> {
    const onChange = (change: Change): void => {
      if (change.type === 'put') this.#hold(change.entry)
      else this.#drop(change.key.slice(prefix.length), change.modRevision)
    }
    this.#watch = this.#store.watch(prefix, onChange, { onError: this.#onError })
    for (const entry of await this.#store.list(prefix)) this.#hold(entry)
  }

  async stop(): Promise<void> {
    this.#watch?.[Symbol.dispose]()
    this.#watch = undefined
    await Promise.all(this.#recording.values())
  }

  /** The key itself is in the answer and nowhere else: it cannot be shown again. */
  async create(wanted: {
    readonly name: string
    readonly role: Role
    readonly ttl?: Duration | undefined
    readonly createdBy: string
  }): Promise<ApiKeyInfo & { readonly key: string }> {
    const { name, role, createdBy } = wanted
    const ttl = wanted.ttl ?? apiKeyTtlDefault
    if (!subjectPattern.test(name)) {
      throw new HoldfastError('invalid_input', `could not make an API key with the name ${JSON.stringify(name)}`, {
        hint: 'use letters, digits, spaces and ._:@/+-, at most 100 characters',
      })
    }
    if (!(ttl >= 1_000 && ttl <= apiKeyTtlMax)) {
      throw new HoldfastError('invalid_input', `could not make an API key that lives ${formatDuration(ttl)}`, { hint: 'ask for 1s to 365d' })
    }
    if (this.#held.size >= apiKeysMax) {
      throw new HoldfastError('conflict', `could not make an API key: there are ${this.#held.size} already`, {
        hint: 'revoke those that are not used',
      })
    }
    const { key, keyId, secret } = formatApiKey(randomBytes(keyIdLength), randomBytes(32))
    const now = this.#clock.wallTime()
    const record: ApiKeyRecord = {
      name,
      role,
      secretHash: sha256(secret).toString('hex'),
      createdAt: now,
      createdBy,
      expiresAt: wallTime(now + ttl),
    }
    const { succeeded, revision } = await this.#store.commit({
      compare: [{ key: prefix + keyId, modRevision: 0 }],
      writes: [{ put: prefix + keyId, value: record }],
    })
    if (!succeeded) throw new HoldfastError('conflict', `could not make the API key ${keyId}: it exists`, { hint: 'try again' })
    this.#hold({ key: prefix + keyId, value: record, modRevision: revision })
    return { ...shown(keyId, record), key }
  }

  /** Oldest first. Expired ones are listed until they are revoked. */
  list(): readonly ApiKeyInfo[] {
    return [...this.#held]
      .map(([keyId, { record }]) => shown(keyId, record))
      .toSorted((a, b) => a.createdAt - b.createdAt || (a.keyId < b.keyId ? -1 : 1))
  }

  /** @throws `unknown_api_key` */
  async revoke(keyId: string): Promise<void> {
    if (!this.#held.has(keyId)) throw new HoldfastError('unknown_api_key', `there is no API key ${JSON.stringify(keyId)}`)
    const { revision } = await this.#store.commit({ writes: [{ delete: prefix + keyId }] })
    this.#drop(keyId, revision)
  }

  verify(text: string): Authentication {
    const parsed = parseApiKey(text)
    if (!parsed) return { kind: 'refused', reason: 'the API key was mistyped or cut off: its checksum does not fit' }
    const held = this.#held.get(parsed.keyId)
    const matches = timingSafeEqual(sha256(parsed.secret), held?.hash ?? nobodysHash)
    if (!held || !matches) return { kind: 'refused', reason: 'the API key is unknown' }
    const { name, role, expiresAt } = held.record
    if (expiresAt <= this.#clock.wallTime()) return { kind: 'refused', reason: 'the API key has expired' }
    this.#noteUse(parsed.keyId, held)
    return { kind: 'proved', principal: { name: `apikey:${name}`, role, credential: `apikey:${parsed.keyId}`, expiresAt } }
  }

  has(keyId: string): boolean {
    return this.#held.has(keyId)
  }

  #drop(keyId: string, atRevision: number): void {
    this.#held.delete(keyId)
    this.#goneAt.set(keyId, atRevision)
    for (const oldest of this.#goneAt.keys()) {
      if (this.#goneAt.size <= apiKeysMax) break
      this.#goneAt.delete(oldest)
    }
  }

  #hold(entry: Pick<Entry, 'key' | 'value' | 'modRevision'>): void {
    const keyId = entry.key.slice(prefix.length)
    const known = Math.max(this.#held.get(keyId)?.modRevision ?? 0, this.#goneAt.get(keyId) ?? 0)
    if (known >= entry.modRevision) return
    if (isRecord(entry.value)) {
      this.#held.set(keyId, { record: entry.value, hash: Buffer.from(entry.value.secretHash, 'hex'), modRevision: entry.modRevision })
      return
    }
    this.#held.delete(keyId)
    this.#onError(new HoldfastError('apikey_unreadable', `the record of the API key ${keyId} in the store is not one`))
  }

  #noteUse(keyId: string, { record, modRevision }: Held): void {
    const minute = wallTime(Math.floor(this.#clock.wallTime() / usedResolution) * usedResolution)
    if ((record.lastUsedAt ?? 0) >= minute || this.#recording.has(keyId)) return
    const used = { ...record, lastUsedAt: minute }
    const writing = this.#store
      .commit({ compare: [{ key: prefix + keyId, modRevision }], writes: [{ put: prefix + keyId, value: used }] })
      .then(({ succeeded, revision }) => {
        if (succeeded) this.#hold({ key: prefix + keyId, value: used, modRevision: revision })
      })
      .catch(this.#onError)
      .finally(() => this.#recording.delete(keyId))
    this.#recording.set(keyId, writing)
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

const shown = (keyId: string, { name, role, createdAt, createdBy, expiresAt, lastUsedAt }: ApiKeyRecord): ApiKeyInfo => ({
  keyId,
  name,
  role,
  createdAt,
  createdBy,
  expiresAt,
  lastUsedAt,
})

function isRecord(value: unknown): value is ApiKeyRecord {
  if (typeof value !== 'object' || value === null) return false
  const { name, role, secretHash, createdAt, createdBy, expiresAt } = value as Record<string, unknown>
  return (
    typeof name === 'string' &&
    isRole(role) &&
    typeof secretHash === 'string' &&
    /^[0-9a-f]{64}$/.test(secretHash) &&
    typeof createdAt === 'number' &&
    typeof createdBy === 'string' &&
    typeof expiresAt === 'number'
  )
}
