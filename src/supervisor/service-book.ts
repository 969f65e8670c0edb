/**
 * What is remembered of each service across configurations and restarts of ours: the number of its revision, the
 * newest one that has worked, a scale set by hand, and how long it takes to boot.
 */
import { specHash } from '../config/index.ts'
import type { ProcessSource, ServiceConfig } from '../config/types.ts'
import { assert } from '../kernel/errors.ts'
import { ms, type Clock, type Duration } from '../kernel/time.ts'
import type { Journal } from './journal.ts'
import { keys, type RevisionRecord, type ServiceRecord } from './records.ts'

/** A service whose instances are processes. */
export type ProcessService = ServiceConfig & { readonly source: ProcessSource }

/** Boot times remembered of each service. */
const bootsKept = 10
/** Of fewer nothing is concluded about the slow ones. */
const bootsForP95 = 3

export class ServiceBook {
  readonly #clock: Clock
  readonly #journal: Journal
  readonly #records = new Map<string, ServiceRecord>()

  constructor(clock: Clock, journal: Journal) {
    this.#clock = clock
    this.#journal = journal
  }

  load(records: readonly ServiceRecord[]): void {
    for (const record of records) this.#records.set(record.name, record)
  }

  has(name: string): boolean {
    return this.#records.has(name)
  }

  get(name: string): ServiceRecord {
    const record = this.#records.get(name)
    assert(record, `nothing is known of service ${name}`)
    return record
  }

  /** Takes the service as it shall be; a spec that was seen last, or that works now, keeps its number. */
  want(service: ProcessService): ServiceRecord {
    const known = this.#records.get(service.name)
    const hash = specHash(service)
    const revision = [known?.revision, known?.stable].find((one) => one?.specHash === hash) ?? this.#newRevision(service, hash, known)
    const base = service.instances.min
    const scale = known?.scale?.base === base ? known.scale : undefined
    const record: ServiceRecord = {
      name: service.name,
      revision,
      ...(known?.stable ? { stable: known.stable } : {}),
      lastNumber: Math.max(known?.lastNumber ?? 0, revision.number),
      ...(scale ? { scale } : {}),
      stop: service.stop,
      boots: known?.boots ?? [],
    }
    this.#put(record)
    return record
  }

  #newRevision({ version, source }: ProcessService, specHash: string, known: ServiceRecord | undefined): RevisionRecord {
    const number = (known?.lastNumber ?? 0) + 1
    return { number, specHash, ...(version === undefined ? {} : { version }), createdAt: this.#clock.wallTime(), source }
  }

  /** How many instances there shall be: as set by hand, else as configured. */
  desired({ name, instances }: ServiceConfig): number {
    return this.get(name).scale?.instances ?? instances.min
  }

  scale({ name, instances: { min: base } }: ServiceConfig, instances: number): void {
    const { scale: _, ...record } = this.get(name)
    this.#put(instances === base ? record : { ...record, scale: { instances, base } })
  }

  /** The wanted revision works. */
  proven(name: string, number: number): void {
    const record = this.get(name)
    if (record.revision.number === number) this.#put({ ...record, stable: record.revision })
  }

  booted(name: string, boot: Duration): void {
    const record = this.get(name)
    this.#put({ ...record, boots: [...record.boots, Math.round(boot)].slice(-bootsKept) })
  }

  /** Middle of the latest boot times. */
  bootTime(name: string): Duration | undefined {
    const sorted = [...(this.#records.get(name)?.boots ?? [])].sort((a, b) => a - b)
    const middle = sorted[Math.floor(sorted.length / 2)]
    return middle === undefined ? undefined : ms(middle)
  }

  /** Nearly all of the latest boots took no longer (nearest rank); undefined: there were too few. */
  bootP95(name: string): Duration | undefined {
    const sorted = [...(this.#records.get(name)?.boots ?? [])].sort((a, b) => a - b)
    const high = sorted.length < bootsForP95 ? undefined : sorted[Math.ceil(0.95 * sorted.length) - 1]
    return high === undefined ? undefined : ms(high)
  }

  revision(name: string, number: number): RevisionRecord | undefined {
    const record = this.#records.get(name)
    return [record?.revision, record?.stable].find((one) => one?.number === number)
  }

  forget(name: string): void {
    this.#records.delete(name)
    this.#journal.delete(keys.service(name))
  }

  #put(record: ServiceRecord): void {
    const known = this.#records.get(record.name)
    this.#records.set(record.name, record)
    if (JSON.stringify(known) !== JSON.stringify(record)) this.#journal.put(keys.service(record.name), record)
  }
}
