import type { Overview } from '../../app/operations.ts'
import { ms, type Duration } from '../../kernel/time.ts'
import { defineCommand, flag, optional, text } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { CliError, errorText, exitCodeOf, exitCodes } from '../errors.ts'
import { isAborted, pause } from '../follow.ts'
import { LiveBlock } from '../live.ts'
import { nearest } from '../../config/core/words.ts'
import { renderStatus } from '../status-view.ts'

const watchInterval: Duration = ms(1_000)

export const status = defineCommand({
  name: 'status',
  summary: 'what runs, where, how healthy, how loaded',
  description: 'Rates and quantiles are those of the last 10 seconds.',
  arguments: { service: optional('[service]', 'only this service', text) },
  options: { watch: flag('-w, --watch', 'look again each second, until Ctrl-C') },
  examples: ['holdfast status', 'holdfast status shop --watch', 'holdfast status --json'],
  async run(context, { service, watch }) {
    const api = await context.connect()
    const overview = narrow(await api.overview(), service)
    if (!watch) return { data: overview, text: render(context, overview) }
    await watchStatus(context, overview, service)
    return undefined
  },
})

async function watchStatus(context: CommandContext, first: Overview, service: string | undefined): Promise<void> {
  const block = new LiveBlock(context.out)
  let overview: Overview | undefined = first
  let trouble = ''
  while (!isAborted(context.interrupted)) {
    if (overview === undefined) block.show([trouble])
    else if (context.out.interactive) block.show(render(context, overview).split('\n'))
    else context.out.item(overview, render(context, overview))
    await pause(context, watchInterval)
    if (isAborted(context.interrupted)) return
    try {
      const api = await context.connect()
      overview = narrow(await api.overview(), service)
    } catch (thrown) {
      if (exitCodeOf(thrown) !== exitCodes.unreachable) throw thrown
      overview = undefined
      trouble = errorText(thrown)
    }
  }
}

function render({ out, clock }: CommandContext, overview: Overview): string {
  return renderStatus(overview, { columns: out.columns, paint: out.paint, now: clock.wallTime() })
}

function narrow(overview: Overview, service: string | undefined): Overview {
  if (service === undefined) return overview
  const services = overview.services.filter((each) => each.name === service)
  if (services.length > 0) return { ...overview, services }
  throw unknownService(service, overview)
}

/** Says what the names are, or which one was meant. */
export function unknownService(name: string, overview: Overview, what = 'service'): CliError {
  const names = overview.services.map((each) => each.name)
  const meant = nearest(name, names)
  const hint = meant !== undefined ? `did you mean "${meant}"?` : `services are: ${names.join(', ') || 'none'}`
  return new CliError('unknown_service', `no ${what} "${name}" in ${overview.name}`, { hint, details: { service: name, known: names } })
}
