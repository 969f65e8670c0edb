import { defineCommand, flag, optional, text, withDefault } from '../command.ts'
import { follow as followStream } from '../follow.ts'
import { renderEvent } from '../event-line.ts'
import { integer, oneOf } from '../readers.ts'
import { eventLevels } from '../../store/core/select-events.ts'

export const events = defineCommand({
  name: 'events',
  summary: 'what happened: starts, exits, restarts, who did what',
  options: {
    follow: flag('-f, --follow', 'go on with new events, until Ctrl-C'),
    service: optional('--service <name>', 'only events of this service', text),
    type: optional('--type <type>', 'only this type (instance.exited), or all of one noun (instance)', text),
    level: withDefault(
      '--level <level>',
      'only this level and the graver ones: debug, info, warning, error, critical',
      oneOf(...eventLevels),
      'info',
    ),
    lines: withDefault('-n, --lines <count>', 'at most so many of the newest', integer(0, 1_000), 50),
  },
  examples: ['holdfast events', 'holdfast events -f --service shop', 'holdfast events --type instance.exited -n 10'],
  async run(context, { follow, service, type, level, lines }) {
    const api = await context.connect()
    // With -n 0 one event is still asked for: its number says where the stream is to begin.
    const known = await api.events({ service, type, level, limit: Math.max(1, lines) })
    const shown = lines === 0 ? [] : known
    if (!follow) return { data: shown, text: shown.map((event) => renderEvent(event, context.out)).join('\n') }

    let lastSeq = known.at(-1)?.seq
    for (const event of shown) context.out.item(event, renderEvent(event, context.out))
    await followStream(
      context,
      (found) =>
        found.followEvents(
          { service, type, level },
          {
            afterSeq: lastSeq,
            signal: context.interrupted,
            onGap: () => {
              context.out.note('some events in between have left the log')
            },
          },
        ),
      (event) => {
        if (lastSeq !== undefined && event.seq <= lastSeq) return
        lastSeq = event.seq
        context.out.item(event, renderEvent(event, context.out))
      },
    )
    return undefined
  },
})
