/**
 * All that the fleet knows and has to say: services, instances, and the commands and facts that wait to be handed
 * out. The files beside it each do one thing to it (steps.ts, ending.ts, restart-order.ts, taking-over.ts, acting.ts).
 */
import { assert } from '../../kernel/errors.ts'
import type { FleetState, Instance, Service, Slot } from './fleet-state.ts'
import type { Fact, FleetCommand, FleetOptions } from './fleet-types.ts'
import type { InstanceCommand } from './instance-machine.ts'
import { cleanHistory } from './restart-policy.ts'

export class Roster implements FleetState {
  readonly services = new Map<string, Service>()
  /** All that live, by id. */
  readonly instances = new Map<string, Instance>()
  readonly options: FleetOptions
  #outbox: FleetCommand[] = []

  constructor(options: FleetOptions) {
    this.options = options
  }

  serviceOf(instance: Instance): Service {
    const service = this.services.get(instance.service)
    assert(service, `instance ${instance.id} belongs to no service`)
    return service
  }

  service(name: string): Service {
    const service = this.services.get(name)
    assert(service, `no service ${name}`)
    return service
  }

  slot(name: string, index: number): { readonly service: Service; readonly slot: Slot } {
    const service = this.services.get(name)
    const slot = service?.slots.get(index)
    assert(service && slot, `no slot ${index} of ${name}`)
    return { service, slot }
  }

  newSlot(service: Service, index: number): Slot {
    const slot: Slot = {
      index,
      revision: undefined,
      serving: undefined,
      replacement: undefined,
      nextId: this.newId(service.name),
      rest: { phase: 'none' },
      history: cleanHistory,
      booked: [],
      pardons: [],
      restarts: 0,
      failed: false,
      portRetries: 0,
      healAt: undefined,
    }
    service.slots.set(index, slot)
    return slot
  }

  /** `shop-3f2a9c`: 30 random bits, so that an id in an old log never means another instance. */
  newId(service: string): string {
    const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'
    let id = `${service}-`
    for (let i = 0; i < 6; i++) id += alphabet.charAt(Math.floor(this.options.random.next() * 32))
    return this.instances.has(id) ? this.newId(service) : id
  }

  // --- what is said

  spawn(instance: Instance, replaces: string | undefined): void {
    this.#outbox.push({ type: 'spawn', instance, replaces })
  }

  command(instance: Instance, command: InstanceCommand): void {
    this.#outbox.push({ type: 'instance', instance, command })
  }

  tell(fact: Fact): void {
    this.#outbox.push({ type: 'fact', fact })
  }

  /** All that has been said since the last time. */
  take(): readonly FleetCommand[] {
    const said = this.#outbox
    this.#outbox = []
    return said
  }
}
