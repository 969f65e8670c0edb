/**
 * What a rule that is about to be changed would have told in the last days: in the words of its back-test, beside what else the change does. It refuses nothing:
 * whoever changes a rule knows what it did, and decides.
 */
import type { RuleConfig } from '../config/types.ts'
import { messageOf } from '../kernel/errors.ts'
import type { ConfigChange } from './operations.ts'
import type { BacktestOrder } from './rule-operations.ts'

/** Of one change; the others are back-tested by hand. */
const rulesMax = 10
const isRules = ({ path }: ConfigChange): boolean => path.startsWith('alerting.rules')

export async function withBacktests(
  changes: readonly ConfigChange[],
  rules: { readonly before: readonly RuleConfig[]; readonly after: readonly RuleConfig[] },
  backtest: (order: BacktestOrder) => Promise<{ readonly sentence: string }>,
): Promise<readonly ConfigChange[]> {
  const first = changes.find(isRules)
  if (first === undefined) return changes
  const said: string[] = []
  for (const rule of changedRules(rules).slice(0, rulesMax)) said.push(`${rule.name} ${await sentenceOf(rule, backtest)}`)
  const effect = [first.effect, ...said].join('; ')
  return changes.map((change) => (change === first ? { ...change, effect } : change))
}

/** New ones, and those that are not what they were. */
function changedRules({ before, after }: { readonly before: readonly RuleConfig[]; readonly after: readonly RuleConfig[] }): readonly RuleConfig[] {
  const known = new Map(before.map((rule) => [rule.name, JSON.stringify(rule)]))
  return after.filter((rule) => rule.enabled && known.get(rule.name) !== JSON.stringify(rule))
}

async function sentenceOf(rule: RuleConfig, backtest: (order: BacktestOrder) => Promise<{ readonly sentence: string }>): Promise<string> {
  const { name, when, clearWhen, for: forMs, keepFiringFor: keepFiringForMs } = rule
  try {
    return (await backtest({ rule: name, when, clearWhen, forMs, keepFiringForMs })).sentence
  } catch (error) {
    return `is not back-tested: ${messageOf(error)}`
  }
}
