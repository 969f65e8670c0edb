import { describe, expect, it } from 'vitest'
import { parse, problems } from '../testing/configs.ts'

const services = 'services: { shop: { command: ./shop }, auth: { command: ./auth } }\n'

describe('rules in the configuration', () => {
  it('are there with what is left out undefined, so that a shipped one keeps its own', () => {
    const { alerting } = parse(`${services}alerting: { rules: [{ name: HighErrors, when: "error_rate(shop) > 5%", for: 1m, severity: critical }, { name: DiskFull, enabled: false }], objectives: { shop: 99.5% } }`).config
    expect(alerting).toMatchObject({
      defaultRules: true,
      objectives: { shop: { availability: 0.995 } },
      rules: [{ name: 'HighErrors', when: 'error_rate(shop) > 5%', for: 60_000, severity: 'critical', enabled: true }, { name: 'DiskFull', when: undefined, enabled: false }],
    })
  })

  it('are pointed at where they are wrong', () => {
    const rule = (text: string): string => problems(`${services}alerting:\n  rules:\n    - name: Slow\n      when: ${text}`)[0] ?? ''
    expect(rule('error_rat(shop) > 5%')).toBe('holdfast.yml:5:13 alerting.rules[0].when: "error_rat" is no series and no function; did you mean "error_rate"?')
    expect(rule('"p95(shop) > 400MiB"')).toBe('holdfast.yml:5:26 alerting.rules[0].when: 400MiB is a size, and what it stands beside is in ms; write a plain number or a time such as 250ms')
    expect(rule('error_rate(shp) > 5%')).toBe('holdfast.yml:5:13 alerting.rules[0].when: there is no service "shp"; did you mean "shop"?')
    expect(rule('prometheus("up") == 0')).toMatch(/asks a Prometheus server, and none is named; set alerting.prometheus to its URL$/)
    expect(rule('events(instance.exited, 1m) > 1\n      for: 5m')).toMatch(/alerting.rules\[0\].for: for is longer than the window/)
  })

  it.each([
    ['rules: [{ name: DiskFul }]', 'alerting.rules[0]: the rule "DiskFul" has no condition; did you mean the rule that is shipped, "DiskFull"?'],
    ['rules: [{ name: A, when: "ready < desired" }, { name: A, when: "ready < desired" }]', 'alerting.rules[1].name: two rules are called "A"; the other one is alerting.rules[0]'],
    ['rules: [{ name: A, whn: "ready < desired" }]', 'alerting.rules[0].whn: unknown key; did you mean "when"?'],
    ['objectives: { shp: 99% }', 'alerting.objectives.shp: there is no service "shp"; did you mean "shop"?'],
    ['maintenance: [{ duration: 1h }]', 'alerting.maintenance[0]: has no beginning'],
    ['maintenance: [{ cron: "0 25 * * *", duration: 1h }]', 'alerting.maintenance[0].cron: expected five fields such as "30 2 * * sun", found "0 25 * * *"; "25" is no hour (0 to 23)'],
    ['maintenance: [{ from: 2026-03-01, duration: 1h }]', 'a time needs hours, minutes and a zone'],
    ['maintenance: [{ services: [shoop], cron: "@daily", duration: 1h }]', 'there is no service "shoop"; did you mean "shop"?'],
  ])('%s is refused', (text, problem) => {
    expect(problems(`${services}alerting: { ${text} }`)[0]).toContain(problem)
  })
})
