/** `holdfast alerts rules` and `holdfast alerts backtest`. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { backtest } from '../../alerting/core/backtest/backtest.ts'
import { rowsAsSeries, rowsOfCsv, windowsOf } from '../../alerting/core/backtest/rows.ts'
import { shownBacktest } from '../../alerting/core/backtest/shown.ts'
import { backtestSentence } from '../../alerting/core/backtest/words.ts'
import { compileRule } from '../../alerting/core/rules/rule.ts'
import { shippedRules } from '../../alerting/core/rules/shipped.ts'
import { HoldfastError, messageOf } from '../../kernel/errors.ts'
import { defineCommand, flag, optional, required, text } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { formatAge, nothing } from '../format.ts'
import { duration } from '../readers.ts'
import type { BacktestBody, BacktestDescription, RuleDescription } from '../rules-api.ts'
import { printable, type Tone } from '../style.ts'
import { renderTable, type Column } from '../table.ts'

const columns: readonly Column[] = [
  { title: 'RULE' },
  { title: 'STATE' },
  { title: 'SEVERITY' },
  { title: 'FOR', align: 'right' },
  { title: 'WHEN', shrinkTo: 20 },
]
const tones: Readonly<Record<RuleDescription['state'], Tone>> = { inactive: 'green', pending: 'yellow', firing: 'red', failing: 'red', off: 'dim' }

export const alertRules = defineCommand({
  name: 'alerts rules',
  summary: 'all rules, where each stands, and what fires',
  options: { active: flag('--active', 'only those that are pending, fire or cannot be evaluated') },
  examples: ['holdfast alerts rules', 'holdfast alerts rules --active'],
  async run(context, { active }) {
    const api = await context.connect()
    const rules = (await api.rules()).filter(({ state }) => !active || !['inactive', 'off'].includes(state))
    const { columns: width, paint } = context.out
    const rows = rules.map(({ name, state, severity, forMs, when }) => [
      name,
      paint(tones[state], state),
      severity,
      forMs === 0 ? nothing : formatAge(forMs),
      printable(when, false),
    ])
    const table = rows.length === 0 ? 'no rule is pending or fires' : renderTable(columns, rows, width, (title) => paint('dim', title))
    const details = rules.flatMap(({ name, alerts, error }) => [
      ...alerts.map(({ labels, phase, since, value }) => `${name} ${phase} since ${new Date(since).toISOString()}: ${value}  ${shownLabels(labels)}`),
      ...(error === null ? [] : [`${name} cannot be evaluated: ${error}`]),
    ])
    return { data: rules, text: [table, ...(details.length === 0 ? [] : ['', ...details.map((line) => printable(line, false))])].join('\n') }
  },
})

export const alertsBacktest = defineCommand({
  name: 'alerts backtest',
  summary: 'how often a rule would have fired, flapped and missed',
  description:
    'Over what was measured here, or over rows of a CSV (time,value), for which nothing need run when the rule is shipped or --when is given',
  arguments: { rule: required('<rule>', 'one of the configuration, or one that is shipped', text) },
  options: {
    since: optional('--since <age>', 'from so long ago (default: 7d)', duration),
    when: optional('--when <condition>', 'another condition in place of its own', text),
    for: optional('--for <duration>', 'another `for`', duration),
    keepFiringFor: optional('--keep-firing-for <duration>', 'another `keepFiringFor`', duration),
    csv: optional('--csv <file>', 'rows of time,value in place of the history', text),
    windows: optional('--windows <file>', 'labelled windows, as JSON: [[from, to], ...], or a map of such lists by file', text),
  },
  examples: ['holdfast alerts backtest HighErrorRate --since 7d', 'holdfast alerts backtest UnusualTraffic --csv traffic.csv --windows labels.json'],
  async run(context, { rule, since, when, for: forMs, keepFiringFor, csv, windows }) {
    const rows = csv === undefined ? undefined : rowsOfCsv(await textOf(csv))
    const labelled = windows === undefined ? undefined : windowsOf(jsonOf(await textOf(windows), windows), csv === undefined ? rule : resolve(csv))
    const order: BacktestBody = {
      rule,
      when,
      forMs,
      keepFiringForMs: keepFiringFor,
      from: since === undefined ? undefined : `${since}ms`,
      rows,
      windows: labelled,
    }
    const answer = isKnownHere(order) ? testedHere(order) : await (await context.connect()).backtest(order)
    return { data: answer, text: [`${answer.rule} (${printable(answer.when, false)}) ${answer.sentence}`, ...linesOf(answer, context)].join('\n') }
  },
})

/** Nobody need be asked: the rule is known, and so are the rows. */
const isKnownHere = ({ rule, when, rows }: BacktestBody): boolean =>
  rows !== undefined && (when !== undefined || shippedRules.some(({ name }) => name === rule))

function testedHere({ rule: name, when, forMs, keepFiringForMs, rows = [], windows }: BacktestBody): BacktestDescription {
  const base = compileRule(
    { name, ...(when !== undefined && { when }), enabled: true },
    when === undefined ? shippedRules.find((one) => one.name === name) : undefined,
  )
  const rule = { ...base, ...(forMs !== undefined && { forMs }), ...(keepFiringForMs !== undefined && { keepFiringForMs }) }
  const report = backtest(rule, { ...rowsAsSeries(rule, rows), objective: () => undefined, windows })
  return { ...shownBacktest(report), rule: name, when: rule.condition.text, sentence: backtestSentence(report) }
}

const shownEpisodes = 20

function linesOf({ episodes, windows, error }: BacktestDescription, { out }: CommandContext): readonly string[] {
  const shown = episodes.slice(0, shownEpisodes).map(({ from, to, labels, inWindow, impact, flapped }) => {
    const notes = [
      inWindow === true ? 'in a window' : inWindow === false ? 'outside' : '',
      impact === false ? 'without impact' : '',
      flapped ? 'flapped' : '',
    ].filter((note) => note !== '')
    return `  ${new Date(from).toISOString()}  ${to === null ? 'still fires' : formatAge(to - from)}  ${printable(shownLabels(labels), false)}${notes.length === 0 ? '' : `  ${out.paint('dim', notes.join(', '))}`}`
  })
  const missed = windows
    .filter(({ caught }) => !caught)
    .map(({ name, from, to }) => `  missed ${name ?? 'window'}: ${new Date(from).toISOString()} to ${new Date(to).toISOString()}`)
  return [
    ...shown,
    ...(episodes.length > shownEpisodes ? [`  … and ${episodes.length - shownEpisodes} more (--json shows them)`] : []),
    ...missed,
    ...(error === null ? [] : [`  ${error}`]),
  ]
}

const shownLabels = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .filter(([name]) => name !== 'alertname' && name !== 'severity')
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new HoldfastError('file_unreadable', `tried to read ${file}: ${messageOf(cause)}`, { cause })
  }
}

function jsonOf(text: string, file: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw new HoldfastError('invalid_input', `tried to read ${file} as JSON: ${messageOf(cause)}`, { cause })
  }
}
