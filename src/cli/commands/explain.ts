import type { Explanation } from '../../app/explaining.ts'
import type { Candidate, RequestTrail, TrailStep } from '../../balancer/core/trail.ts'
import { codeOf } from '../../kernel/errors.ts'
import { defineCommand, required, text } from '../command.ts'
import { renderEvent } from '../event-line.ts'
import { formatDateTime } from '../format.ts'
import type { Output } from '../output.ts'
import { printable } from '../style.ts'
import { renderAlertExplanation } from './alerts.ts'

export const explain = defineCommand({
  name: 'explain',
  summary: 'why: the trail of a request, what an event came from and led to, or who is told of an alert',
  description:
    'Of requests, those are remembered that failed, waited, were tried again or were slow, and those that asked for it; see explain in the configuration.',
  arguments: { id: required('<id>', 'the X-Request-Id of a request, or the id of an event or an alert', text) },
  examples: ['holdfast explain 4f1c09a2b70000001', 'holdfast explain e87341228dc943c8', 'holdfast explain --json 4f1c09a2b70000001'],
  async run(context, { id }) {
    const api = await context.connect()
    if (/^[0-9a-f]{16}$/.test(id)) {
      const alert = await api.explainAlert(id).catch((error: unknown) => {
        if (codeOf(error) === 'unknown_alert') return undefined
        throw error
      })
      if (alert) return { data: alert, text: renderAlertExplanation(alert, context.out) }
    }
    const found = await api.explain(id)
    return { data: found, text: renderExplanation(found, context.out) }
  },
})

export function renderExplanation({ requests, events }: Explanation, out: Pick<Output, 'paint'>): string {
  return [...requests.map((trail) => renderTrail(trail, out)), ...events.map((event) => renderEvent(event, out))].join('\n')
}

/** Why it was remembered, to complete "it …". */
const because: Readonly<Record<RequestTrail['reasons'][number], string>> = {
  asked: 'asked for it',
  sampled: 'was sampled',
  parked: 'waited',
  retried: 'was tried more than once',
  failed: 'failed',
  slow: 'was slow',
}

function renderTrail(trail: RequestTrail, { paint }: Pick<Output, 'paint'>): string {
  const { method, target, status, durationMs, service, route, client, startedAt, reasons, tries, pid, traceId, steps } = trail
  const where = service === undefined ? 'no service' : `service ${service}${route === undefined ? '' : ` by route ${route}`}`
  const attempts = tries === 1 ? '1 attempt' : `${tries} attempts`
  const head = [
    paint('bold', printable(`${method} ${target}`, false)),
    printable(`${status === 0 ? 'cut' : status} after ${durationMs} ms and ${attempts}, ${where}, from ${client}, worker ${pid}`, false),
    paint(
      'dim',
      `${formatDateTime(startedAt)}${traceId === undefined ? '' : `, trace ${traceId}`}; remembered since it ${reasons.map((each) => because[each]).join(', ')}`,
    ),
  ]
  return [...head, ...steps.flatMap((step) => renderStep(step, paint))].join('\n')
}

function renderStep({ at, step, endpoint, note, candidates = [] }: TrailStep, paint: Output['paint']): readonly string[] {
  const words = [`${`+${at.toFixed(2)}`.padStart(11)} ms`, step.padEnd(8), endpoint, note && printable(note, false)]
  const line = words.filter((part) => part !== undefined && part !== '').join('  ')
  const bad = step === 'failed' || step === 'refused' || step === 'suspect'
  return [bad ? paint('red', line) : line, ...candidates.map((each) => paint('dim', `${' '.repeat(16)}${renderCandidate(each)}`))]
}

function renderCandidate({ endpoint, weight, less, active, responseMs, skipped }: Candidate): string {
  if (skipped !== undefined) return `${endpoint}: skipped: ${printable(skipped, false)}`
  const why = less === undefined ? '' : ` (${printable(less, false)})`
  return `${endpoint}: weight ${weight}${why}, ${active} in flight${responseMs === undefined ? '' : `, ${responseMs} ms`}`
}
