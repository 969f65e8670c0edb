import fc from 'fast-check'
import { expect, it } from 'vitest'
import { mayRun, remembered, type PolicyRules } from './policy.ts'

const rules: PolicyRules = { cooldownMs: 60_000, limit: { count: 3, per: 3_600_000 } }

it('waits after a run, and keeps to its limit', () => {
  expect(mayRun([], 0, rules)).toEqual({ go: true })
  expect(mayRun([0], 59_999, rules)).toEqual({ go: false, reason: 'it ran 60 s ago, and waits 60 s between two runs', againAt: 60_000 })
  expect(mayRun([0], 60_000, rules)).toEqual({ go: true })
  expect(mayRun([0, 60_000, 120_000], 200_000, rules)).toMatchObject({ go: false, againAt: 3_600_000 })
  expect(mayRun([0, 60_000, 120_000], 3_600_000, rules)).toEqual({ go: true })
})

it('never runs more often than it may, whenever it is asked; and forgetting what no longer matters changes nothing', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(600_000), { maxLength: 60 }), (waits) => {
      let now = 0
      let all: number[] = []
      let kept: readonly number[] = []
      for (const wait of waits) {
        now += wait
        kept = remembered(kept, now, rules)
        const verdict = mayRun(all, now, rules)
        if (mayRun(kept, now, rules).go !== verdict.go) return false
        if (!verdict.go && !(verdict.againAt > now)) return false
        if (!verdict.go) continue
        all = [...all, now]
        kept = [...kept, now]
      }
      return all.every(
        (at, i) => (i === 0 || at - (all[i - 1] ?? 0) >= 60_000) && all.filter((other) => other <= at && at - other < 3_600_000).length <= 3,
      )
    }),
  )
})
