import { describe, expect, it } from 'vitest'
import { parse, problems } from '../testing/configs.ts'

const alerting = (keys: string): string => `services: {}\nalerting:\n${keys.replace(/^/gm, '  ')}\n`
const ops = 'receivers: { ops: { webhook: "http://127.0.0.1:1/" } }\n'

describe('receivers and routes', () => {
  it('are what interface and habit say', () => {
    const { config } = parse(
      alerting(`receivers: { ops: { webhook: "http://a/" }, mail: { smtp: "smtp://m:25", to: [a@b] } }
routes: [{ match: { severity: critical }, receiver: ops, escalate: [{ after: 5m, receiver: mail }], routes: [{ matchers: ['team=~"a|b"'], groupBy: ["..."] }] }]`),
    )
    expect(config.alerting.receivers).toMatchObject({
      ops: { webhook: { url: 'http://a/', timeout: 10_000, headers: {} }, sendResolved: true },
      mail: { smtp: { url: 'smtp://m:25', from: 'holdfast@localhost', to: ['a@b'], verify: true } },
    })
    expect(config.alerting.root).toMatchObject({
      receiver: '',
      groupWaitMs: 1_000,
      groupIntervalMs: 300_000,
      repeatIntervalMs: 14_400_000,
      urgent: true,
      routes: [
        {
          matchers: [{ name: 'severity', value: 'critical', isRegex: false, isEqual: true }],
          receiver: 'ops',
          escalate: [{ afterMs: 300_000, receiver: 'mail' }],
          routes: [{ groupBy: '...', matchers: [{ name: 'team', value: 'a|b', isRegex: true }] }],
        },
      ],
    })
    expect(config.alerting.root.routes?.[0]?.routes?.[0]).not.toHaveProperty('receiver')
  })

  it('know times over midnight, and ends of months', () => {
    const { config } = parse(alerting('timeIntervals: { night: [{ times: [22:00-06:00], weekdays: [mon:fri], daysOfMonth: [-2:-1], months: [3], location: Europe/Berlin }] }'))
    expect(config.alerting.timeIntervals.night).toEqual([
      {
        times: [
          { from: 1_320, to: 1_440 },
          { from: 0, to: 360 },
        ],
        weekdays: [{ from: 1, to: 5 }],
        daysOfMonth: [{ from: -2, to: -1 }],
        months: [{ from: 3, to: 3 }],
        years: [],
        location: 'Europe/Berlin',
      },
    ])
  })

  it.each([
    [`${ops}receiver: opps`, 'there is no receiver "opps"; did you mean "ops"?'],
    [`${ops}routes: [{ receiver: ops, escalate: [{ after: 1m, receiver: x }] }]`, 'alerting.routes[0].escalate[0].receiver: there is no receiver "x"'],
    [`${ops}routes: [{ match: { a: b } }]`, 'alerting.routes[0]: has nobody to tell'],
    [`${ops}routes: [{ receiver: ops, escalate: [{ after: 2m, receiver: ops }, { after: 1m, receiver: ops }] }]`, 'is earlier than the step before it'],
    [`${ops}routes: [{ receiver: ops, muteTimes: [night] }]`, 'there is no time interval "night"; there is no time interval at all'],
    [`${ops}routes: [{ receiver: ops, routes: [{ reciever: ops }] }]`, 'alerting.routes[0].routes[0].reciever: unknown key; did you mean "receiver"?'],
    [`${ops}routes: [{ receiver: ops, matchers: ["a=~("] }]`, 'alerting.routes[0].matchers[0]: expected a matcher such as'],
    [`${ops}routes: [{ receiver: ops, groupBy: ["...", a] }]`, '... stands for all labels'],
    ['receivers: { ops: {} }', 'alerting.receivers.ops: reaches nobody'],
    ['receivers: { ops: { smtp: "smtp://a" } }', 'does not say who gets its mail'],
    ['receivers: { ops: { webhook: "http://a", to: [a@b] } }', 'alerting.receivers.ops.to: means nothing without smtp'],
    ['receivers: { ops: { webhook: "ftp://a" } }', 'expected a URL such as https://hooks.example.com/alerts'],
    ['groupInterval: 1s', 'alerting.groupInterval: expected a duration from 10s'],
    ['timeIntervals: { a: [{ times: [25:00-26:00] }] }', 'expected times of the day such as 22:00-06:00'],
    ['timeIntervals: { a: [{ weekdays: [friday:monday] }] }', 'expected days such as monday:friday'],
    ['timeIntervals: { a: [{ location: Mars }] }', 'expected the name of a time zone'],
  ])('%s is refused with its place', (keys, message) => {
    expect(problems(alerting(keys)).join('\n')).toContain(message)
  })
})
