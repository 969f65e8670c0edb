/**
 * Asks the endpoints of all services that have roles, and says when one has changed. Runs in the primary: it goes on when the control process
 * is gone, and all workers hear the same.
 */
import { after, ms, type Clock } from '../../../kernel/time.ts'
import { Roles, type RoleChange, type RoleOutcome } from '../../core/roles.ts'
import type { ProxySignal, RoleStatus } from '../../port.ts'
import type { ServiceView } from '../../core/routing-view.ts'
import type { EndpointRole } from '../../core/tcp-view.ts'
import type { Asker, NewAsker } from './asker.ts'
import { PostgresAsker } from './postgres.ts'
import { RedisAsker } from './redis.ts'

export interface RoleKeeperOptions {
  readonly clock: Clock
  readonly onRoles: (roles: Readonly<Record<string, EndpointRole>>) => void
  readonly onSignal: (signal: ProxySignal) => void
}

/** Two questions are at least so far apart, whatever happens: connections that break all the time are no reason to ask all the time. */
const soonMs = 20

type RoledService = Pick<ServiceView, 'name' | 'endpoints' | 'tcp'>

interface Asked {
  readonly key: string
  readonly asker: Asker
  timer: Disposable | undefined
  running: boolean
  again: boolean
}

interface Fellowship {
  readonly name: string
  readonly key: string
  readonly machine: Roles
  readonly asked: Map<string, Asked>
  contested: string | undefined
}

const askers: Readonly<Record<'postgres' | 'redis', NewAsker>> = {
  postgres: (options) => new PostgresAsker(options),
  redis: (options) => new RedisAsker(options),
}

export class RoleKeeper {
  readonly #options: RoleKeeperOptions
  readonly #services = new Map<string, Fellowship>()
  readonly #refusals = new Map<string, string>()

  constructor(options: RoleKeeperOptions) {
    this.#options = options
  }

  /** By endpoint, of all services. */
  get roles(): Record<string, EndpointRole> {
    return Object.assign({}, ...[...this.#services.values()].map(({ machine }) => machine.roles)) as Record<string, EndpointRole>
  }

  /** undefined: its service has no roles. */
  statusOf(service: string, endpoint: string): RoleStatus | undefined {
    const machine = this.#services.get(service)?.machine
    return machine && { role: machine.roleOf(endpoint), lagMs: machine.lagOf(endpoint), reason: machine.reasonOf(endpoint) }
  }

  apply(view: { readonly services: readonly RoledService[] }): void {
    const names = new Set<string>()
    for (const service of view.services) {
      if (service.tcp?.ask === undefined) continue
      names.add(service.name)
      this.#applyService(service, service.tcp)
    }
    for (const [name, fellowship] of this.#services) {
      if (names.has(name)) continue
      end(fellowship)
      this.#services.delete(name)
    }
  }

  #applyService({ name, endpoints }: RoledService, { kind, ask }: NonNullable<ServiceView['tcp']>): void {
    const settings = ask!
    const key = JSON.stringify([kind, settings])
    const before = this.#services.get(name)
    if (before && before.key !== key) end(before)
    const fellowship =
      before?.key === key ? before : { name, key, machine: new Roles(settings), asked: new Map<string, Asked>(), contested: undefined }
    this.#services.set(name, fellowship)
    const wanted = new Map(endpoints.map((endpoint) => [endpoint.id, endpoint]))
    for (const [id, asked] of fellowship.asked) {
      const endpoint = wanted.get(id)
      if (endpoint && asked.key === addressKey(endpoint)) continue
      stop(asked)
      fellowship.asked.delete(id)
      // Another server under the same name has said nothing yet.
      if (endpoint) fellowship.machine.setEndpoints([...wanted.keys()].filter((each) => each !== id))
    }
    this.#tell(fellowship, fellowship.machine.setEndpoints([...wanted.keys()]))
    for (const [id, { host, port }] of wanted) {
      if (fellowship.asked.has(id)) continue
      const asker = askers[kind as 'postgres' | 'redis']({
        host,
        port,
        settings,
        onLost: () => {
          this.#lost(fellowship, id)
        },
      })
      fellowship.asked.set(id, { key: addressKey({ host, port }), asker, timer: undefined, running: false, again: false })
      void this.#ask(fellowship, id)
    }
  }

  /** Who answers there next may be somebody else: a process that was started again, without its data. */
  #lost(fellowship: Fellowship, id: string): void {
    if (this.#services.get(fellowship.name) !== fellowship) return
    this.#hear(fellowship, id, { type: 'failed', reason: 'the connection broke over which it was asked', lost: true })
    this.#soon(fellowship, id)
  }

  #hear(fellowship: Fellowship, id: string, outcome: RoleOutcome): void {
    const { machine } = fellowship
    const before = machine.primary
    this.#tell(fellowship, machine.observe(id, outcome, this.#options.clock.now()))
    // The others need not wait for their turn to be asked who takes its place.
    if (before !== undefined && machine.primary === undefined)
      for (const other of fellowship.asked.keys()) if (other !== id) this.#soon(fellowship, other)
  }

  /** A connection of a client broke, or could not be made: ask at once. */
  suspect(service: string, endpoint: string): void {
    const fellowship = this.#services.get(service)
    if (fellowship) this.#soon(fellowship, endpoint)
  }

  stop(): void {
    for (const fellowship of this.#services.values()) end(fellowship)
    this.#services.clear()
  }

  #soon(fellowship: Fellowship, id: string): void {
    const asked = fellowship.asked.get(id)
    if (asked?.running) asked.again = true
    else if (asked) this.#askIn(fellowship, id, asked, soonMs)
  }

  #askIn(fellowship: Fellowship, id: string, asked: Asked, waitMs: number): void {
    const { clock } = this.#options
    asked.timer?.[Symbol.dispose]()
    asked.timer = clock.schedule(after(clock.now(), ms(waitMs)), () => {
      void this.#ask(fellowship, id)
    })
  }

  async #ask(fellowship: Fellowship, id: string): Promise<void> {
    const asked = fellowship.asked.get(id)
    if (!asked || asked.running) return
    asked.running = true
    asked.again = false
    const outcome = await asked.asker.ask()
    asked.running = false
    if (fellowship.asked.get(id) !== asked || this.#services.get(fellowship.name) !== fellowship) return
    this.#hear(fellowship, id, outcome)
    this.#hearRefusal(fellowship, id, outcome.type === 'refused' ? outcome.reason : undefined)
    this.#askIn(fellowship, id, asked, wantsAgain(asked) ? soonMs : fellowship.machine.waitMs(id, this.#options.clock.now()))
  }

  #hearRefusal({ name }: Fellowship, endpoint: string, reason: string | undefined): void {
    if (reason === undefined) this.#refusals.delete(endpoint)
    else if (this.#refusals.get(endpoint) !== reason) {
      this.#refusals.set(endpoint, reason)
      this.#options.onSignal({ type: 'roleRefused', service: name, endpoint, reason })
    }
  }

  #tell(fellowship: Fellowship, changes: readonly RoleChange[]): void {
    const { machine, name } = fellowship
    if (changes.length > 0) this.#options.onRoles(machine.roles)
    for (const change of changes) this.#options.onSignal({ type: 'roleChanged', service: name, ...change })
    const contested = machine.contested?.join(' ')
    if (machine.contested && contested !== fellowship.contested) {
      this.#options.onSignal({ type: 'primaryContested', service: name, endpoints: machine.contested })
    }
    fellowship.contested = contested
  }
}

/** It may have been set while it was being asked. */
const wantsAgain = ({ again }: Asked): boolean => again

const addressKey = ({ host, port }: { readonly host: string; readonly port: number }): string => `${host} ${port}`

function stop({ timer, asker }: Asked): void {
  timer?.[Symbol.dispose]()
  asker.close()
}

function end({ asked }: Fellowship): void {
  for (const each of asked.values()) stop(each)
  asked.clear()
}
