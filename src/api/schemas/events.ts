/** An event as the API shows it: our own fields, and the words that the brief's clients look for. */
import { z } from 'zod'
import type { AnyEvent } from '../../kernel/events.ts'
import { eventLevels } from '../../store/core/select-events.ts'
import { isoTime } from './common.ts'

export { eventLevels }
export const eventCategories = ['health', 'scaling', 'lifecycle', 'configuration', 'security', 'system'] as const
export type EventCategory = (typeof eventCategories)[number]

export const eventSchema = z
  .object({
    id: z.string(),
    seq: z.number().describe('Strictly rising; the cursor for `after` and Last-Event-ID.'),
    type: z.string().describe('`<noun>.<past participle>`: `instance.exited`.'),
    category: z.enum(eventCategories).describe('What it is about, in one word.'),
    level: z.enum(eventLevels),
    message: z.string(),
    timestamp: isoTime,
    time: z.number().describe('The same in milliseconds since 1970.'),
    region: z.string(),
    service: z.string().optional(),
    instance: z.string().optional(),
    cause: z.string().optional().describe('The id of the event that led to it.'),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Event' })

export type ApiEvent = z.input<typeof eventSchema>

export function asApiEvent(event: AnyEvent): ApiEvent {
  return { ...event, category: categoryOf(event.type), timestamp: new Date(event.time).toISOString(), data: { ...event.data } }
}

const aboutHealth = new Set(['service.healthChanged', 'instance.unhealthy', 'instance.recovered', 'endpoint.unhealthy', 'endpoint.recovered'])
const categoryByNoun: Readonly<Record<string, EventCategory>> = {
  config: 'configuration',
  service: 'lifecycle',
  instance: 'lifecycle',
  endpoint: 'lifecycle',
  access: 'security',
  action: 'security',
  token: 'security',
  apikey: 'security',
}

function categoryOf(type: AnyEvent['type']): EventCategory {
  if (aboutHealth.has(type)) return 'health'
  if (type === 'service.scaled') return 'scaling'
  return categoryByNoun[type.slice(0, type.indexOf('.'))] ?? 'system'
}
