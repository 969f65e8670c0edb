import { defineCommand, flag, optional, required, text } from '../command.ts'
import { CliError, usageError } from '../errors.ts'
import { plural } from '../format.ts'
import { integer } from '../readers.ts'

/** More than anybody runs on one machine; a guard against a slip of the finger. */
const instancesMax = 1_000

export const scale = defineCommand({
  name: 'scale',
  summary: 'change how many instances of a service run',
  description:
    'New instances get traffic once they are ready; surplus ones are drained before they stop. The number holds across restarts of holdfast, until the ' +
    "configuration's own number changes. Use `holdfast status --watch` to see it happen.",
  arguments: {
    service: required('<service>', 'the service', text),
    instances: optional('[instances]', 'how many shall run', integer(0, instancesMax)),
  },
  options: {
    reason: optional('--reason <text>', 'why: goes into the event', text),
    auto: flag('--auto', 'give the number back to the scaler (not available yet)'),
  },
  examples: ['holdfast scale shop 5', 'holdfast scale shop 2 --reason "quiet night"'],
  async run(context, { service, instances, reason, auto }) {
    if (auto) throw new CliError('not_available_yet', 'holdfast scale --auto is not available yet', { hint: 'it comes with a later release' })
    if (instances === undefined) throw usageError('[instances] is missing: how many instances shall run?', 'see: holdfast scale --help')
    const api = await context.connect()
    const record = await api.scale(service, instances, reason)
    const text =
      record.from === record.to
        ? `${service} already has ${plural(record.to, 'instance')}`
        : `${service}: ${record.from} -> ${plural(record.to, 'instance')}`
    return { data: record, text }
  },
})
