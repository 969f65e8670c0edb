import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { explainConfig } from './core/explain.ts'
import type { LoadedConfig } from './load.ts'
import { configTag, showConfig, showConfigText, specHash } from './show.ts'
import { fullest, parse, smallest } from './testing/configs.ts'

const secret = 'hunter2-hunter2-hunter2-hunter2-'
const withSecrets = `access: { jwtSecret: ${secret} }
services:
  web:
    command: run --db postgres://app:hunter2@db/shop
    env: { API_KEY: hunter2, DbPassword: hunter2, session_token: hunter2, PLAIN: visible, HIDDEN: "x\${A_TOKEN}", FALLBACK: "\${NO_PASSWORD:-hunter2}" }
`

const web = ({ config }: LoadedConfig): NonNullable<LoadedConfig['config']['services'][string]> => {
  const service = config.services.web
  if (service === undefined) throw new Error('no service web')
  return service
}

const open = fullest
  .replace(', secret: hunter4, headers: { authorization: hunter5 }', '')
  .replace('slack: { url: "https://hooks.slack.com/services/hunter6", channel: "#ops" }', 'webhook: "https://chat.example.com"')
  .replace('holdfast:hunter7@', '')
  .replace('pagerduty: { key: hunter8, url: "https://events.eu.pagerduty.com/v2/enqueue" }', 'webhook: "https://pager.example.com"')
  .replace(', username: holdfast, password: hunter9', '')
  .replace(', token: hunter10', '')
  .replace(', token: hunter11', '')
const withoutSecrets = open.replace(/^(?:access| +encryptionKey| +formerEncryptionKeys):.*$/gm, '').replace(', password: hunter2', '').replace(', sentinelPassword: hunter3', '')

describe('showing', () => {
  it('is complete', () => {
    const { alerting, ...rest } = showConfig(parse(smallest))
    expect(alerting).toMatchObject({ receivers: {}, groupBy: ['alertname', 'service'], groupWait: '1s', groupInterval: '5m', repeatInterval: '4h', routes: [] })
    expect(rest).toEqual({
      name: 'holdfast',
      region: 'local',
      data: '/etc/shop/.holdfast',
      api: { port: 3006, host: '127.0.0.1', corsOrigins: [] },
      metrics: { port: 'off', host: '127.0.0.1' },
      log: { level: 'info', directory: '/etc/shop/.holdfast/logs', access: 'off' },
      tracing: 'off',
      explain: { keep: 256, slow: '5s', sample: '0%', serverTiming: 'off' },
      listeners: { web: { port: 8080, host: '0.0.0.0', http2: false } },
      cluster: { workers: 4, gracefulShutdownTimeout: '30s' },
      services: {
        web: {
          command: 'node server.js',
          cwd: '/etc/shop',
          env: {},
          port: 'auto',
          instances: 1,
          dependsOn: [],
          start: { timeout: '30s' },
          stop: { signal: 'SIGTERM', timeout: '30s' },
          restart: { policy: 'always', backoff: { initial: '1s', max: '1m' } },
          routes: [{ listener: 'web', path: '/', stripPath: false }],
          balance: { algorithm: 'p2c-ewma', slowStart: '10s', weights: 'fused' },
          resilience: {
            timeout: '30s',
            connectTimeout: '2s',
            retries: { attempts: 1, budget: '20%', on: [502, 503, 504] },
            parking: { timeout: '30s', requests: 256, bytes: '16MiB' },
            concurrency: 'off',
            quarantine: { expires: '1h' },
            queue: { size: 256, timeout: '10s' },
          },
        },
      },
      access: { rateLimit: '600/m' },
      cache: { memory: { maxEntries: 10_000, maxBytes: '256MiB', ttl: '1h' }, http: { maxBytes: '256MiB', workerBytes: '64MiB' } },
      statusPage: { days: 90 },
      store: { sqlite: {} },
      health: { checks: [], canaries: [], dependencies: {} },
      policies: [],
    })
  })

  it('tells no secret, as a value, as text, or explained', () => {
    const loaded = parse(withSecrets, { A_TOKEN: 'hunter2' })
    const everything = JSON.stringify([showConfig(loaded), explainConfig(loaded)]) + showConfigText(loaded)
    expect(everything).not.toContain('hunter2')
    expect(showConfig(loaded)).toMatchObject({
      access: { jwtSecret: '***' },
      services: { web: { command: 'run --db postgres://app:***@db/shop', env: { PLAIN: 'visible', HIDDEN: '***' } } },
    })
  })

  it('tells no secret of the receivers of alerts', () => {
    const loaded = parse(fullest)
    const everything = JSON.stringify([showConfig(loaded), explainConfig(loaded)]) + showConfigText(loaded)
    for (const secret of ['hunter4', 'hunter5', 'hunter6', 'hunter7', 'hunter8', 'hunter9', 'hunter10']) expect(everything).not.toContain(secret)
  })

  it('hides by name even when nothing is known about where a value came from', () => {
    const { config } = parse(withSecrets, { A_TOKEN: 'visible', NO_PASSWORD: 'visible' })
    expect(JSON.stringify(showConfig({ config }))).not.toContain('hunter2')
  })

  it('is a configuration that means the same, when it holds no secret', () => {
    for (const text of [smallest, withoutSecrets]) {
      const { config } = parse(text)
      expect(parse(showConfigText({ config })).config).toEqual(config)
    }
  })

  it('means the same for every command, label and variable', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'grapheme-ascii', maxLength: 8 }),
      fc.constantFrom('${', '}', '$${', ': ', ' #', '"', "'", '- ', '~', 'null', 'off', '0x1', '\n', '\\', '{', '[', '*a', '&a', '💥', '%'),
    )
    const value = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''))
    fc.assert(
      fc.property(value, value, (command, variable) => {
        const given = { services: { web: { command: `run ${command}`.replaceAll('${', () => '$${'), env: { V: variable.replaceAll('${', () => '$${') } } } }
        const { config } = parse(JSON.stringify(given))
        expect(parse(showConfigText({ config })).config).toEqual(config)
      }),
      { numRuns: 300 },
    )
  })
})

describe('explaining', () => {
  const explained = (text: string, env = {}): Record<string, readonly unknown[]> =>
    Object.fromEntries(explainConfig(parse(text, env)).map(({ path, value, source, where }) => [path, [value, source, where]]))

  it('tells each value and where it came from', () => {
    const all = explained('api: { host: "${ADDRESS:-::1}" }\nservices: { web: { command: x, instances: 2, health: /up, env: { K: v } } }', { PORT: '4000', NODE_ENV: 'test' })
    expect(all).toMatchObject({
      'api.port': [4_000, 'environment', 'environment PORT'],
      'api.host': ['::1', 'file', 'holdfast.yml:1:14 (${ADDRESS:-::1})'],
      'log.level': ['info', 'default', 'default'],
      'services.web.command': ['x', 'file', 'holdfast.yml:2:29'],
      'services.web.instances': [2, 'file', 'holdfast.yml:2:43'],
      'services.web.health.path': ['/up', 'file', 'holdfast.yml:2:54'],
      'services.web.health.fall': [3, 'default', 'default'],
      'services.web.env.K': ['v', 'file', 'holdfast.yml:2:69'],
      'services.web.version': [null, 'default', 'default'],
      'access.jwtSecret': [null, 'default', 'default'],
      NODE_ENV: ['test', 'environment', 'changes no value'],
    })
  })

  it('has a line for everything that is shown, and none for what means nothing', () => {
    const all = explained('services: { a: { endpoints: ["h:1"] } }')
    expect(Object.keys(all).filter((path) => path.startsWith('services.a.'))).toEqual([
      'services.a.endpoints',
      'services.a.version',
      'services.a.dependsOn',
      'services.a.health',
      'services.a.routes',
      'services.a.balance.algorithm',
      'services.a.balance.hashHeader',
      'services.a.balance.slowStart',
      'services.a.balance.weights',
      'services.a.balance.sticky',
      'services.a.resilience.timeout',
      'services.a.resilience.connectTimeout',
      'services.a.resilience.retries.attempts',
      'services.a.resilience.retries.budget',
      'services.a.resilience.retries.on',
      'services.a.resilience.hedge',
      'services.a.resilience.parking',
      'services.a.resilience.breaker',
      'services.a.resilience.ejection',
      'services.a.resilience.concurrency',
      'services.a.resilience.queue.size',
      'services.a.resilience.queue.timeout',
      'services.a.resilience.rateLimit',
      'services.a.resilience.quarantine',
      'services.a.resilience.fallback',
    ])
  })
})

describe('hashes', () => {
  const hash = (keys: string): string => specHash(web(parse(`services: { web: { ${keys.includes('command') ? '' : 'command: a, '}${keys} } }`)))

  it('of a spec change with what makes instances differ', () => {
    const same = hash('')
    expect(same).toMatch(/^[0-9a-f]{16}$/)
    expect(new Set([same, hash('command: b'), hash('cwd: x'), hash('env: { A: 1 }'), hash('port: 9000'), hash('version: v2'), hash('user: web'), hash('user: { name: web, group: web }')]).size).toBe(8)
  })

  it('of a spec stay with all else', () => {
    const same = hash('')
    for (const keys of ['instances: 5', 'health: /up', 'routes: [/]', 'stop: { timeout: 1s }', 'balance: { slowStart: 9s }', 'cwd: .', 'start: { timeout: 9s }']) expect(hash(keys)).toBe(same)
    expect(hash('env: { A: 1, B: 2 }')).toBe(hash('env: { B: 2, A: 1 }'))
  })

  it('of a configuration change with any value and with nothing else', () => {
    const tag = (text: string): string => configTag(parse(text).config)
    expect(tag(smallest)).toBe(tag(`# the same\n${smallest}log: { level: info }\n`))
    expect(tag(smallest)).not.toBe(tag(`${smallest}log: { level: warn }\n`))
  })
})
