/** What happened: as a list, and as it happens. */
import { z } from 'zod'
import type { Clock } from '../../kernel/time.ts'
import type { ApiDeps } from '../deps.ts'
import type { EventStreams } from '../event-stream.ts'
import { followEvents, given, seqOf } from '../follow-events.ts'
import { RawAnswer, route, type Route } from '../route.ts'
import { limitParameter, lineOfText, momentOf, queryNumber, serviceName, sinceParameter } from '../schemas/common.ts'
import { asApiEvent, eventLevels, eventSchema } from '../schemas/events.ts'
import { refuseUnknown } from '../unknown-names.ts'

const filter = {
  service: serviceName.optional(),
  type: lineOfText(100).optional().describe('A type (`instance.exited`), or the noun before its dot.'),
  level: z.enum(eventLevels).optional().describe('This level and the graver ones.'),
}
const seq = (description: string): z.ZodType<number, string> => queryNumber(0, Number.MAX_SAFE_INTEGER, description)

export function eventRoutes({ operations, access }: ApiDeps, streams: EventStreams, clock: Clock): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/events',
      tag: 'Events',
      summary: 'What happened, newest first',
      permission: 'read:events',
      query: z.strictObject({
        ...filter,
        since: sinceParameter.optional(),
        limit: limitParameter(100),
        after: seq('`seq` of the last event of the page before: older ones follow.').optional(),
        order: z
          .enum(['ascending', 'descending'])
          .optional()
          .describe('`ascending`: oldest first, and `after` means later ones. Default `descending`.'),
      }),
      data: z.array(eventSchema),
      handler: ({ query: { since, limit, after, order, ...wanted } }) => {
        const moment = momentOf(since, clock.wallTime())
        const events = operations.events({
          ...given(wanted),
          ...(moment !== undefined && { since: moment }),
          ...(after !== undefined && { after }),
          ...(order !== undefined && { order }),
          limit,
        })
        if (events.length === 0) refuseUnknown(operations, wanted)
        return events.map(asApiEvent)
      },
    }),
    route({
      method: 'GET',
      path: '/events/stream',
      tag: 'Events',
      summary: 'Events as they happen',
      description:
        'Server-sent events; `id` is `seq`, `data` is an event. Send the last `id` you had as `Last-Event-ID` (or `after`) and nothing is missed; ' +
        'an event named `gap` says that older ones have left the log. A reader that does not keep up is cut off. At most 100 streams are open at once.',
      permission: 'read:events',
      query: z.strictObject({ ...filter, after: seq('Begin after this `seq`; the Last-Event-ID field wins.').optional() }),
      data: eventSchema,
      alsoProduces: ['text/event-stream'],
      handler: ({ query: { after, ...wanted }, request, principal }) => {
        const lastId = request.headers['last-event-id']
        const from = seqOf(Array.isArray(lastId) ? lastId[0] : lastId, operations) ?? after
        refuseUnknown(operations, wanted)
        const stream = streams.open(() => principal !== undefined && access.holds(principal))
        followEvents(stream, operations, wanted, from).catch((error: unknown) => {
          request.log.error({ err: error }, 'an event stream failed')
          stream.fail()
        })
        return new RawAnswer('text/event-stream', stream.body)
      },
    }),
  ]
}
