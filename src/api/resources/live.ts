/** The state of everything as it changes: what the dashboard hangs on. */
import { z } from 'zod'
import type { Clock } from '../../kernel/time.ts'
import type { ApiDeps } from '../deps.ts'
import type { EventStreams } from '../event-stream.ts'
import { LiveFeed } from '../live/feed.ts'
import { liveCollections } from '../live/types.ts'
import { RawAnswer, route, type Route } from '../route.ts'
import { eventSchema } from '../schemas/events.ts'

const collection = z.enum(liveCollections)

const messageSchema = z
  .object({
    at: z.number().describe('Milliseconds since 1970.'),
    part: z
      .enum(['first', 'middle', 'last', 'only'])
      .optional()
      .describe(
        'Of the whole, with which a stream begins: `first` means forget what you had, `last` that you have all, `only` both. Absent: a change.',
      ),
    set: z
      .partialRecord(collection, z.record(z.string(), z.record(z.string(), z.unknown())))
      .optional()
      .describe('By collection and id: the fields that have changed; null: no longer there.'),
    gone: z.partialRecord(collection, z.array(z.string())).optional().describe('By collection: ids that are no longer there.'),
    events: z.array(eventSchema).optional().describe('What has happened since the message before.'),
  })
  .meta({ id: 'LiveMessage' })

export function liveRoutes({ operations, access }: ApiDeps, streams: EventStreams, clock: Clock): readonly Route[] {
  const feed = new LiveFeed(operations, clock)
  return [
    route({
      method: 'GET',
      path: '/live',
      tag: 'Overview',
      summary: 'Everything, and then what changes: once a second, and at once when something happens',
      description:
        'Server-sent events; `data` is a message. Services, instances and endpoints are laid out flat, by id (of an endpoint: `service/id`). ' +
        'A stream that begins again begins with the whole. One that is silent for more than 3 seconds has broken.',
      permission: 'read:status',
      query: z.strictObject({}),
      data: messageSchema,
      alsoProduces: ['text/event-stream'],
      handler: ({ principal, request }) => {
        const stream = streams.open(() => principal !== undefined && access.holds(principal))
        feed.join(stream).catch((error: unknown) => {
          request.log.error({ err: error }, 'a live stream failed')
          stream.fail()
        })
        return new RawAnswer('text/event-stream', stream.body)
      },
    }),
  ]
}
