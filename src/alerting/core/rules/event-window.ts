/** The events that rules count, for as long as any of them counts them. */
import type { AnyEvent } from '../../../kernel/events.ts'
import type { CountedEvent, EventReader } from '../expression/inputs.ts'

/** Of one type; the oldest go. A rule that counts more than this has fired long ago. */
export const countedEventsMax = 10_000

export class EventWindow implements EventReader {
  readonly #byType = new Map<string, { readonly windowMs: number; readonly events: CountedEvent[] }>()

  /** From now on these are kept, each for so long; what is known of others is forgotten. */
  watch(windows: ReadonlyMap<string, number>): void {
    for (const type of this.#byType.keys()) if (!windows.has(type)) this.#byType.delete(type)
    for (const [type, windowMs] of windows) this.#byType.set(type, { windowMs, events: this.#byType.get(type)?.events ?? [] })
  }

  /** The clock on the wall was set by so much. */
  shift(by: number): void {
    for (const { events } of this.#byType.values()) for (const [i, event] of events.entries()) events[i] = { ...event, at: event.at + by }
  }

  has(type: string): boolean {
    return this.#byType.has(type)
  }

  /** In the order of their times. */
  add(event: CountedEvent): void {
    const kept = this.#byType.get(event.type)
    if (kept === undefined) return
    const { events, windowMs } = kept
    events.push(event)
    const old = events.findIndex(({ at }) => at > event.at - windowMs)
    events.splice(0, Math.max(old, events.length - countedEventsMax))
  }

  events(type: string, from: number, to: number): readonly CountedEvent[] {
    return this.#byType.get(type)?.events.filter(({ at }) => at > from && at <= to) ?? []
  }
}

/** Its service and instance, and the plain values of its data, can be matched. */
export function counted({ time, type, service, instance, region, data }: AnyEvent): CountedEvent {
  const labels: Record<string, string> = {}
  for (const [name, value] of Object.entries(data)) if (['string', 'number', 'boolean'].includes(typeof value)) labels[name] = String(value)
  if (service !== undefined) labels.service = service
  if (instance !== undefined) labels.instance = instance
  return { at: time, type, labels: { ...labels, region } }
}
