import { describe, expect, it } from 'vitest'
import type { RuleConfig } from '../config/types.ts'
import { minutes } from '../kernel/time.ts'
import type { BacktestOrder } from './rule-operations.ts'
import { withBacktests } from './rule-preview.ts'

const rule = (name: string, more: Partial<RuleConfig> = {}): RuleConfig => ({
  name,
  when: 'p95(shop) > 1s',
  labels: {},
  annotations: {},
  enabled: true,
  ...more,
})
const change = { path: 'alerting.rules', from: [], to: [], effect: 'takes effect at once' }
const other = { path: 'name', from: 'a', to: 'b', effect: 'changes the name' }

describe('what changed rules would have told', () => {
  const asked: BacktestOrder[] = []
  const backtest = (order: BacktestOrder): Promise<{ sentence: string }> => {
    asked.push(order)
    return order.rule === 'Bad' ? Promise.reject(new Error('no such series')) : Promise.resolve({ sentence: 'would have fired 9 times in 7 d' })
  }

  it('stands beside what the change does, for those that are new or different', async () => {
    const before = [rule('Same'), rule('Longer')]
    const after = [rule('Same'), rule('Longer', { for: minutes(5) }), rule('New'), rule('Off', { enabled: false })]
    const [first, second] = await withBacktests([other, change], { before, after }, backtest)
    expect(first).toBe(other)
    expect(second?.effect).toBe('takes effect at once; Longer would have fired 9 times in 7 d; New would have fired 9 times in 7 d')
    expect(asked.map((order) => [order.rule, order.forMs])).toEqual([
      ['Longer', 300_000],
      ['New', undefined],
    ])
  })

  it('is missing with the reason, and refuses nothing', async () => {
    const [only] = await withBacktests([change], { before: [], after: [rule('Bad')] }, backtest)
    expect(only?.effect).toBe('takes effect at once; Bad is not back-tested: no such series')
  })

  it('is nothing where no rule changes', async () => {
    const changes = [other]
    expect(await withBacktests(changes, { before: [], after: [rule('New')] }, backtest)).toBe(changes)
  })
})
