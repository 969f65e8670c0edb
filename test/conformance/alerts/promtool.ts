/** The rule machine beside Prometheus: random series with random `for` and `keep_firing_for`, and at each minute what fires, by us and by `promtool test rules`. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { compileRule } from '../../../src/alerting/core/rules/rule.ts'
import { RuleRunner } from '../../../src/alerting/core/rules/runner.ts'
import { FakeSeries, inputsOf } from '../../../src/alerting/testing/fake-series.ts'
import { minutes } from '../../../src/kernel/time.ts'

const minute = 60_000

interface Case {
  readonly forMinutes: number
  readonly keepMinutes: number
  /** One a minute; 1 is true. */
  readonly values: readonly (0 | 1)[]
}

export interface PromtoolScore {
  readonly cases: number
  /** Minutes compared. */
  readonly compared: number
  /** What promtool complains of. */
  readonly differences: string | undefined
}

/** Repeats itself for the same seed (mulberry32). */
function chance(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

function caseOf(next: () => number, length: number): Case {
  const turns = 0.1 + 0.5 * next()
  let value: 0 | 1 = next() < 0.5 ? 1 : 0
  const values = Array.from({ length }, () => {
    if (next() < turns) value = value === 1 ? 0 : 1
    return value
  })
  return { forMinutes: Math.floor(next() * 5), keepMinutes: Math.floor(next() * 5), values }
}

/** At which minutes it fires, by us. */
function firing({ forMinutes, keepMinutes, values }: Case): readonly boolean[] {
  const runner = new RuleRunner({
    ...compileRule({ name: 'Case', when: 'p95 > 0', for: minutes(forMinutes), keepFiringFor: minutes(keepMinutes) }),
    intervalMs: minute,
  })
  return values.map((value, i) => {
    runner.evaluate(inputsOf(new FakeSeries().at(i * minute, 'p95', {}, value), i * minute))
    return runner.alerts.some(({ state }) => state?.phase === 'firing')
  })
}

function rulesOf(cases: readonly Case[]): object {
  const rules = cases.map(({ forMinutes, keepMinutes }, n) => ({
    alert: `Case${n}`,
    expr: `x{n="${n}"} > 0`,
    for: `${forMinutes}m`,
    keep_firing_for: `${keepMinutes}m`,
  }))
  return { groups: [{ name: 'cases', interval: '1m', rules }] }
}

function testsOf(cases: readonly Case[]): object {
  const expected = cases.flatMap((one, n) =>
    firing(one).map((fires, i) => ({ eval_time: `${i}m`, alertname: `Case${n}`, exp_alerts: fires ? [{ exp_labels: { n: String(n) } }] : [] })),
  )
  const series = cases.map(({ values }, n) => ({ series: `x{n="${n}"}`, values: values.join(' ') }))
  return { rule_files: ['rules.yml'], evaluation_interval: '1m', tests: [{ interval: '1m', input_series: series, alert_rule_test: expected }] }
}

/** Rejects when promtool is not there. */
export async function comparePromtool(count: number, seed: number, length = 30): Promise<PromtoolScore> {
  const next = chance(seed)
  const cases = Array.from({ length: count }, () => caseOf(next, length))
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-promtool-'))
  try {
    // JSON is YAML.
    writeFileSync(join(directory, 'rules.yml'), JSON.stringify(rulesOf(cases)))
    writeFileSync(join(directory, 'tests.yml'), JSON.stringify(testsOf(cases)))
    const differences = await promisify(execFile)('promtool', ['test', 'rules', 'tests.yml'], { cwd: directory, maxBuffer: 1 << 26 }).then(
      () => undefined,
      (error: unknown) => {
        const { stderr, stdout, code } = error as { stderr?: string; stdout?: string; code?: unknown }
        if (code === 'ENOENT') throw error
        return `${stdout ?? ''}${stderr ?? ''}`.slice(0, 4_000)
      },
    )
    return { cases: count, compared: count * length, differences }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
