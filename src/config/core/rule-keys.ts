/** The keys of what is watched for: rules, what is promised of services, and when nobody is to be told. */
import { compileCondition } from '../../alerting/core/expression/condition.ts'
import type { ConditionPlace } from '../../alerting/core/expression/problem.ts'
import { parseCron } from '../../alerting/core/rules/cron.ts'
import { shippedRules } from '../../alerting/core/rules/shipped.ts'
import { severities } from '../../alerting/types.ts'
import { HoldfastError } from '../../kernel/errors.ts'
import { minutes, ms, seconds } from '../../kernel/time.ts'
import type { RuleConfig, RulesConfig } from '../types.ts'
import type { Report } from './checks.ts'
import { boolean, duration, durationMax, filled, nameOf, oneOf, percent, text } from './scalars.ts'
import { key, list, map, object, optional, type Draft, type Scalar, type Value } from './schema.ts'
import { either, nearest, quote } from './words.ts'

/** A condition as it is written; what is wrong in it is pointed at. */
const condition: Scalar<string> = {
  kind: 'scalar',
  name: 'condition',
  expected: 'a condition such as error_rate(shop) > 5%',
  read(text) {
    const trimmed = text.trim()
    return problemOf(trimmed) === undefined ? trimmed : undefined
  },
  write: (value) => value,
  complaint(text) {
    const error = problemOf(text)
    if (error === undefined) return undefined
    const { problem, offset, width } = error.details as ConditionPlace
    return { message: problem, hint: error.hint, offset, width }
  },
}

function problemOf(text: string): HoldfastError | undefined {
  try {
    compileCondition(text)
    return undefined
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'condition_invalid') return error
    throw error
  }
}

const cron: Scalar<string> = {
  ...text('times', { max: 100, expected: 'five fields such as "30 2 * * sun"' }),
  read(text) {
    try {
      return parseCron(text).text
    } catch {
      return undefined
    }
  },
  hint: cronHint,
}

function cronHint(text: string): string | undefined {
  try {
    parseCron(text)
  } catch (error) {
    return /: (.*)$/.exec((error as Error).message)?.[1]
  }
  return undefined
}

const moment: Scalar<number> = {
  kind: 'scalar',
  name: 'time',
  expected: 'a time such as 2026-03-01T02:30Z',
  read(text) {
    if (!/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)$/.test(text)) return undefined
    const at = Date.parse(text.replace(' ', 'T'))
    return Number.isNaN(at) ? undefined : at
  },
  write: (value) => new Date(value).toISOString().replace('.000', ''),
  hint: (text) => (/^\d{4}-\d\d-\d\d/.test(text) ? 'a time needs hours, minutes and a zone: 2026-03-01T02:30Z or 2026-03-01T02:30+01:00' : undefined),
}

const labelName = text('name', { expected: 'the name of a label: letters, digits and "_"', max: 63, matching: /^[A-Za-z_]\w*$/ })
const sentence = filled('text', 'a text', { max: 2_000 })
const span = duration(seconds(0), durationMax)

const rule = object({
  name: key(nameOf('rule'), { doc: 'The label `alertname`. The name of a rule that is shipped changes that one: what is left out stays as it is.' }),
  when: optional(condition, { doc: 'What must hold. One alert for each label set for which it does.', without: 'that of the rule of this name that is shipped' }),
  clearWhen: optional(condition, { doc: 'What must hold until an alert that fires is over.', without: 'it is over when `when` does not hold' }),
  for: optional(span, { doc: 'How long it must hold.', without: '0s, or that of the shipped rule' }),
  keepFiringFor: optional(span, { doc: 'How long it goes on firing after it held last.', without: '0s, or that of the shipped rule' }),
  severity: optional(oneOf(severities), { doc: 'The label `severity`.', without: '`warning`, or that of the shipped rule' }),
  labels: key(map('label', labelName, sentence), { doc: 'More labels, by which routes can tell it apart.', default: {} }),
  annotations: key(map('annotation', labelName, sentence), { doc: '`summary`, `description` and others; `{{value}}`, `{{service}}` and other labels are filled in.', default: {} }),
  runbook: optional(sentence, { doc: 'What to do, or where that is written.', without: 'none' }),
  owner: optional(sentence, { doc: 'Who answers for the rule.', without: 'nobody' }),
  interval: optional(duration(seconds(1), minutes(60)), { doc: 'From one evaluation to the next. Events that it counts lead to one at once.', without: '1s; 15s where it looks back over more than 10m, at a budget, at anomalies or at Prometheus' }),
  enabled: key(boolean, { doc: 'Whether it is evaluated.', default: true }),
})

const objective = object(
  { availability: key(percent, { doc: 'Share of the requests that are to be answered without a failure of the service.' }) },
  { short: ['availability'], compact: true },
)

const maintenance = object({
  services: key(list(nameOf('service')), { doc: 'Whose alerts are kept back; none: all.', default: [] }),
  cron: optional(cron, { doc: 'When it begins, again and again, in UTC: minute, hour, day of the month, month, day of the week.', without: 'one of `cron` and `from` is required' }),
  from: optional(moment, { doc: 'When it begins, once.', without: 'one of `cron` and `from` is required' }),
  duration: key(duration(minutes(1), durationMax), { doc: 'How long it is.' }),
  comment: optional(sentence, { doc: 'What is being done.', without: 'nothing' }),
  published: key(boolean, { doc: 'Whether the status page tells of it, a week ahead, without the comment.', default: true }),
})

const prometheus = object(
  {
    url: key(filled('URL', 'a URL such as http://127.0.0.1:9090', { matching: /^https?:\/\/[^\s?#]+$/ }), { doc: 'Its address, with user and password where it wants them.' }),
    token: optional(filled('text', 'a token'), { doc: 'Sent as `Authorization: Bearer`.', without: 'none is sent', secret: true }),
  },
  { short: ['url'] },
)

export const ruleKeys = {
  rules: key(list(rule), { doc: 'What is watched for.', default: [] }),
  defaultRules: key(boolean, { doc: 'Whether the rules that are shipped are evaluated.', default: true }),
  objectives: key(map('service', nameOf('service'), objective), { doc: 'What is promised of services, by name; `burn_rate` goes by it. Default of each: 99.9%.', default: {} }),
  maintenance: key(list(maintenance), { doc: 'When nobody is to be told.', default: [] }),
  prometheus: optional(prometheus, { doc: 'The server that `prometheus("…")` asks.', without: 'conditions cannot ask one' }),
} as const

type RuleSettings = Value<ReturnType<typeof object<typeof ruleKeys>>>

export function toRules({ rules, defaultRules, objectives, maintenance, prometheus }: RuleSettings): RulesConfig {
  return { rules, defaultRules, objectives, maintenance, ...(prometheus && { prometheus }) }
}

export function fromRules({ rules, defaultRules, objectives, maintenance, prometheus }: RulesConfig): Draft<RuleSettings> {
  return { rules, defaultRules, objectives, maintenance, prometheus }
}

const shippedNames = shippedRules.map(({ name }) => name)

/** `services`: the names of those that there are. */
export function checkRules(settings: Draft<RuleSettings>, services: readonly string[], report: Report): void {
  const seen = new Map<string, number>()
  settings?.rules?.forEach((one, index) => {
    if (one === undefined) return
    const path = `alerting.rules[${index}]`
    checkRule(path, one, services, report)
    if (one.name === undefined) return
    const before = seen.get(one.name)
    if (before !== undefined) report.problem(`${path}.name`, { message: `two rules are called ${quote(one.name)}`, hint: `the other one is alerting.rules[${before}]` })
    seen.set(one.name, index)
  })
  for (const name of Object.keys(settings?.objectives ?? {})) checkService(`alerting.objectives.${name}`, name, services, report, true)
  settings?.maintenance?.forEach((one, index) => {
    const path = `alerting.maintenance[${index}]`
    const given = (name: string): boolean => report.given(`${path}.${name}`)
    if (given('cron') === given('from')) {
      report.keyProblem(path, { message: given('cron') ? 'cannot have both cron and from' : 'has no beginning', hint: 'cron: "30 2 * * sun" begins again and again, from: 2026-03-01T02:30Z once' })
    }
    one?.services?.forEach((name, at) => {
      if (name !== undefined) checkService(`${path}.services[${at}]`, name, services, report)
    })
  })
}

function checkRule(path: string, { name, when, clearWhen, for: wait }: NonNullable<Draft<RuleConfig>>, services: readonly string[], report: Report): void {
  if (when === undefined && !report.given(`${path}.when`) && name !== undefined && !shippedNames.includes(name)) {
    const near = nearest(name, shippedNames)
    report.keyProblem(path, { message: `the rule ${quote(name)} has no condition`, hint: near === undefined ? 'give it one: when: error_rate(shop) > 5%' : `did you mean the rule that is shipped, ${quote(near)}?` })
  }
  for (const [key, text] of [['when', when], ['clearWhen', clearWhen]] as const) {
    if (text === undefined) continue
    if (compileCondition(text).queries.length > 0 && !report.given('alerting.prometheus'))
      report.problem(`${path}.${key}`, { message: 'asks a Prometheus server, and none is named', hint: 'set alerting.prometheus to its URL' })
    for (const { label, name } of compileCondition(text).subjects) if (label === 'service') checkService(`${path}.${key}`, name, services, report)
  }
  if (wait !== undefined && when !== undefined && wait > ms(0) && compileCondition(when).watches.length > 0 && shortestWindow(when) < wait) {
    report.problem(`${path}.for`, { message: `for is longer than the window in which events are counted, so that they are forgotten before it is over`, hint: 'make the window longer, or leave for out' })
  }
}

function shortestWindow(when: string): number {
  return Math.min(...compileCondition(when).eventWindows)
}

function checkService(path: string, name: string, services: readonly string[], report: Report, asKey = false): void {
  if (services.includes(name)) return
  const near = nearest(name, services)
  const complaint = { message: `there is no service ${quote(name)}`, hint: near === undefined ? `there are: ${either(services.slice(0, 10), 'and') || 'none'}` : `did you mean ${quote(near)}?` }
  if (asKey) report.keyProblem(path, complaint)
  else report.problem(path, complaint)
}
