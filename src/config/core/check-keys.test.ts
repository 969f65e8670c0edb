import { describe, expect, it } from 'vitest'
import { parse, problems } from '../testing/configs.ts'

const services = 'services: { web: { command: x, routes: [{ path: / }] } }\n'
const check = (text: string): string => `${services}health: { checks: [{ name: a, ${text} }] }\n`
const policy = (text: string): string => `${services}health: { checks: [{ name: front, tcp: "a:1" }] }\npolicies: [{ name: p, ${text} }]\n`

describe('checks', () => {
  it('have the usual thresholds of their kind, unless one is given', () => {
    const of = (text: string): unknown => parse(check(text)).config.health?.checks[0]
    expect(of('disk: /')).toMatchObject({ interval: 10_000, timeout: 2_000, alertAfter: 3, rise: 2, warnAt: { value: 85, unit: 'percent' }, criticalAt: { value: 95, unit: 'percent' } })
    expect(of('disk: /, criticalAt: 50%')).toMatchObject({ warnAt: undefined, criticalAt: { value: 50, unit: 'percent' } })
    expect(of('tls: "a:1"')).toMatchObject({ warnAt: { value: 21 * 86_400_000, unit: 'ms' }, criticalAt: { value: 7 * 86_400_000, unit: 'ms' } })
    expect(of('tcp: "db:5432", interval: 30s, timeout: 5s, alertAfter: 2')).toMatchObject({ spec: { kind: 'tcp', host: 'db', port: 5_432 }, interval: 30_000, timeout: 5_000, alertAfter: 2 })
    expect(of('command: ./x')).toMatchObject({ timeout: 10_000, spec: { cwd: '/etc/shop' } })
    expect(of('network: {}, warnAt: 10MiB/s')).toMatchObject({ warnAt: { value: 10 * 1_024 ** 2, unit: 'bytes' } })
  })

  it.each([
    ['tcp: "a:1", disk: /', 'cannot be combined with tcp'],
    ['interval: 5s', 'has nothing to look at'],
    ['disk: /, warnAt: 5s', 'of disk expected a share such as 80%'],
    ['disk: /, warnAt: 90%, criticalAt: 80%', 'must be at least warnAt, which is 90%'],
    ['tls: "a:1", warnAt: 1d, criticalAt: 2d', 'must be at most warnAt, which is 1d'],
    ['process: { min: 2 }', 'has nothing to look for'],
    ['process: { name: a, pattern: b }', 'cannot have both name and pattern'],
    ['heartbeat: 1h, timeout: 1s', 'means nothing for heartbeat'],
    ['heartbeat: 1h, warnAt: 1h', 'means nothing for heartbeat, which measures nothing'],
    ['tcp: "a:1", timeout: 30s', 'the timeout (30s) is longer than the interval (10s)'],
    ['tcp: "a:1", service: wbe', 'there is no service "wbe"'],
    ['tcp: "a:1", dependsOn: [a]', 'a check cannot depend on itself'],
    ['memory: off', 'expected "on", found "off"'],
    ['tpc: "a:1"', 'did you mean "tcp"?'],
  ])('%s: %s', (text, message) => {
    expect(problems(check(text)).join('\n')).toContain(message)
  })

  it('one canary is none', () => {
    expect(problems(`${services}health: { canaries: ["a:1"] }\n`).join('\n')).toContain('one canary cannot tell its own death from ours')
  })
})

describe('policies', () => {
  it.each([
    ['on: instance.crashed, do: [restart]', 'did you mean "instance.'],
    ['on: check frnt down, do: [restart]', 'there is no check "frnt"; did you mean "front"?'],
    ['on: policy.ran, do: [restart]', 'what policies do cannot set off policies'],
    ['on: instance.exited, do: [failover]', 'failover needs to'],
    ['on: instance.exited, do: [{ action: failover, service: web, to: standby }]', 'no endpoint of web has the version'],
    ['on: instance.exited, do: [{ action: restart, to: standby }]', 'means nothing for restart'],
    ['on: instance.exited, do: [scale]', 'scale needs max'],
    ['on: instance.exited, do: [command]', 'command needs a command line'],
    ['on: instance.exited, do: [reboot]', 'expected restart, eject, scale, command or failover'],
    ['on: instance.exited, do: [{ action: restart, service: wbe }]', 'there is no service "wbe"; did you mean "web"?'],
    ['on: instance.exited, do: [{ action: restart, command: x }]', 'means nothing for restart'],
    ['on: instance.exited, do: []', 'at least 1 item'],
  ])('%s: %s', (text, message) => {
    expect(problems(policy(text)).join('\n')).toContain(message)
  })

  it('are complete', () => {
    expect(parse(policy('on: check front, do: [restart]')).config.policies).toMatchObject([
      { on: { kind: 'check', name: 'front', to: 'down' }, cooldown: 300_000, limit: { count: 3, per: 3_600_000 }, dryRun: false, do: [{ action: 'restart' }] },
    ])
  })
})
