import type { LogLine } from '../../app/operations.ts'
import type { LogFilter } from '../client.ts'
import { defineCommand, flag, optional, required, text, withDefault } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { follow } from '../follow.ts'
import { formatTimeOfDay } from '../format.ts'
import { LogResume } from '../log-resume.ts'
import { integer, since as sinceReader } from '../readers.ts'
import { printable, type Tone } from '../style.ts'

/** As many as the API gives at once. */
const backlogMax = 10_000

export const logs = defineCommand({
  name: 'logs',
  summary: 'what a service writes to stdout and stderr',
  description: 'Lines of stderr are marked with "!". With --follow, goes on across restarts of the instances and of holdfast itself.',
  arguments: { service: required('<service>', 'the service', text) },
  options: {
    follow: flag('-f, --follow', 'go on with new lines, until Ctrl-C'),
    instance: optional('--instance <id>', 'only this instance', text),
    since: optional('--since <age>', 'only lines younger than this (10m), or after this time (2026-11-21T08:00:00Z)', sinceReader),
    grep: optional('--grep <text>', 'only lines that contain this text', text),
    lines: withDefault('-n, --lines <count>', 'at most so many of the last lines', integer(0, backlogMax), 200),
  },
  examples: ['holdfast logs shop', 'holdfast logs shop -f --grep error', 'holdfast logs shop --instance shop-3f2a9c --since 10m'],
  async run(context, { service, follow, instance, since, grep, lines }) {
    const filter = { instance, since: since?.(context.clock.wallTime()), grep }
    if (follow) {
      await followLogs(context, service, filter, lines)
      return undefined
    }
    const api = await context.connect()
    const known = lines === 0 ? [] : await api.logs(service, { ...filter, limit: lines })
    return { data: known, text: known.map((line) => renderLogLine(line, context)).join('\n') }
  },
})

async function followLogs(context: CommandContext, service: string, filter: LogFilter, lines: number): Promise<void> {
  const resume = new LogResume()
  // An unknown service is refused here, before the stream is taken for lost.
  await (await context.connect()).service(service)
  const begin: LogFilter = lines === 0 ? { ...filter, since: context.clock.wallTime() } : { ...filter, limit: lines }
  await follow(
    context,
    (api) => {
      resume.reconnected()
      const wanted = resume.since === undefined ? begin : { ...filter, since: resume.since, limit: backlogMax }
      return api.followLogs(service, wanted, context.interrupted)
    },
    (line) => {
      if (resume.isNew(line)) context.out.item(line, renderLogLine(line, context))
    },
  )
}

const instanceTones: readonly Tone[] = ['cyan', 'green', 'magenta', 'blue', 'yellow']

/** `08:12:03.120 shop-3f2a9c | GET / 200`; each instance keeps its colour. */
export function renderLogLine(line: LogLine, { out }: Pick<CommandContext, 'out'>): string {
  const mark = line.stream === 'stderr' ? out.paint('red', '!') : out.paint('dim', '|')
  const text = printable(line.text, out.coloured)
  return `${out.paint('dim', formatTimeOfDay(line.time))} ${out.paint(toneOfInstance(line.instance), line.instance)} ${mark} ${text}`
}

function toneOfInstance(instance: string): Tone {
  let sum = 0
  for (const character of instance) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 65_521
  return instanceTones[sum % instanceTones.length] ?? 'cyan'
}
