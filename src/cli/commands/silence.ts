/** `holdfast silence …`: keep alerts quiet for a time, see which are, end it. */
import { counted } from '../../kernel/words.ts'
import type { SilenceDescription } from '../alerts-api.ts'
import { defineCommand, flag, optional, required, rest, text } from '../command.ts'
import { usageError } from '../errors.ts'
import { formatDateTime } from '../format.ts'
import { duration } from '../readers.ts'
import { printable } from '../style.ts'
import { renderTable, type Column } from '../table.ts'

export const silence = defineCommand({
  name: 'silence',
  summary: 'keep alerts quiet for a time',
  description: 'All matchers must hold: NAME=VALUE, !=, =~ or !~. At most 7 days, unless forced.',
  arguments: { matchers: rest('<matcher...>', 'such as service=shop', text) },
  options: {
    time: optional('--for <duration>', 'how long; mandatory', duration),
    comment: optional('--comment <text>', 'why; mandatory', text),
    endOnResolve: flag('--end-on-resolve', 'over as soon as all that it kept quiet is over'),
    force: flag('--force', 'it may last longer than 7 days'),
  },
  examples: [
    'holdfast silence service=shop --for 2h --comment "moving disks"',
    `holdfast silence 'alertname=~"Disk.*"' severity=warning --for 1d --comment "new disks on Friday" --end-on-resolve`,
  ],
  async run(context, { matchers, time, comment, endOnResolve, force }) {
    if (matchers.length === 0) throw usageError('expected at least one matcher, such as service=shop')
    if (time === undefined) throw usageError('say for how long: --for 2h')
    if (comment === undefined) throw usageError('say why: --comment "moving disks"')
    const api = await context.connect()
    const made = await api.silence({ matchers, comment, for: time, endOnResolve: endOnResolve || undefined, force: force || undefined })
    return {
      data: made,
      text: `${made.id} keeps ${made.matchers.map((each) => printable(each, false)).join(', ')} quiet until ${formatDateTime(Date.parse(made.endsAt))} UTC`,
    }
  },
})

const columns: readonly Column[] = [
  { title: 'ID' },
  { title: 'STATE' },
  { title: 'MATCHERS', shrinkTo: 16 },
  { title: 'UNTIL (UTC)' },
  { title: 'KEPT', align: 'right' },
  { title: 'BY', shrinkTo: 6 },
  { title: 'WHY', shrinkTo: 12 },
]

export const silenceList = defineCommand({
  name: 'silence list',
  summary: 'which silences there are',
  options: { all: flag('--all', 'also those that are over') },
  examples: ['holdfast silence list', 'holdfast silence list --all'],
  async run(context, { all }) {
    const api = await context.connect()
    const silences = await api.silences(all)
    const { out } = context
    const table = renderTable(columns, silences.map(cellsOf), out.columns, (title) => out.paint('dim', title))
    return { data: silences, text: silences.length === 0 ? 'nothing is silenced' : table }
  },
})

function cellsOf({ id, state, matchers, endsAt, matched, createdBy, comment }: SilenceDescription): readonly string[] {
  return [
    id,
    state,
    printable(matchers.join(', '), false),
    formatDateTime(Date.parse(endsAt)),
    String(matched),
    printable(createdBy, false),
    printable(comment, false),
  ]
}

export const silenceExpire = defineCommand({
  name: 'silence expire',
  summary: 'end a silence now',
  arguments: { id: required('<id>', 'the id that `holdfast silence list` shows', text) },
  examples: ['holdfast silence expire 01M80BXNVJMMC3KPRA3W0RV9R8'],
  async run(context, { id }) {
    const api = await context.connect()
    const ended = await api.expireSilence(id)
    return { data: ended, text: `${id} is over; it kept ${counted(ended.matched, 'alert')} quiet` }
  },
})
