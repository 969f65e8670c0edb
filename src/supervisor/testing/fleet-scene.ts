/** A fleet in virtual time, in a world whose processes behave as the test says. */
import { drive, type Drive } from '../../kernel/machine.ts'
import { Prng } from '../../kernel/random.ts'
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts'
import { after, ms, seconds, type Duration } from '../../kernel/time.ts'
import type { ServiceConfig } from '../../config/types.ts'
import type { ProcessExit } from '../core/exit.ts'
import { Fleet } from '../core/fleet.ts'
import type { DesiredService, Fact, FleetCommand, FleetInput } from '../core/fleet-types.ts'
import type { FleetLimits, Instance, Service } from '../core/fleet-state.ts'
import type { InstanceInput } from '../core/instance-machine.ts'
import { restartLimits } from '../core/restart-policy.ts'
import { fleetLimits } from './fleet-kit.ts'

/** How processes of a revision behave. */
export interface Behaviour {
  /** From spawn to ready; undefined: never ready. */
  readonly bootMs?: number | undefined
  /** From spawn to an end of its own, with code 1. */
  readonly exitMs?: number
  readonly exit?: Partial<ProcessExit>
}

export const exitOf = (overrides: Partial<ProcessExit> = {}): ProcessExit => ({
  code: 1,
  signal: undefined,
  shell: false,
  oom: false,
  lost: false,
  portTaken: false,
  group: false,
  ...overrides,
})

export class FleetScene {
  readonly clock = new VirtualClock()
  readonly fleet: Fleet
  /** `2.5s spawn web/0 r1`, in order. */
  readonly log: string[] = []
  readonly facts: Fact[] = []
  readonly #drive: Drive<Fleet, FleetInput>
  readonly #behaviour: (instance: Instance) => Behaviour
  readonly #timers = new Map<string, Disposable[]>()

  constructor(behaviour: (instance: Instance) => Behaviour, limits: Partial<FleetLimits> = {}) {
    this.#behaviour = behaviour
    this.fleet = new Fleet({ limits: fleetLimits(limits), restartLimits, random: new Prng(1), drainTimeout: () => seconds(30) })
    this.#drive = drive(this.fleet, { clock: this.clock, execute: (command) => this.#execute(command) })
  }

  apply(...services: readonly { config: ServiceConfig; revision?: number }[]): void {
    const desired = services.map(({ config, revision = 1 }): DesiredService => ({
      config,
      revision,
      desired: config.instances.min,
      stable: undefined,
      bootTime: undefined,
    }))
    this.send({ type: 'apply', services: desired })
  }

  send(input: FleetInput): void {
    this.#drive.send(input)
  }

  tell(instance: Instance, input: InstanceInput): void {
    this.send({ type: 'instance', id: instance.id, input })
  }

  service(name: string): Service {
    const service = this.fleet.services.get(name)
    if (!service) throw new Error(`no service ${name}`)
    return service
  }

  serving(name: string, slot = 0): Instance {
    const serving = this.service(name).slots.get(slot)?.serving
    if (!serving) throw new Error(`${name}/${slot} is empty`)
    return serving
  }

  /** Lines of the log that contain the word. */
  lines(word: string): string[] {
    return this.log.filter((line) => line.includes(word))
  }

  #note(instance: Instance, what: string): void {
    this.log.push(`${this.clock.now() / 1000}s ${what} ${instance.service}/${instance.slot} r${instance.revision}`)
  }

  #execute(command: FleetCommand): void {
    if (command.type === 'fact') {
      this.facts.push(command.fact)
      return
    }
    const { instance } = command
    if (command.type === 'spawn') {
      this.#note(instance, 'spawn')
      this.tell(instance, { type: 'spawned' })
      const { bootMs, exitMs, exit } = this.#behaviour(instance)
      if (bootMs !== undefined) this.#later(instance, ms(bootMs), { type: 'probePassed' })
      if (exitMs !== undefined) this.#later(instance, ms(exitMs), { type: 'exited', exit: exitOf(exit) })
      return
    }
    this.#note(instance, command.command.type)
    switch (command.command.type) {
      case 'admit':
        this.tell(instance, { type: 'admitted' })
        return
      case 'drain':
        this.#later(instance, ms(100), { type: 'drained' })
        return
      case 'signal':
      case 'kill':
        this.#later(instance, ms(50), { type: 'exited', exit: exitOf({ code: 0 }) })
        return
      case 'diagnose':
        this.tell(instance, { type: 'diagnosed', reason: 'nothing listens' })
        return
      case 'awaitGroup':
        this.tell(instance, { type: 'groupGone' })
        return
      case 'reap':
        for (const timer of this.#timers.get(instance.id) ?? []) timer[Symbol.dispose]()
        return
      case 'probe':
      case 'gone':
        return
    }
  }

  #later(instance: Instance, wait: Duration, input: InstanceInput): void {
    const timer = this.clock.schedule(after(this.clock.now(), wait), () => this.tell(instance, input))
    this.#timers.set(instance.id, [...(this.#timers.get(instance.id) ?? []), timer])
  }
}
