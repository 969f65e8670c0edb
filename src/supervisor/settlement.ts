/** Where a service stands as a whole: as wanted, at rest short of it, on its way, or beyond hope for now. */
import { after, seconds, type Clock, type Duration, type Instant } from '../kernel/time.ts'
import type { InstanceStatus } from '../registry/types.ts'
import { isServing, isStarting, type Service, type Slot } from './core/fleet-state.ts'

/** Where a service has come to rest. */
export interface Settlement {
  readonly service: string
  readonly ready: number
  readonly desired: number
  /** Why it is not as wanted, one sentence for each reason; empty: all is well. */
  readonly problems: readonly string[]
}

/** An endpoint that comes within this time is worth waiting for. */
const comingWithin: Duration = seconds(5)

/** Failures in a row after which a wait for the next try counts as rest: a start or two may fail because what it needs still starts itself. */
const failuresAtRest = 3

/** As many take traffic as there shall be. */
export function isReady({ desired, slots }: Service): boolean {
  let ready = 0
  for (const { serving } of slots.values()) if (serving && isServing(serving)) ready++
  return ready >= desired
}

/** Nothing of it is on its way. */
export function isSettled(service: Service): boolean {
  if (service.leaving || service.retiring.size > 0 || service.slots.size !== service.desired) return false
  for (const slot of service.slots.values()) {
    const { serving, replacement } = slot
    if (replacement) return false
    if (serving ? !isServing(serving) && serving.state.phase !== 'unhealthy' : !isAtRest(slot)) return false
    if (serving && serving.revision !== service.revision && !service.failedRollout) return false
  }
  return true
}

/** Empty, and nobody should wait for it to be filled. */
function isAtRest({ rest, history }: Slot): boolean {
  return rest.phase === 'crashLooping' || rest.phase === 'done' || (rest.phase === 'backoff' && history.streak >= failuresAtRest)
}

/** Whether one is ready, or will be soon enough to wait for. */
export function isComing(service: Service, clock: Clock): boolean {
  if (service.leaving) return false
  for (const { serving, replacement, rest } of service.slots.values()) {
    if (serving || replacement || rest.phase === 'none') return true
    if (rest.phase !== 'done' && rest.until - clock.now() <= comingWithin) return true
  }
  return false
}

/** When the first of a service without a ready instance will be ready, if its boots take as long as they do. undefined: one is, or nobody knows. */
export function readyAt(service: Service, bootTime: Duration | undefined): Instant | undefined {
  let earliest: Instant | undefined
  if (bootTime === undefined) return undefined
  for (const { serving, replacement, rest } of service.slots.values()) {
    if (serving && isServing(serving)) return undefined
    for (const instance of [serving, replacement]) {
      if (instance && isStarting(instance)) earliest = earlier(earliest, after(instance.bornAt, bootTime))
    }
    if (!serving && (rest.phase === 'backoff' || rest.phase === 'crashLooping')) earliest = earlier(earliest, after(rest.until, bootTime))
  }
  return earliest
}

const earlier = (a: Instant | undefined, b: Instant): Instant => (a === undefined || b < a ? b : a)

export function settlementOf(service: Service, statuses: readonly InstanceStatus[]): Settlement {
  const unready = statuses.filter(({ phase }) => phase !== 'ready')
  const problems = unready.map(({ id, phase, reason }) => `${id} is ${phase}${reason === undefined ? '' : `: ${reason}`}`)
  if (service.failedRollout) problems.push(`revision ${service.revision} did not start: ${service.failedRollout.reason}`)
  return { service: service.name, ready: statuses.length - unready.length, desired: service.desired, problems: [...new Set(problems)] }
}
