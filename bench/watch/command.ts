/**
 * `npm run bench -- watch [--only checks,…] [--seconds N]`: what checks, alerts and the dashboard cost, and how fast they are, each with the figure that it must keep.
 * A measurement is a function of its own file here; it joins by one line of `measurements`.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { stamp } from '../lib/arguments.ts'
import { machineFacts } from '../lib/machine.ts'
import { measureChecks } from './checks.ts'
import { measureProfile } from './profile.ts'
import { measureDashboard } from './dashboard.ts'
import { measureKillToWebhook } from './kill-to-webhook.ts'
import { measureManyAlerts } from './many-alerts.ts'
import type { Measurement, WatchRow } from './row.ts'

const results = join(dirname(fileURLToPath(import.meta.url)), '..', 'results')

const measurements: Readonly<Record<string, Measurement>> = {
  checks: measureChecks,
  profile: measureProfile,
  dashboard: measureDashboard,
  'kill-to-webhook': measureKillToWebhook,
  alerts: measureManyAlerts,
}

export async function benchWatch(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { only: { type: 'string' }, seconds: { type: 'string', default: '30' } } })
  const names = values.only === undefined ? Object.keys(measurements) : values.only.split(',')
  const seconds = Number(values.seconds)
  if (!(Number.isInteger(seconds) && seconds >= 5)) throw new Error('--seconds is a whole number from 5')
  const machine = machineFacts()
  const rows: WatchRow[] = []
  for (const name of names) {
    const measure = measurements[name]
    if (!measure) throw new Error(`--only: there is no ${name}; there are: ${Object.keys(measurements).join(', ')}`)
    console.error(`measuring ${name} …`)
    rows.push(...(await measure({ seconds })))
  }
  const markdown = [
    `# Watching: ${machine.date}`,
    '',
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, load before ${machine.loadBefore.toFixed(2)}, commit ${machine.commit}.`,
    '',
    '| what | measured | must be | holds | how |',
    '|---|---:|---:|---|---|',
    ...rows.map(({ what, measured, target, holds, how }) => `| ${what} | ${measured} | ${target} | ${holds ? 'yes' : '**no**'} | ${how} |`),
    '',
  ].join('\n')
  console.log(markdown)
  mkdirSync(results, { recursive: true })
  const file = join(results, `watch-${stamp(machine.date)}`)
  writeFileSync(`${file}.md`, markdown)
  writeFileSync(`${file}.json`, `${JSON.stringify({ machine, rows }, undefined, 1)}\n`)
  console.error(`written: ${file}.md and .json`)
  if (rows.some(({ holds }) => !holds)) process.exitCode = 1
}
