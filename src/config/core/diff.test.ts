import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fullest, parse, smallest } from '../testing/configs.ts'
import { diffConfig } from './diff.ts'

const shown = (value: unknown): string => (value === undefined ? '-' : JSON.stringify(value))

const between = (a: string, b: string): string[] =>
  diffConfig(parse(a), parse(b)).map(({ path, from, to, effect }) => `${path}: ${shown(from)} → ${shown(to)}: ${effect}`)

const web = (keys: string): string => `services: { web: { ${keys} } }`

describe('differences', () => {
  it.each<readonly [a: string, b: string, ...lines: string[]]>([
    [web('command: a'), web('command: b'), 'services.web.command: "a" → "b": replaces the instances of web'],
    [web('command: a'), web('command: a, version: v2'), 'services.web.version: - → "v2": replaces the instances of web'],
    [web('command: a'), web('command: a, env: { A: 1 }'), 'services.web.env.A: - → "1": replaces the instances of web'],
    [web('command: a'), web('command: a, user: www-data'), 'services.web.user: - → "www-data": replaces the instances of web'],
    [web('command: a'), web('command: a, cwd: b'), 'services.web.cwd: "/etc/shop" → "/etc/shop/b": replaces the instances of web'],
    [web('command: a'), web('command: a, instances: 3'), 'services.web.instances: 1 → 3: scales web'],
    [web('command: a'), web('command: a, routes: [/]'), 'services.web.routes: [] → [{"listener":"web","path":"/","stripPath":false}]: changes routing only'],
    [web('command: a'), web('command: a, balance: { slowStart: 5s }'), 'services.web.balance.slowStart: "10s" → "5s": changes routing only'],
    [web('command: a'), web('command: a, resilience: { retries: { budget: 7% } }'), 'services.web.resilience.retries.budget: "20%" → "7%": changes routing only'],
    [web('command: a, resilience: { parking: off }'), web('command: a, resilience: { parking: { bytes: 1KiB } }'), 'services.web.resilience.parking: "off" → {"timeout":"30s","requests":256,"bytes":"1KiB"}: changes routing only'],
    [web('command: a, health: /a'), web('command: a, health: /b'), 'services.web.health.path: "/a" → "/b": changes how web is probed'],
    [web('command: a, health: /a'), web('command: a'), 'services.web.health: {"path":"/a","interval":"2s","timeout":"1s","fall":3,"rise":2,"agent":false,"expect":{"status":"200-399"}} → -: changes how web is probed'],
    [web('command: a'), web('command: a, stop: { timeout: 5s }'), 'services.web.stop.timeout: "30s" → "5s": changes how web is supervised; running instances stay'],
    [web('endpoints: ["a:1"]'), web('endpoints: ["a:1", "b:2"]'), 'services.web.endpoints: ["a:1"] → ["a:1","b:2"]: changes routing only'],
    [web('command: a'), web('endpoints: ["a:1"], resilience: { parking: {} }'), 'services.web.command: "a" → -: stops the instances of web', 'services.web.endpoints: - → ["a:1"]: changes routing only', 'services.web.resilience.quarantine: {"expires":"1h"} → -: changes routing only'],
    [web('endpoints: [], resilience: { parking: {} }'), web('command: a'), 'services.web.command: - → "a": starts instances of web', 'services.web.endpoints: [] → -: changes routing only', 'services.web.resilience.quarantine: - → {"expires":"1h"}: changes routing only'],
    ['services: {}', 'listeners: { web: { port: 81 } }\nservices: {}', 'listeners.web.port: 8080 → 81: opens and closes listening sockets'],
    ['services: {}', 'listeners: { web: { port: 8080 }, b: { port: 81 } }\nservices: {}', 'listeners.b: - → {"port":81,"host":"0.0.0.0","http2":false}: opens and closes listening sockets'],
    ['services: {}', 'name: x\nservices: {}', 'name: "holdfast" → "x": takes effect at once'],
    ['services: {}', 'api: { port: 1 }\nservices: {}', 'api.port: 3006 → 1: needs a restart of holdfast'],
    ['services: {}', 'cluster: { workers: 1, gracefulShutdownTimeout: 1s }\nservices: {}', 'cluster.workers: 4 → 1: needs a restart of holdfast', 'cluster.gracefulShutdownTimeout: "30s" → "1s": takes effect at once'],
  ])('%s and %s', (a, b, ...lines) => {
    expect(between(a, b)).toEqual(lines)
  })

  it('has one line for a service that comes or goes', () => {
    const [added, ...more] = diffConfig(parse('services: {}'), parse(smallest))
    expect([added?.path, added?.kind, added?.effect, added?.from, more]).toEqual(['services.web', 'addService', 'adds web', undefined, []])
    expect(added?.to).toMatchObject({ command: 'node server.js', instances: 1 })
    const [removed] = diffConfig(parse(smallest), parse('services: {}'))
    expect([removed?.kind, removed?.effect, removed?.to]).toEqual(['removeService', 'drains and stops web', undefined])
  })

  it('sees what a file means, not how it is written', () => {
    const a = web('command: a, health: { path: /h, interval: 2000 }, routes: [/], instances: { min: 1 }')
    const b = web('routes: [{ path: /, listener: web }], health: /h, command: "a", cwd: /etc/shop, resilience: { parking: {} }')
    expect(between(a, b)).toEqual([])
  })

  it('tells that a secret changed, and nothing more', () => {
    const withSecret = (secret: string): string => `access: { jwtSecret: ${secret.repeat(8)} }\n${web(`command: a, env: { API_KEY: ${secret}, URL: "http://u:${secret}@h" }`)}`
    expect(between(withSecret('abcd'), withSecret('efgh'))).toEqual([
      'services.web.env.API_KEY: "***" → "***": replaces the instances of web',
      'services.web.env.URL: "http://u:***@h" → "http://u:***@h": replaces the instances of web',
      'access.jwtSecret: "***" → "***": needs a restart of holdfast',
    ])
  })

  it('there is none between a configuration and itself, and the way back has the same paths', () => {
    const texts = fc.constantFrom(smallest, fullest, web('endpoints: ["a:1"]'), web('command: a, health: /x'), 'services: {}')
    fc.assert(
      fc.property(texts, texts, (a, b) => {
        expect(between(a, a)).toEqual([])
        const paths = (from: string, to: string): string[] => diffConfig(parse(from), parse(to)).map(({ path }) => path)
        expect(paths(a, b).toSorted()).toEqual(paths(b, a).toSorted())
      }),
    )
  })
})
