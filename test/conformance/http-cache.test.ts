/** The public suite of HTTP caches: not below what has been reached, and nothing is missed without a reason. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { reasons } from './http-cache/reasons.ts'
import { scoreOf, type Outcome, type SuiteTest } from './http-cache/score.ts'
import { runHere } from './http-cache/settings.ts'

const floor = JSON.parse(readFileSync(new URL('http-cache/floor.json', import.meta.url), 'utf8')) as {
  readonly required: number
  readonly optimal: number
}

describe('the suite http-cache-tests', () => {
  it('is passed as far as it was before, and what is not has a reason', { timeout: 120_000 }, async () => {
    const { tests, outcomes } = await runHere()
    const { required, optimal, failures } = scoreOf(tests, outcomes)
    expect(failures.filter(({ test }) => !(test.id in reasons)).map(({ test, why }) => `${test.id}: ${why}`)).toEqual([])
    expect(required.passed).toBeGreaterThanOrEqual(floor.required)
    expect(optimal.passed).toBeGreaterThanOrEqual(floor.optimal)
  })

  it('counts a test only with those that it builds on', () => {
    const test = (id: string, kind: SuiteTest['kind'], ...dependsOn: string[]): SuiteTest => ({ group: 'g', id, kind, dependsOn })
    const tests = [test('a', 'check'), test('b', 'required', 'a'), test('c', 'optimal', 'b'), test('d', 'required', 'elsewhere')]
    const all = (failing: string): ReadonlyMap<string, Outcome> =>
      new Map(tests.map(({ id }) => [id, id === failing ? { passed: false, why: 'so' } : { passed: true }]))
    expect(scoreOf(tests, all('none'))).toMatchObject({ required: { passed: 2, of: 2 }, optimal: { passed: 1, of: 1 }, failures: [] })
    const score = scoreOf(tests, all('a'))
    expect(score).toMatchObject({ required: { passed: 1, of: 2 }, optimal: { passed: 0, of: 1 } })
    expect(score.failures.map(({ test: { id }, why }) => `${id}: ${why}`)).toEqual(['b: it builds on a', 'c: it builds on b'])
  })
})
