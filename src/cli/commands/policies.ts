import { defineCommand, optional, text } from '../command.ts'
import type { PolicyDescription } from '../checks-api.ts'
import type { CommandContext } from '../context.ts'
import { CliError } from '../errors.ts'
import { formatAge, nothing } from '../format.ts'
import { printable } from '../style.ts'
import { renderTable, type Column } from '../table.ts'

const columns: readonly Column[] = [
  { title: 'POLICY', shrinkTo: 12 },
  { title: 'ON', shrinkTo: 16 },
  { title: 'DOES', shrinkTo: 14 },
  { title: 'RUNS', align: 'right' },
  { title: 'LAST', align: 'right' },
  { title: 'NEXT', align: 'right' },
  { title: 'NOTE', shrinkTo: 20 },
]

export const policies = defineCommand({
  name: 'policies',
  summary: 'what is done by itself when something happens: what ran, when it may run again, what was refused and why',
  description:
    'NEXT: "now" when it may run at the next occasion, else how long its cooldown or its limit holds it back. Every run and every refusal is an event.',
  arguments: { name: optional('[name]', 'only this one', text) },
  examples: ['holdfast policies', 'holdfast policies heal', 'holdfast events --type policy.refused'],
  async run(context, { name }) {
    const api = await context.connect()
    const all = await api.policies()
    if (name === undefined) {
      return { data: all, text: all.length === 0 ? 'there are no policies: see policies of the configuration' : tableOf(context, all) }
    }
    const one = all.find((policy) => policy.name === name)
    if (one) return { data: one, text: detailText(context, one) }
    const hint = all.length === 0 ? 'there are none: see policies of the configuration' : `there are: ${all.map((each) => each.name).join(', ')}`
    throw new CliError('unknown_policy', `looked for the policy ${name}, found no such policy`, { hint, details: { policy: name } })
  },
})

function tableOf(context: CommandContext, all: readonly PolicyDescription[]): string {
  const cells = all.map((policy) => {
    const { name, on, actions, runs, lastRun } = policy
    return [name, on, actions.join(', then '), String(runs), ageOf(context, lastRun), nextOf(context, policy), noteOf(policy)].map((cell) =>
      printable(cell, false),
    )
  })
  return renderTable(columns, cells, context.out.columns, (title) => context.out.paint('dim', title))
}

const ageOf = ({ clock }: CommandContext, at: string | null): string => (at === null ? nothing : formatAge(clock.wallTime() - Date.parse(at)))

function nextOf({ clock }: CommandContext, { enabled, running, againAt }: PolicyDescription): string {
  if (!enabled) return 'never'
  if (running) return 'runs'
  return againAt === null ? 'now' : `in ${formatAge(Math.max(1_000, Date.parse(againAt) - clock.wallTime()))}`
}

/** What an operator has to know first. */
function noteOf({ enabled, dryRun, lastRefusal, lastFailure, refusals, lastRun }: PolicyDescription): string {
  const failed = lastFailure !== null && (lastRun === null || lastFailure.at >= lastRun)
  const notes = [
    ...(enabled ? [] : ['disabled']),
    ...(dryRun ? ['dry run'] : []),
    ...(failed ? [`failed: ${lastFailure.reason}`] : []),
    ...(lastRefusal === null ? [] : [`refused${refusals > 1 ? ` ${refusals} times` : ''}: ${lastRefusal.reason}`]),
  ]
  return notes.length === 0 ? nothing : notes.join('; ')
}

function detailText(context: CommandContext, policy: PolicyDescription): string {
  const { name, on, match, actions, dryRun, runs, lastRun, refusals, lastRefusal, lastFailure } = policy
  const where = Object.entries(match).map(([field, value]) => `${field} = ${value}`)
  const ago = (at: string): string => `${ageOf(context, at)} ago`
  const lines = [
    `${name}: on ${on}${where.length === 0 ? '' : ` where ${where.join(', ')}`}${dryRun ? ' (dry run)' : ''}`,
    ...actions.map((action) => `  ${action}`),
    `ran ${runs === 0 ? 'never' : runs === 1 ? 'once' : `${runs} times`}${lastRun === null ? '' : `, last ${ago(lastRun)}`}; may run: ${nextOf(context, policy)}`,
    ...(refusals === 0 ? [] : [`refused ${refusals === 1 ? 'once' : `${refusals} times`} since holdfast started`]),
    ...(lastRefusal === null ? [] : [`last refused ${ago(lastRefusal.at)}: ${lastRefusal.reason}`]),
    ...(lastFailure === null ? [] : [`last failed ${ago(lastFailure.at)}: ${lastFailure.reason}`]),
  ]
  return lines.map((line) => printable(line, false)).join('\n')
}
