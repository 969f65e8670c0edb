/**
 * `npm run conformance -- http-cache [ID]`: the score of a public suite at the built product, by group, and what is not passed with its reason. Exit 1 below what has
 * been reached before (`http-cache/floor.json`), or when something is not passed and nobody has said why. `npm run conformance -- alerts`: see `alerts/main.ts`.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { alertsConformance } from './alerts/main.ts'
import { reasons } from './http-cache/reasons.ts'
import { scoreOf, type Score, type Tally } from './http-cache/score.ts'
import { runHere, said } from './http-cache/settings.ts'

const floor = JSON.parse(readFileSync(new URL('http-cache/floor.json', import.meta.url), 'utf8')) as {
  readonly required: number
  readonly optimal: number
}

const text = ({ passed, of }: Tally): string => (of === 0 ? '-' : `${passed}/${of}`)

function show({ required, optimal, groups, failures }: Score): void {
  const rows = [['group', 'required', 'optimal'], ...[...groups].map(([name, group]) => [name, text(group.required), text(group.optimal)])]
  const all = [...rows, ['all', text(required), text(optimal)]]
  for (const [name = '', ...tallies] of all) console.log(`${name.padEnd(18)}${tallies.map((each) => each.padStart(10)).join('')}`)
  for (const { test, why } of failures)
    console.log(`\nnot passed (${test.kind}): ${test.id}\n  ${why}\n  ${reasons[test.id] ?? 'NO REASON IS GIVEN'}`)
}

async function main(): Promise<void> {
  const { positionals } = parseArgs({ allowPositionals: true })
  const [suite = 'http-cache', only] = positionals
  if (suite === 'alerts') {
    if (!(await alertsConformance(only))) process.exitCode = 1
    return
  }
  if (suite !== 'http-cache') throw new Error(`unknown suite ${suite}; there are http-cache and alerts`)
  const startedAt = performance.now()
  const { tests, outcomes } = await runHere(only)
  const score = scoreOf(tests, outcomes)
  console.log(`http-cache-tests at the built product, ${said}\n`)
  show(score)
  console.log(`\nrequired ${text(score.required)}, optimal ${text(score.optimal)}; ${((performance.now() - startedAt) / 1_000).toFixed(0)} s`)
  if (only !== undefined) return
  if (score.required.passed < floor.required || score.optimal.passed < floor.optimal) {
    console.error(`less than has been reached: required ${floor.required}, optimal ${floor.optimal}`)
    process.exitCode = 1
  }
  if (score.failures.some(({ test }) => !(test.id in reasons))) process.exitCode = 1
}

try {
  await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
// The suite’s client keeps connections.
process.exit()
