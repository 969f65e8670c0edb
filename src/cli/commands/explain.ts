import type { Explanation } from '../../app/explaining.ts'
import { defineCommand, required, text } from '../command.ts'
import { renderEvent } from '../event-line.ts'
import { formatDateTime } from '../format.ts'
import type { Output } from '../output.ts'
import { printable } from '../style.ts'

export const explain = defineCommand({
  name: 'explain',
  summary: 'why: the trail of a request, or what an event came from and led to',
  description:
    'Of requests, those are remembered that failed, waited, were tried again or were slow, and those that asked for it; see explain in the configuration.',
  arguments: { id: required('<id>', 'the X-Request-Id of a request, or the id of an event', text) },
  examples: ['holdfast explain 4f1c09a2b70000001', 'holdfast explain --json 4f1c09a2b70000001'],
  async run(context, { id }) {
    const api = await context.connect()
    const found = await api.explain(id)
    return { data: found, text: renderExplanation(found, context.out) }
  },
})

export function renderExplanation({ requests, events }: Explanation, out: Pick<Output, 'paint'>): string {
  return [...requests.map((trail) => renderTrail(trail, out)), ...events.map((event) => renderEvent(event, out))].join('\n')
}

function renderTrail(trail: Explanation['requests'][number], { paint }: Pick<Output, 'paint'>): string {
  const { method, target, status, durationMs, service, client, startedAt, reasons, steps } = trail
  const head = [
    paint('bold', printable(`${method} ${target}`, false)),
    `${status === 0 ? 'cut' : status} in ${durationMs} ms, ${service === undefined ? 'no service' : `service ${service}`}, from ${client}`,
    paint('dim', `${formatDateTime(startedAt)}, remembered since it ${reasons.join(', ')}`),
  ]
  const lines = steps.flatMap(({ at, step, endpoint, note, candidates = [] }) => [
    [`${at.toFixed(2).padStart(10)} ms`, step.padEnd(8), endpoint, note].filter((part) => part !== undefined && part !== '').join('  '),
    ...candidates.map(({ endpoint, weight, less, active, responseMs, skipped }) => {
      const why = less === undefined ? '' : ` (${less})`
      const facts = `weight ${weight}${why}, ${active} in flight${responseMs === undefined ? '' : `, ${responseMs} ms`}`
      return paint('dim', `${' '.repeat(15)}${endpoint}: ${skipped === undefined ? facts : `skipped: ${skipped}`}`)
    }),
  ])
  return [...head, ...lines].join('\n')
}
