import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { codeOf } from '../kernel/errors.ts'
import { problemsOf } from './core/problem.ts'
import { parseConfig } from './load.ts'
import { fullest, parse, problems, smallest } from './testing/configs.ts'

describe('a configuration', () => {
  it('is complete from its smallest file', () => {
    const { alerting, ...rest } = parse(smallest).config
    expect(alerting.root).toMatchObject({ receiver: '', routes: [] })
    expect(rest).toEqual({
      file: '/etc/shop/holdfast.yml',
      name: 'holdfast',
      region: 'local',
      data: '/etc/shop/.holdfast',
      api: { port: 3006, host: '127.0.0.1', corsOrigins: [] },
      metrics: { port: undefined, host: '127.0.0.1' },
      log: { level: 'info', directory: '/etc/shop/.holdfast/logs' },
      explain: { keep: 256, slow: 5_000, sample: 0, serverTiming: 'off' },
      listeners: { web: { port: 8080, host: '0.0.0.0', http2: false } },
      cluster: { workers: 4, gracefulShutdownTimeout: 30_000 },
      services: {
        web: {
          name: 'web',
          source: { kind: 'process', command: 'node server.js', cwd: '/etc/shop', env: {}, port: 'auto' },
          version: undefined,
          instances: { min: 1, max: 1 },
          dependsOn: [],
          start: { timeout: 30_000 },
          stop: { signal: 'SIGTERM', timeout: 30_000 },
          restart: { policy: 'always', backoff: { initial: 1_000, max: 60_000 } },
          health: undefined,
          routes: [{ listener: 'web', host: undefined, path: '/', methods: undefined, stripPath: false }],
          balance: { algorithm: 'p2c-ewma', hashHeader: undefined, slowStart: 10_000, weights: 'fused' },
          resilience: {
            timeout: 30_000,
            connectTimeout: 2_000,
            retries: { attempts: 1, budget: 0.2, on: [502, 503, 504] },
            parking: { timeout: 30_000, requests: 256, bytes: 16_777_216 },
            queue: { size: 256, timeout: 10_000 },
            quarantine: { expires: 3_600_000 },
          },
        },
      },
      access: { jwtSecret: undefined, rateLimit: { count: 600, per: 60_000 } },
      cache: {
        memory: { maxEntries: 10_000, maxBytes: 268_435_456, ttl: 3_600_000 },
        http: { maxBytes: 268_435_456, workerBytes: 67_108_864 },
      },
      statusPage: { days: 90 },
    })
  })

  it('holds what its fullest file says', () => {
    const { config } = parse(fullest)
    expect(config).toMatchObject({
      name: 'shop',
      data: '/etc/shop/state',
      api: { port: 4006, host: '127.0.0.2', corsOrigins: ['https://ops.example.com'] },
      metrics: { port: 9_090, host: '127.0.0.3' },
      log: { level: 'debug', directory: '/var/log/holdfast' },
      listeners: { web: { port: 80, host: '::' }, inner: { port: 8_081, host: '10.0.0.1' } },
      cluster: { workers: 2, gracefulShutdownTimeout: 5_000 },
      access: { rateLimit: { count: 5, per: 10_000 } },
    })
    expect(config.services.shop).toMatchObject({
      source: { command: 'node server.js --port $PORT', cwd: '/etc/shop/shop', env: { LOG: 'info', DEBUG: '' } },
      version: 'v1.2.0',
      instances: { min: 3, max: 3 },
      dependsOn: ['auth', 'legacy'],
      stop: { signal: 'SIGINT', timeout: 0 },
      health: { path: '/health?deep=1', interval: 5_000, timeout: 6_000, fall: 2, rise: 1, expect: { statusMin: 204, statusMax: 204, body: 'ok' } },
      routes: [
        { listener: 'inner', host: '*.example.com', path: '/shop', methods: ['GET', 'HEAD'], stripPath: true },
        { listener: 'web', host: undefined, path: '/cart', methods: undefined, stripPath: false },
      ],
      balance: { algorithm: 'consistent-hash', hashHeader: 'x-user', slowStart: 10_000 },
      resilience: { retries: { attempts: 3, budget: 0.125, on: [502, 503, 504] }, parking: { timeout: 1_000, requests: 1, bytes: 0 } },
    })
    expect(config.services.auth?.resilience.parking).toBeUndefined()
    expect(config.services.legacy).toMatchObject({
      source: {
        kind: 'static',
        endpoints: [
          { host: '10.0.0.5', port: 3_000, weight: 1 },
          { host: '::1', port: 3_000, weight: 2 },
        ],
      },
      instances: { min: 2, max: 2 },
      health: { path: '/up', interval: 2_000 },
      resilience: { parking: { timeout: 30_000, requests: 256, bytes: 16_777_216 } },
    })
  })

  it('keeps services and listeners in the order of the file', () => {
    expect(Object.keys(parse(fullest).config.services)).toEqual(['shop', 'auth', 'legacy'])
  })

  it('is frozen all the way down', () => {
    const loose: string[] = []
    const visit = (value: unknown, path: string): void => {
      if (typeof value !== 'object' || value === null) return
      if (!Object.isFrozen(value)) loose.push(path)
      for (const [name, inner] of Object.entries(value)) visit(inner, `${path}.${name}`)
    }
    visit(parse(fullest).config, '')
    visit(parse(smallest).config, '')
    expect(loose).toEqual([])
  })

  it('has no service that nobody named', () => {
    const { services } = parse('services: { constructor: { command: a }, toString: { command: b } }').config
    expect(Object.keys(services)).toEqual(['constructor', 'toString'])
    expect(services.hasOwnProperty).toBeUndefined()
  })

  it('hedges when told to, with what is not said as usual', () => {
    const hedgeOf = (hedge: string): unknown => parse(`services: { a: { endpoints: ["h:1"]${hedge} } }`).config.services.a?.resilience.hedge
    expect(hedgeOf('')).toBeUndefined()
    expect(hedgeOf(', resilience: { hedge: off }')).toBeUndefined()
    expect(hedgeOf(', resilience: { hedge: on }')).toEqual({ delay: undefined, budget: 0.05 })
    expect(hedgeOf(', resilience: { hedge: { delay: 15ms } }')).toEqual({ delay: 15, budget: 0.05 })
  })

  it('does not park for endpoints unless told to', () => {
    expect(parse('services: { a: { endpoints: [] } }').config.services.a?.resilience.parking).toBeUndefined()
  })

  it('may be JSON', () => {
    expect(parse(JSON.stringify({ services: { web: { command: 'node server.js', routes: [{ path: '/' }] } } })).config).toEqual(parse(smallest).config)
  })
})

describe('values that are filled in', () => {
  it('may have any type', () => {
    const text = 'api: { port: ${API_PORT:-4000} }\nservices: { web: { command: "run ${FLAGS}", instances: ${N}, health: ${CHECK:-/up} } }\n'
    const { api, services } = parse(text, { FLAGS: '--a: b # c', N: '5' }).config
    expect(api.port).toBe(4_000)
    expect(services.web).toMatchObject({ source: { command: 'run --a: b # c' }, instances: { min: 5, max: 5 }, health: { path: '/up' } })
  })

  it('leaves alone what the shell of the service is to fill in', () => {
    expect(parse('services: { web: { command: "serve $PORT $${HOME}" } }').config.services.web?.source).toMatchObject({ command: 'serve $PORT ${HOME}' })
  })

  it.each([
    ['${NONE}', 'the environment variable NONE is not set; set it, or give a default: ${NONE:-…}'],
    ['${file:/does/not/exist}', 'the file /does/not/exist cannot be read: ENOENT; looked for /does/not/exist'],
    ['"a ${ b"', '"${" is never closed on its line; close it with "}", or write "$${" for a plain "${"'],
    ['${A?}', '${A?} is not a reference; write ${NAME}, ${NAME:-default} or ${file:PATH}, or "$${" for a plain "${"'],
  ])('%s: %s', (value, problem) => {
    expect(problems(`services:\n  web:\n    command: ${value}`)).toEqual([`holdfast.yml:3:14 services.web.command: ${problem}`])
  })

  it('bounds what they add up to', () => {
    const text = `services: { web: { command: x, env: { ${Array.from({ length: 100 }, (_, i) => `V${i}: "\${BIG}"`).join(', ')} } } }`
    expect(problems(text, { BIG: 'x'.repeat(60_000) })).toContainEqual(expect.stringContaining('the values filled in are longer than 4194304 characters in all'))
  })
})

describe('the environment', () => {
  it('overrides the file', () => {
    const env = {
      PORT: '5000',
      HOST: '0.0.0.0',
      LOG_LEVEL: 'warn',
      JWT_SECRET: 'x'.repeat(32),
      CORS_ORIGIN: 'https://a.example, https://b.example:8443',
      PROMETHEUS_ENABLED: 'true',
    }
    const { config } = parse(`api: { port: 1 }\n${smallest}`, env)
    expect(config.api).toEqual({ port: 5_000, host: '0.0.0.0', corsOrigins: ['https://a.example', 'https://b.example:8443'] })
    expect(config.log.level).toBe('warn')
    expect(config.access.jwtSecret).toBe('x'.repeat(32))
    expect(config.metrics.port).toBe(9_090)
  })

  it.each([
    [{ PROMETHEUS_PORT: '9100' }, '', 9_100],
    [{ PROMETHEUS_ENABLED: 'true', PROMETHEUS_PORT: '9100' }, '', 9_100],
    [{ PROMETHEUS_ENABLED: 'true' }, 'metrics: { port: 9200 }', 9_200],
    [{ PROMETHEUS_ENABLED: 'true' }, 'metrics: { port: off }', 9_090],
    [{ PROMETHEUS_ENABLED: 'false', PROMETHEUS_PORT: '9100' }, 'metrics: { port: 9200 }', undefined],
    [{ PROMETHEUS_ENABLED: '' }, '', undefined],
  ])('%o over "%s" gives the metrics port %s', (env, file, port) => {
    expect(parse(`${file}\n${smallest}`, env).config.metrics.port).toBe(port)
  })

  it('counts as not set when empty', () => {
    expect(parse(smallest, { PORT: '', CORS_ORIGIN: '' }).config.api).toEqual(parse(smallest).config.api)
  })

  it('is not filled in itself', () => {
    expect(problems(smallest, { LOG_LEVEL: '${HOME}', HOME: 'info' })).toEqual([
      'environment LOG_LEVEL log.level: expected trace, debug, info, warn, error, fatal or silent, found "${HOME}"',
    ])
  })

  it('tells its mistakes as the file does', () => {
    expect(problems(smallest, { PORT: 'abc', CORS_ORIGIN: '*', PROMETHEUS_ENABLED: 'yes', LOG_LEVEL: 'warning', JWT_SECRET: 'short' })).toEqual([
      'environment PORT api.port: expected a port from 1 to 65535, found "abc"',
      'environment CORS_ORIGIN api.corsOrigins[0]: expected an origin such as https://shop.example.com, found "*"; name the origins that may read the API; "*" is not accepted',
      'environment LOG_LEVEL log.level: expected trace, debug, info, warn, error, fatal or silent, found "warning"; did you mean "warn"?',
      'environment JWT_SECRET access.jwtSecret: expected at least 32 characters',
      'environment PROMETHEUS_ENABLED metrics.port: expected true or false, found "yes"; write true',
    ])
  })

  it('does not hide that the file has something else where a map belongs', () => {
    expect(problems(`api: 5\n${smallest}`, { PORT: '5000' })).toEqual(['holdfast.yml:1:6 api: expected a map with port, host and corsOrigins, found "5"'])
  })

  it('reports what is known and changes nothing', () => {
    expect(parse(smallest, { NODE_ENV: 'production', REDIS_PORT: '6380', REDIS_PASSWORD: 'hunter2' }).notes).toEqual([
      { name: 'NODE_ENV', value: 'production', meaning: 'changes no value' },
      { name: 'REDIS_PORT', value: '6380', meaning: 'changes no value: neither REDIS_HOST nor cache.redis.url says where Redis is' },
      { name: 'REDIS_PASSWORD', value: '***', meaning: 'changes no value: neither REDIS_HOST nor cache.redis.url says where Redis is' },
    ])
    const clustered = `${smallest}cache: { redis: { cluster: ["redis://a:7000"] } }`
    expect(parse(clustered, { REDIS_HOST: 'cache' }).notes).toEqual([{ name: 'REDIS_HOST', value: 'cache', meaning: 'changes no value: cache.redis has cluster' }])
  })

  it('puts parts into the URL of Redis', () => {
    const url = (environment: Record<string, string>, file = smallest): unknown => parse(file, environment).config.cache.redis?.url
    expect(url({})).toBeUndefined()
    expect(url({ REDIS_HOST: 'cache' })).toBe('redis://cache')
    expect(url({ REDIS_HOST: '::1', REDIS_PORT: '6380', REDIS_PASSWORD: 'a b${x}/@' })).toBe('redis://:a%20b%24%7Bx%7D%2F%40@[::1]:6380')
    const file = `${smallest}cache: { redis: { url: "rediss://shop:\${SECRET:-old}@10.0.0.9:6380/2" } }`
    expect(url({}, file)).toBe('rediss://shop:old@10.0.0.9:6380/2')
    expect(url({ REDIS_HOST: 'cache', SECRET: 's' }, file)).toBe('rediss://shop:s@cache/2')
    expect(url({ REDIS_PASSWORD: 'new' }, file)).toBe('rediss://shop:new@10.0.0.9:6380/2')
    expect(problems(smallest, { REDIS_HOST: 'no host', REDIS_PASSWORD: 'hunter2' })).toEqual([
      'environment REDIS_HOST cache.redis.url: expected a URL such as redis://10.0.0.9:6379 or rediss://user:password@redis.internal:6380/0, found "redis://:***@no host"',
    ])
  })
})

describe('whatever the text holds', () => {
  const outcome = (text: string): string => {
    try {
      return parse(text, { NAME: 'x' }).config.name.length > 0 ? 'accepted' : 'empty'
    } catch (error) {
      return codeOf(error) === 'config_invalid' && problemsOf(error).length > 0 ? 'refused' : `threw ${String(error)}`
    }
  }
  const isAnswer = (text: string): boolean => ['accepted', 'refused'].includes(outcome(text))
  const junk = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.constantFrom('{', '}', '[', ']', ':', ': ', '- ', '\n', '\n  ', '\t', '#', '&a ', '*a', '!!x ', '|\n', '"', "'", '${', '${NAME}', '$${', '<<: ', '---\n', '%', '~', '0', '-1', '1e309', '💥', '\ud800'),
    fc.constantFrom('services', 'command', 'endpoints', 'health: ', 'off', 'instances: ', '__proto__: ', 'tls: {}', 'port: 8080', 'dependsOn: [shop]'),
  )

  it('the answer is a configuration or config_invalid, for every few mutations of a right one', { timeout: 60_000 }, () => {
    const edit = fc.record({ at: fc.nat(fullest.length), cut: fc.nat(12), put: junk })
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        let text = fullest
        for (const { at, cut, put } of edits) text = text.slice(0, at) + put + text.slice(at + cut)
        return isAnswer(text)
      }),
      { numRuns: 400 },
    )
  })

  it('the answer is a configuration or config_invalid, for every pile of junk', () => {
    fc.assert(
      fc.property(fc.array(junk, { maxLength: 40 }), (parts) => isAnswer(parts.join(''))),
      { numRuns: 600 },
    )
  })

  it('the answer is a configuration or config_invalid, with lines swapped, doubled and dropped', () => {
    const lines = fullest.split('\n')
    fc.assert(
      fc.property(fc.array(fc.nat(lines.length - 1), { maxLength: 60 }), (order) => isAnswer(order.map((n) => lines[n]).join('\n'))),
      { numRuns: 300 },
    )
  })

  it.each([
    ['', 'holdfast.yml:1:1 expected a map with services, found nothing; begin with "services:" on the first line'],
    ['# nothing\n', 'holdfast.yml:1:1 expected a map with services, found nothing; begin with "services:" on the first line'],
    ['null', 'holdfast.yml:1:1 expected a map with services, found a text; begin with "services:" on the first line'],
    ['- a\n', 'holdfast.yml:1:1 expected a map with services, found a list; begin with "services:" on the first line'],
    [`services: {}\n#${'x'.repeat(1_048_576)}`, 'holdfast.yml:1:1 is larger than 1048576 bytes'],
  ])('%.20j is refused', (text, problem) => {
    expect(problems(text)).toEqual([problem])
  })

  it('collects problems without end but tells a hundred', () => {
    const text = `services: {${Array.from({ length: 1_000 }, (_, i) => ` s${i}: { comand: x }`).join(',')} }`
    expect(problems(text)).toHaveLength(100)
  })
})

it('names the text and starts relative paths as told', () => {
  const { config } = parseConfig('services: {}', { baseDir: '/srv', label: 'PUT /config' })
  expect([config.file, config.data]).toEqual([undefined, '/srv/.holdfast'])
  expect(() => parseConfig('x: 1', { baseDir: '/srv', label: 'the text sent' })).toThrow(/the text sent:1:1 x: unknown key/)
})
