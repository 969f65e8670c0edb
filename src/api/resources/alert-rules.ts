/** The rules of alerts: where each stands, and what one would have told. */
import { z } from 'zod'
import type { RuleReport } from '../../app/rule-operations.ts'
import { shownBacktest } from '../../alerting/core/backtest/shown.ts'
import { HoldfastError } from '../../kernel/errors.ts'
import type { Clock } from '../../kernel/time.ts'
import type { ApiDeps } from '../deps.ts'
import { route, type Immutable, type Route } from '../route.ts'
import { lineOfText, momentOf } from '../schemas/common.ts'
import { backtestOrderSchema, backtestSchema, coverageSchema, precisionQuery, precisionSchema, ruleSchema } from '../schemas/rules.ts'

const tag = 'Alerts'
const weekMs = 7 * 86_400_000

export function alertRuleRoutes({ operations }: ApiDeps, clock: Clock): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/alerts/rules',
      tag,
      summary: 'All rules, where each stands, and what fires',
      permission: 'read:status',
      data: z.array(ruleSchema),
      handler: () => operations.rules.list().map(shownRule),
    }),
    route({
      method: 'GET',
      path: '/alerts/rules/:rule',
      tag,
      summary: 'One rule',
      permission: 'read:status',
      params: z.strictObject({ rule: lineOfText(63) }),
      data: ruleSchema,
      handler({ params: { rule } }) {
        const found = operations.rules.list().find(({ name }) => name === rule)
        if (found === undefined)
          throw new HoldfastError('unknown_rule', `looked for the rule ${rule}, found none of this name`, { hint: 'GET /alerts/rules lists them' })
        return shownRule(found)
      },
    }),
    route({
      method: 'GET',
      path: '/alerts/coverage',
      tag,
      summary: 'Which faults would be told, by which rule and how soon',
      description: 'Faults are imagined and rules evaluated on what would be measured; nothing is broken for it.',
      permission: 'read:status',
      data: coverageSchema,
      handler: async () => {
        const { coverage, cells } = await operations.rules.coverage()
        return { coverage, cells: cells.map((cell) => ({ ...cell, target: cell.target ?? null })) }
      },
    }),
    route({
      method: 'GET',
      path: '/alerts/report',
      tag,
      summary: 'Which alerts were worth telling, which rules cry for nothing, and what nobody was told of',
      permission: 'read:status',
      query: precisionQuery,
      data: precisionSchema,
      handler({ query: { since } }) {
        const now = clock.wallTime()
        const { rules, precision, ...report } = operations.rules.precision(momentOf(since, now) ?? now - weekMs)
        return {
          ...report,
          precision: precision ?? null,
          rules: rules.map((one) => ({ ...one, ackMs: one.ackMs ?? null, suggestion: one.suggestion ?? null })),
        }
      },
    }),
    route({
      method: 'POST',
      path: '/alerts/rules/backtest',
      tag,
      summary: 'What a rule would have told, had it been there',
      description: 'The same evaluation over the history, or over rows that are given. Changes nothing.',
      permission: 'read:status',
      audited: false,
      body: backtestOrderSchema,
      data: backtestSchema,
      handler: async ({ body: { from, to, ...order } }) => {
        const now = clock.wallTime()
        return shownBacktest(await operations.rules.backtest({ ...order, from: momentOf(from, now), to: momentOf(to, now) }))
      },
    }),
  ]
}

function shownRule({ alerts, ...rule }: RuleReport): Immutable<z.input<typeof ruleSchema>> {
  const { clearWhen, owner, runbook, why, lastAt, error } = rule
  return {
    ...rule,
    clearWhen: clearWhen ?? null,
    owner: owner ?? null,
    runbook: runbook ?? null,
    why: why ?? null,
    lastAt: lastAt ?? null,
    error: error ?? null,
    alerts: alerts.map((alert) => ({ ...alert, firedAt: alert.firedAt ?? null })),
  }
}
