/** What the results of a suite come to. As the suite counts: a test is passed only if those that it builds on are. */
export interface SuiteTest {
  readonly group: string
  readonly id: string
  readonly kind: 'required' | 'optimal' | 'check'
  readonly dependsOn: readonly string[]
}

export type Outcome = { readonly passed: true } | { readonly passed: false; readonly why: string }

export interface Tally {
  readonly passed: number
  readonly of: number
}

export interface Failure {
  readonly test: SuiteTest
  readonly why: string
}

export interface Score {
  readonly required: Tally
  readonly optimal: Tally
  readonly groups: ReadonlyMap<string, { readonly required: Tally; readonly optimal: Tally }>
  readonly failures: readonly Failure[]
}

export function scoreOf(tests: readonly SuiteTest[], outcomes: ReadonlyMap<string, Outcome>): Score {
  const byId = new Map(tests.map((test) => [test.id, test]))
  // What is not part of this run holds nobody up.
  const passes = (id: string): boolean => {
    const test = byId.get(id)
    return test === undefined || (outcomes.get(id)?.passed === true && test.dependsOn.every(passes))
  }
  const whyNot = ({ id, dependsOn }: SuiteTest): string => {
    const outcome = outcomes.get(id)
    if (outcome?.passed === false) return outcome.why
    return `it builds on ${dependsOn.filter((each) => !passes(each)).join(', ')}`
  }
  const tally = (of: readonly SuiteTest[], kind: SuiteTest['kind']): Tally => {
    const those = of.filter((test) => test.kind === kind)
    return { passed: those.filter(({ id }) => passes(id)).length, of: those.length }
  }
  const groups = [...new Set(tests.map(({ group }) => group))].map((group) => {
    const those = tests.filter((test) => test.group === group)
    return [group, { required: tally(those, 'required'), optimal: tally(those, 'optimal') }] as const
  })
  const failed = tests.filter(({ id, kind }) => kind !== 'check' && !passes(id))
  return {
    required: tally(tests, 'required'),
    optimal: tally(tests, 'optimal'),
    groups: new Map(groups),
    failures: failed.map((test) => ({ test, why: whyNot(test) })),
  }
}
