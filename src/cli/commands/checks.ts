/** `holdfast checks …`: how they stand, and making, pausing, resuming one. */
import { defineCommand, flag, optional, required, text, type Command } from '../command.ts'
import type { CheckDescription, ChecksDescription, OutcomeDescription } from '../checks-api.ts'
import type { CommandContext } from '../context.ts'
import { formatAge, formatMs, formatShare, formatSize, nothing } from '../format.ts'
import { printable, type Tone } from '../style.ts'
import { renderTable, type Column } from '../table.ts'

const name = required('<name>', 'the name of a check', text)

const columns: readonly Column[] = [
  { title: 'CHECK', shrinkTo: 12 },
  { title: 'KIND' },
  { title: 'STATE' },
  { title: 'FOR', align: 'right' },
  { title: 'VALUE', align: 'right' },
  { title: 'TOOK', align: 'right' },
  { title: 'MESSAGE', shrinkTo: 20 },
]

const tones: Readonly<Record<CheckDescription['state'], Tone>> = {
  up: 'green',
  suspect: 'yellow',
  recovering: 'yellow',
  down: 'red',
  unknown: 'dim',
  paused: 'dim',
}

export const checks = defineCommand({
  name: 'checks',
  summary: 'how the checks stand; of one: its last runs',
  arguments: { name: optional('[name]', 'only this one, with its last runs', text) },
  options: { bad: flag('--bad', 'only those that are not up, or beyond a threshold') },
  examples: ['holdfast checks', 'holdfast checks database', 'holdfast checks --bad --json'],
  async run(context, { name: one, bad }) {
    const api = await context.connect()
    if (one !== undefined) {
      const check = await api.check(one)
      return { data: check, text: detailText(context, check) }
    }
    const all = (await api.checks()).filter((check) => !bad || check.state !== 'up' || check.level !== 'ok')
    return {
      data: all,
      text: all.length === 0 ? (bad ? 'all checks are up' : 'there are no checks: see health.checks of the configuration') : tableOf(context, all),
    }
  },
})

type Action = 'run' | 'pause' | 'resume'

const acting = (action: Action, summary: string): Command =>
  defineCommand({
    name: `checks ${action}`,
    summary,
    arguments: { name },
    examples: [`holdfast checks ${action} database`],
    async run(context, { name }) {
      const api = await context.connect()
      const check = await api.orderCheck(name, action)
      const found = check.message === null || action === 'pause' ? '' : `: ${printable(check.message, false)}`
      return { data: check, text: `${printable(check.name, false)} is ${check.state}${found}` }
    },
  })

export const checksRun = acting('run', 'make a check now')
export const checksPause = acting('pause', 'do not make a check until it is resumed')
export const checksResume = acting('resume', 'make a paused check again')

export const checksHeartbeat = defineCommand({
  name: 'checks heartbeat',
  summary: 'report that somebody is alive, for a check of kind heartbeat',
  arguments: { name },
  examples: ['holdfast checks heartbeat nightly-backup'],
  async run(context, { name }) {
    const api = await context.connect()
    const check = await api.orderCheck(name, 'heartbeat')
    return { data: check, text: `${printable(check.name, false)} is ${check.state}` }
  },
})

function tableOf({ out, clock }: CommandContext, all: ChecksDescription): string {
  const now = clock.wallTime()
  const cells = all.map((check) => [
    printable(check.name, false),
    check.kind,
    stateText(check),
    formatAge(now - Date.parse(check.since)),
    valueText(check.last?.value ?? null, check.unit),
    check.kind === 'service' ? nothing : formatMs(check.last?.latencyMs),
    printable(check.message ?? nothing, false),
  ])
  return renderTable(columns, cells, out.columns, (title) => out.paint('dim', title))
}

const stateText = ({ state, level, cause }: CheckDescription): string => {
  const notes = [...(level === 'ok' || state === 'down' ? [] : [level]), ...(cause === null ? [] : [cause])]
  return notes.length === 0 ? state : `${state} (${notes.join(', ')})`
}

function valueText(value: number | null, unit: string | null): string {
  if (value === null) return nothing
  switch (unit) {
    case 'percent':
      return `${value.toFixed(1)}%`
    case 'ms':
      return value < 10_000 ? formatMs(value) : formatAge(value)
    case 'bytes':
      return `${formatSize(value)}/s`
    default:
      return String(value)
  }
}

function detailText({ out, clock }: CommandContext, check: CheckDescription): string {
  const { state, since, target, kind, intervalMs, timeoutMs, alertAfter, warnAt, criticalAt, uptime, blips, unit, outcomes = [] } = check
  const bounds = [...(warnAt === null ? [] : [`warning at ${warnAt}`]), ...(criticalAt === null ? [] : [`critical at ${criticalAt}`])]
  return [
    `${printable(check.name, false)}  ${out.paint(tones[state], stateText(check))} for ${formatAge(clock.wallTime() - Date.parse(since))}`,
    `${kind} ${printable(target, false)}, every ${formatMs(intervalMs)}, timeout ${formatMs(timeoutMs)}, down after ${alertAfter} failures${bounds.length === 0 ? '' : `; ${bounds.join(', ')}`}`,
    ...(uptime === null ? [] : [`up ${formatShare(uptime)} of the time; ${blips} ${blips === 1 ? 'blip' : 'blips'}`]),
    ...certificateLine(check),
    '',
    ...outcomes.slice(-20).map((outcome) => lineOf(outcome, unit)),
  ].join('\n')
}

function certificateLine({ last }: CheckDescription): readonly string[] {
  const days = last?.certificateDays ?? null
  if (days === null) return []
  const whole = Math.floor(Math.abs(days))
  const count = `${whole} ${whole === 1 ? 'day' : 'days'}`
  return [days < 0 ? `its certificate expired ${count} ago` : `its certificate is valid for ${count}`]
}

const lineOf = ({ at, outcome, latencyMs, value, message }: OutcomeDescription, unit: string | null): string =>
  [at.slice(11, 19), outcome.padEnd(12), formatMs(latencyMs).padStart(8), valueText(value, unit).padStart(8), printable(message, false)].join('  ')
