import type { Impact } from '../../app/dependency-operations.ts'
import type { Overview } from '../../app/operations.ts'
import { ms, type Duration } from '../../kernel/time.ts'
import { counted } from '../../kernel/words.ts'
import { defineCommand, flag, optional, text } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { CliError, errorText, exitCodeOf, exitCodes } from '../errors.ts'
import { isAborted, pause } from '../follow.ts'
import type { Api } from '../client.ts'
import { fit, LiveBlock } from '../live.ts'
import { printable } from '../style.ts'
import { nearest } from '../../config/core/words.ts'
import { renderStatus } from '../status-view.ts'

const watchInterval: Duration = ms(1_000)
/** More are counted. */
const namedMax = 8

export const status = defineCommand({
  name: 'status',
  summary: 'what runs, where, how healthy, how loaded',
  description: 'Rates and quantiles are those of the last 10 seconds.',
  arguments: { service: optional('[service]', 'only this service', text) },
  options: { watch: flag('-w, --watch', 'look again each second, until Ctrl-C') },
  examples: ['holdfast status', 'holdfast status shop --watch', 'holdfast status --json'],
  async run(context, { service, watch }) {
    const api = await context.connect()
    const view = await look(api, service)
    if (!watch) return { data: view, text: render(context, view) }
    await watchStatus(context, view, service)
    return undefined
  },
})

/** Of one service also who is hit when it fails. */
interface View extends Overview {
  readonly impact?: Impact
}

async function look(api: Api, service: string | undefined): Promise<View> {
  const overview = narrow(await api.overview(), service)
  return service === undefined ? overview : { ...overview, impact: await api.impact(service) }
}

async function watchStatus(context: CommandContext, first: View, service: string | undefined): Promise<void> {
  const block = new LiveBlock(context.out)
  let view: View | undefined = first
  let trouble = ''
  while (!isAborted(context.interrupted)) {
    if (view === undefined) block.show([trouble])
    else if (context.out.interactive) block.show(render(context, view).split('\n'))
    else context.out.item(view, render(context, view))
    await pause(context, watchInterval)
    if (isAborted(context.interrupted)) return
    try {
      const api = await context.connect()
      view = await look(api, service)
    } catch (thrown) {
      if (exitCodeOf(thrown) !== exitCodes.unreachable) throw thrown
      view = undefined
      trouble = errorText(thrown)
    }
  }
}

function render({ out, clock }: CommandContext, view: View): string {
  const text = renderStatus(view, { columns: out.columns, paint: out.paint, now: clock.wallTime() })
  return view.impact === undefined ? text : `${text}\n\n${fit(printable(impactLine(view.impact), false), out.columns)}`
}

/** `needed by shop, cart (degraded): when it is down, 3 of 5 services are hit (holdfast impact auth)` */
function impactLine({ name, affected, services, servicesTotal }: Impact): string {
  const needing = affected.filter(({ kind }) => kind === 'service')
  if (needing.length === 0) return `no other service is known to need ${name}`
  const names = needing.slice(0, namedMax).map((each) => (each.effect === 'degraded' ? `${each.name} (degraded)` : each.name))
  const more = needing.length > namedMax ? ` and ${needing.length - namedMax} more` : ''
  return `needed by ${names.join(', ')}${more}: when it is down, ${services} of ${counted(servicesTotal, 'service')} ${services === 1 ? 'is' : 'are'} hit (holdfast impact ${name})`
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
