/** `holdfast alerts coverage` and `holdfast alerts report`: what would be told, and whether what was told was worth it. */
import { counted } from '../../kernel/words.ts'
import { defineCommand, flag, optional } from '../command.ts'
import { formatAge, formatShare, nothing } from '../format.ts'
import { duration } from '../readers.ts'
import { printable } from '../style.ts'
import { renderTable, type Column } from '../table.ts'

const cells: readonly Column[] = [
  { title: 'OF' },
  { title: 'FAULT' },
  { title: 'TOLD BY' },
  { title: 'AFTER', align: 'right' },
  { title: 'WHAT', shrinkTo: 20 },
]

export const alertsCoverage = defineCommand({
  name: 'alerts coverage',
  summary: 'which faults would be told, by which rule, and how soon',
  description:
    'Faults are imagined for every service, every check and the machine, and the rules evaluated on what would be measured. Nothing is broken for it',
  options: { missing: flag('--missing', 'only faults that nobody would be told of in time') },
  examples: ['holdfast alerts coverage', 'holdfast alerts coverage --missing'],
  async run(context, { missing }) {
    const report = await (await context.connect()).alertCoverage()
    const { columns: width, paint } = context.out
    const shown = report.cells.filter(({ covered }) => !missing || !covered)
    const rows = shown.map(({ target, fault, fired, covered, what, missing: rules, severity }) => {
      const [first] = fired
      const none = rules.length > 0 ? `nothing ${severity}; ${rules.join(', ')} would` : `nothing ${severity}`
      return [
        printable(target ?? 'machine', false),
        fault,
        covered ? (first?.rule ?? '') : paint('red', none),
        first && covered ? formatAge(first.afterMs) : nothing,
        what,
      ]
    })
    const table = rows.length === 0 ? [] : [renderTable(cells, rows, width, (title) => paint('dim', title)), '']
    return {
      data: report,
      text: [
        ...table,
        `alert coverage ${formatShare(report.coverage)}: ${report.cells.filter(({ covered }) => covered).length} of ${report.cells.length} faults are told in time`,
      ].join('\n'),
    }
  },
})

const columns: readonly Column[] = [
  { title: 'RULE' },
  { title: 'ALERTS', align: 'right' },
  { title: 'FOR NOTHING', align: 'right' },
  { title: 'PRECISION', align: 'right' },
  { title: 'TAKEN ON AFTER', align: 'right' },
  { title: 'TRY' },
]

export const alertsReport = defineCommand({
  name: 'alerts report',
  summary: 'which alerts were worth telling, which rules cry for nothing, and what nobody was told of',
  description:
    'An alert was worth telling when the error budget of its service, or of one that needs it, burned around it, or when somebody took it on',
  options: { since: optional('--since <age>', 'from so long ago (default: 7d)', duration) },
  examples: ['holdfast alerts report', 'holdfast alerts report --since 30d'],
  async run(context, { since }) {
    const report = await (await context.connect()).alertReport(since === undefined ? undefined : `${since}ms`)
    const { columns: width, paint } = context.out
    const rows = report.rules.map(({ rule, pages, noise, precision, ackMs, suggestion }) => [
      rule,
      String(pages),
      String(noise),
      formatShare(precision),
      ackMs === null ? nothing : formatAge(ackMs),
      suggestion === null ? nothing : `for: ${formatAge(suggestion.forMs)} (${suggestion.spares} fewer)`,
    ])
    const text = [
      report.precision === null ? 'nobody was told of anything' : `${counted(report.pages, 'alert')}, ${formatShare(report.precision)} worth telling`,
      ...(rows.length === 0 ? [] : [renderTable(columns, rows, width, (title) => paint('dim', title))]),
      ...report.missed.map(
        ({ service, from, to, spent }) =>
          `nobody was told: ${printable(service, false)} spent ${formatShare(spent)} of its budget from ${new Date(from).toISOString()} to ${new Date(to).toISOString()}`,
      ),
    ]
    return { data: report, text: text.join('\n') }
  },
})
