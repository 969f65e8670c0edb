/**
 * The configuration in force, and how it is changed: read and checked whole, given to the routing, written down, and only then
 * to the supervisor. One that is bad, or that cannot be written, changes nothing.
 */
import {
  configTag,
  diffConfig,
  loadConfig,
  parseConfig,
  problemLine,
  problemsOf,
  type Config,
  type ConfigDifference,
  type LoadedConfig,
} from '../config/index.ts'
import { HoldfastError, messageOf } from '../kernel/errors.ts'
import type { EventSink } from '../kernel/events.ts'
import { writeFileAtomic } from '../kernel/files.ts'
import type { StateStore } from '../store/index.ts'
import type { Supervisor } from '../supervisor/index.ts'
import type { Certificates } from './certificates.ts'
import type { Actor } from './operations.ts'
import { nameOwner } from './port-conflict.ts'
import type { Routing, Switches } from './routing.ts'
import { pruneSwitches, saveSwitches } from './switches.ts'

export interface ConfigurationDeps {
  readonly env: NodeJS.ProcessEnv
  readonly events: EventSink
  readonly store: StateStore
  readonly routing: Routing
  readonly supervisor: Supervisor
  readonly certificates: Certificates
  /** Runs one change after the other. */
  readonly exclusive: <T>(change: () => Promise<T>) => Promise<T>
}

export class Configuration {
  readonly #deps: ConfigurationDeps
  #loaded: LoadedConfig
  #effective: Config

  constructor(deps: ConfigurationDeps, loaded: LoadedConfig) {
    this.#deps = deps
    this.#loaded = loaded
    this.#effective = loaded.config
  }

  /** What is in force: the file's configuration, except for keys that need a restart of Holdfast to change. */
  get effective(): Config {
    return this.#effective
  }

  get loaded(): LoadedConfig {
    return { ...this.#loaded, config: this.#effective }
  }

  /** Reads the configuration file (or takes `text` in its place). Throws what `loadConfig` throws. */
  #read(text?: string): LoadedConfig {
    const file = this.#loaded.config.file
    if (file === undefined && text === undefined) return this.#loaded
    const { env } = this.#deps
    return text === undefined ? loadConfig({ file, env, cwd: process.cwd() }) : parseConfig(text, { file, env })
  }

  /** What applying would change. */
  preview(text?: string): { readonly differences: readonly ConfigDifference[]; readonly next: Config } {
    const next = this.#read(text)
    return { differences: diffConfig({ config: this.#effective, origins: this.#loaded.origins }, next), next: next.config }
  }

  /**
   * Applies the file, or `text`, which then becomes the file. One at a time; one that is bad or cannot be written changes nothing.
   *
   * @param ifTag - the tag that the configuration in force must have when its turn comes; rejects with `stale` when it has another.
   */
  apply(text: string | undefined, actor: Actor, ifTag?: string): Promise<readonly ConfigDifference[]> {
    return this.#deps.exclusive(() => {
      if (ifTag !== undefined && ifTag !== configTag(this.#effective)) {
        throw new HoldfastError('stale', 'the configuration has changed since it was read', { hint: 'read it again, and apply your change to that' })
      }
      return this.#applyNow(text, actor)
    })
  }

  /** Looks whether the files of certificates have changed. New ones take over; bad ones are told and change nothing. */
  async lookAtCertificates(): Promise<void> {
    const { certificates, routing } = this.#deps
    const before = certificates.current
    try {
      const loaded = await certificates.load(this.#effective)
      if (!certificates.differs(loaded)) {
        certificates.warn()
        return
      }
      routing.certify(loaded)
      await routing.publish()
      certificates.use(loaded)
      certificates.reloaded()
    } catch (error) {
      routing.certify(before)
      certificates.refused(error)
    }
  }

  async #applyNow(text: string | undefined, actor: Actor): Promise<readonly ConfigDifference[]> {
    let next: LoadedConfig
    try {
      next = this.#read(text)
    } catch (error) {
      this.#refused(error, actor)
      throw error
    }
    const differences = diffConfig({ config: this.#effective, origins: this.#loaded.origins }, next)
    const before = this.#effective
    const switchesBefore = this.#deps.routing.switches
    const effective = withoutRestartKeys(before, next.config)
    const switches = pruneSwitches(switchesBefore, effective)
    const { certificates } = this.#deps
    const certificatesBefore = certificates.current
    try {
      const loaded = await certificates.load(effective)
      const recertified = certificates.differs(loaded)
      this.#deps.routing.certify(loaded)
      // The files of pages may have changed though the configuration has not.
      if (recertified || differences.length > 0 || effective.errorPages || Object.values(effective.services).some(({ pages }) => pages)) {
        this.#deps.routing.configure(effective, switches)
        await this.#deps.routing.publish()
      }
      await this.#writeDown(text, switches, switchesBefore)
      certificates.use(loaded)
      if (recertified) certificates.reloaded()
    } catch (thrown) {
      const error = nameOwner(thrown)
      this.#deps.routing.certify(certificatesBefore)
      this.#deps.routing.configure(before, switchesBefore)
      await this.#deps.routing.publish()
      this.#refused(error, actor)
      throw error
    }
    this.#loaded = next
    this.#effective = effective
    const cause = this.#announceApplied(differences, actor)
    // Also without a difference: `up` means "try again" to what has come to rest.
    const report = this.#deps.supervisor.apply(Object.values(effective.services), { drainTimeout: effective.cluster.gracefulShutdownTimeout })
    for (const service of report.added) this.#deps.events.emit('service.added', { message: `${service} was added`, service, cause, data: {} })
    for (const service of report.removed) this.#deps.events.emit('service.removed', { message: `${service} was removed`, service, cause, data: {} })
    for (const { service, revision } of report.changed) {
      const changes = differences.filter(({ path }) => path.startsWith(`services.${service}.`)).map(({ path }) => path)
      this.#deps.events.emit('service.changed', { message: `${service} becomes revision ${revision}`, service, cause, data: { revision, changes } })
    }
    return differences
  }

  /** The switches that are left, then the file. Rejects with `config_unwritable`; both are then as they were. */
  async #writeDown(text: string | undefined, switches: Switches, before: Switches): Promise<void> {
    const { file } = this.#loaded.config
    try {
      if (switches !== before) await saveSwitches(this.#deps.store, switches)
      if (text === undefined || file === undefined) return
      try {
        await writeFileAtomic(file, text, 0o644)
      } catch (error) {
        if (switches !== before) await saveSwitches(this.#deps.store, before)
        throw error
      }
    } catch (cause) {
      throw new HoldfastError(
        'config_unwritable',
        `writing the new configuration${file === undefined ? '' : ` to ${file}`} failed: ${messageOf(cause)}`,
        {
          cause,
          hint: 'nothing has changed; make room on the disk, or let the user that runs holdfast write there, and try again',
        },
      )
    }
  }

  #refused(error: unknown, actor: Actor): void {
    const found = problemsOf(error).map(problemLine)
    const problems = found.length > 0 ? found : [messageOf(error)]
    this.#deps.events.emit('config.refused', {
      message: `${actor.name} offered a configuration that was refused, and nothing changed: ${problems.join(' | ')}`,
      level: 'error',
      cause: actor.cause,
      data: { file: this.#loaded.config.file, problems },
    })
  }

  #announceApplied(differences: readonly ConfigDifference[], actor: Actor): string | undefined {
    if (differences.length === 0) return actor.cause
    return this.#deps.events.emit('config.applied', {
      message: `${actor.name} applied ${differences.length} changes of the configuration`,
      cause: actor.cause,
      data: { file: this.#loaded.config.file, changes: differences.map(({ path }) => path) },
    })
  }
}

/** The new configuration with the old values of keys that are read only once. */
function withoutRestartKeys(before: Config, next: Config): Config {
  const { api, data, log, metrics, region, name } = before
  const cache = { ...before.cache, http: next.cache.http }
  const cluster = { ...next.cluster, workers: before.cluster.workers }
  return { ...next, api, data, log, metrics, region, name, cluster, access: before.access, cache }
}
