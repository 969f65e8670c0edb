/** What is known about an id: a request with its trail, or an event with what led to it and what came of it. */
import type { RequestTrail } from '../balancer/core/trail.ts'
import { HoldfastError } from '../kernel/errors.ts'
import type { AnyEvent } from '../kernel/events.ts'
import { publicEndpointId } from '../registry/index.ts'

export interface Explanation {
  readonly id: string
  /** Requests with this id, newest first. */
  readonly requests: readonly RequestTrail[]
  /** The event with this id, what led to it before it, what came of it behind it; oldest first. */
  readonly events: readonly AnyEvent[]
}

/** Causes followed back. */
const causesMax = 32

/** The event, its causes and its effects, out of those that are at hand. */
export function eventsAbout(id: string, events: readonly AnyEvent[]): readonly AnyEvent[] {
  const byId = new Map(events.map((event) => [event.id, event]))
  const about = new Map<string, AnyEvent>()
  let event = byId.get(id)
  if (event === undefined) return []
  for (let i = 0; event !== undefined && i < causesMax; i++) {
    about.set(event.id, event)
    event = event.cause === undefined ? undefined : byId.get(event.cause)
  }
  for (const effect of events) if (effect.cause === id) about.set(effect.id, effect)
  return [...about.values()].toSorted((a, b) => a.seq - b.seq)
}

/** With the endpoints named as users know them. */
export function publicTrail(trail: RequestTrail): RequestTrail {
  const { service } = trail
  if (service === undefined) return trail
  return {
    ...trail,
    steps: trail.steps.map(({ endpoint, candidates, note, ...step }) => ({
      ...step,
      // A session names its endpoint.
      ...(note !== undefined && { note: step.step === 'session' ? note.replace(`${service}/`, '') : note }),
      ...(endpoint !== undefined && { endpoint: publicEndpointId(service, endpoint) }),
      ...(candidates && { candidates: candidates.map((each) => ({ ...each, endpoint: publicEndpointId(service, each.endpoint) })) }),
    })),
  }
}

/** Throws `unknown_id` when nothing is known. */
export function explanationOf(id: string, requests: readonly RequestTrail[], events: readonly AnyEvent[]): Explanation {
  const about = eventsAbout(id, events)
  if (requests.length === 0 && about.length === 0) {
    throw new HoldfastError('unknown_id', `nothing is known about ${JSON.stringify(id)}`, {
      hint: 'only requests that failed, waited, were tried again or were slow are remembered, the latest of them; see docs/observability.md',
    })
  }
  return { id, requests: requests.map(publicTrail), events: about }
}
