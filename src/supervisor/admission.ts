/**
 * Keeps the routing in step with the instances: lets them in, takes them out in good order, or at once.
 *
 *   admit ──▶ routed ──drain──▶ drained
 *               └──gone──▶ out, in this very tick
 */
import { after, ms, type Clock, type Duration } from '../kernel/time.ts'
import type { Fleet } from './core/fleet.ts'
import type { Service } from './core/fleet-state.ts'
import type { InstanceInput } from './core/instance-machine.ts'
import type { InstanceBook } from './instance-book.ts'
import type { Router } from './ports.ts'
import type { Problems } from './problems.ts'
import type { ServiceBook } from './service-book.ts'
import { isComing, readyAt } from './settlement.ts'

export interface AdmissionDeps {
  readonly clock: Clock
  readonly router: Router
  readonly fleet: Fleet
  readonly instances: InstanceBook
  readonly services: ServiceBook
  readonly problems: Problems
  /** What the fleet is told of an instance. */
  readonly tell: (id: string, input: InstanceInput) => void
}

/** Before the routing is told again of an instance that it did not take. */
const admitAgainAfter: Duration = ms(250)

export class Admission {
  readonly #deps: AdmissionDeps
  /** Instances that the routing knows. */
  readonly #routed = new Set<string>()
  /** What was last said of each service. */
  readonly #expected = new Map<string, string>()

  constructor(deps: AdmissionDeps) {
    this.#deps = deps
  }

  admit(id: string): void {
    const { clock, router, fleet, instances, problems, tell } = this.#deps
    this.#routed.add(id)
    router.admit({ ...instances.routed(id), restarts: this.#failuresOf(id) }).then(
      () => tell(id, { type: 'admitted' }),
      (cause: unknown) => {
        problems.tell('admit_failed', `the routing did not take ${id}`, cause)
        clock.schedule(after(clock.now(), admitAgainAfter), () => {
          const phase = fleet.instance(id)?.state.phase
          if (this.#routed.has(id) && (phase === 'ready' || phase === 'unhealthy')) this.admit(id)
        })
      },
    )
  }

  /** Who failed a moment ago may fail again: the balancer gives it less at first. */
  #failuresOf(id: string): number | undefined {
    const { fleet } = this.#deps
    const instance = fleet.instance(id)
    const failures = instance && fleet.services.get(instance.service)?.slots.get(instance.slot)?.history.failures.length
    return failures === 0 ? undefined : failures
  }

  drain(id: string, timeout: Duration): void {
    const { router, instances, problems, tell } = this.#deps
    // One that was taken over only to be stopped has not been admitted; the routing learns of it here.
    this.#routed.add(id)
    router.drain(instances.routed(id), timeout).then(
      () => tell(id, { type: 'drained' }),
      // Nothing is certain then, so the stop waits until the deadline is well past.
      (cause: unknown) => problems.tell('drain_failed', `the routing could not tell whether ${id} is drained`, cause),
    )
  }

  /** From this tick on nobody may send a request there. */
  gone(id: string, how: string): void {
    if (this.#routed.delete(id)) this.#deps.router.gone(this.#deps.instances.routed(id), how)
  }

  /** Says when endpoints of the service can be expected, when that has changed. */
  expect(service: Service): void {
    const { clock, router, services } = this.#deps
    const bootMs = services.bootTime(service.name)
    const expectation = { coming: isComing(service, clock), bootMs, bootP95Ms: services.bootP95(service.name), readyAt: readyAt(service, bootMs) }
    const told = JSON.stringify(expectation)
    if (this.#expected.get(service.name) === told) return
    this.#expected.set(service.name, told)
    router.expect(service.name, expectation)
  }

  forget(service: string): void {
    this.#expected.delete(service)
  }
}
