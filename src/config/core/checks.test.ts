import { describe, expect, it } from 'vitest'
import { formatProblems, problemsOf } from './problem.ts'
import { parse, problems } from '../testing/configs.ts'

/** One service called web, with these keys. */
const web = (keys: string): string => `services:\n  web:\n    ${keys}\n`

describe('what is refused', () => {
  it.each<readonly [text: string, ...lines: string[]]>([
    // keys
    ['name: x\n', '1:1 services: is missing; give it a map of services by name'],
    ['servces: {}\n', '1:1 servces: unknown key; did you mean "services"?'],
    [web('command: x\n    instnces: 3'), '4:5 services.web.instnces: unknown key; did you mean "instances"?'],
    [web('command: x\n    resilience: { rateLimit: { rate: 1/s, shared: true } }'), '4:51 services.web.resilience.rateLimit.shared: needs a Redis that all machines use; set limits.redis at the top of the file, such as limits: { redis: "redis://10.0.0.9:6379" }'],
    ['limits: { redis: "http://u:p@a" }\nservices: {}', '1:18 limits.redis: expected a URL such as redis://10.0.0.9:6379 or rediss://user:password@redis.internal:6380/0, found "http://u:***@a"'],
    [web('command: x\n    resilience: { fallback: { service: web } }'), '4:40 services.web.resilience.fallback.service: a service cannot stand for itself'],
    [web('command: x\n    resilience: { fallback: { service: wep } }'), '4:40 services.web.resilience.fallback.service: there is no service "wep"; did you mean "web"?'],
    [web('command: x\n    resilience: { fallback: { service: a, body: b } }'), '4:19 services.web.resilience.fallback: cannot have both a body and a service; give it a body, which is a file, or a service, or stale: true'],
    [web('command: x\n    resilience: { fallback: { stale: true } }'), '4:31 services.web.resilience.fallback.stale: needs a cache; add cache: true to web: nothing is kept that could be given'],
    [web('command: x\n    resilience: { fallback: { status: 500 } }'), '4:19 services.web.resilience.fallback: has nothing to answer; give it a body, which is a file, or a service, or stale: true'],
    [web('comand: x'), '3:5 services.web.comand: unknown key; did you mean "command"?'],
    [web('command: x\n    depends_on: []'), '4:5 services.web.depends_on: unknown key; did you mean "dependsOn"?'],
    [web('{ command: x, stop: { wibble: 1 } }'), '3:27 services.web.stop.wibble: unknown key; known here: signal, timeout'],
    ['services: { "a b": { command: x } }', '1:13 services."a b": expected a service of letters, digits, "-" and "_" (at most 63, a letter or digit first), found "a b"'],
    ['services: { __proto__: { command: x } }', '1:13 services.__proto__: expected a service of letters, digits, "-" and "_" (at most 63, a letter or digit first), found "__proto__"'],
    ['listeners: {}\nservices: {}', '1:12 listeners: expected at least 1 listener, found none; leave the key out for its default'],
    // types
    [web('command: [a, b]'), '3:14 services.web.command: expected a command, found a list'],
    [web('command: ""'), '3:14 services.web.command: expected a command, found ""'],
    [web('command:'), '3:5 services.web.command: expected a command, found nothing'],
    [web('{ command: x, instances: many }'), '3:30 services.web.instances: expected a whole number from 0 to 1000, found "many"'],
    [web('{ command: x, instances: -1 }'), '3:30 services.web.instances: expected a whole number from 0 to 1000, found "-1"'],
    [web('{ command: x, instances: 1001 }'), '3:30 services.web.instances: expected a whole number from 0 to 1000, found "1001"'],
    [web('{ command: x, dependsOn: a }'), '3:30 services.web.dependsOn: expected a list, found "a"; write it as a list: [a]'],
    [web('{ command: x, health: true }'), '3:27 services.web.health: expected a path that begins with "/", found "true"; did you mean "/true"?'],
    [web('{ command: x, health: [] }'), '3:27 services.web.health: expected a path that begins with "/" or a map with path, grpc, interval, timeout, fall and rise, found a list'],
    [web('{ command: x, health: { interval: 2s } }'), '3:19 services.web.health: has nothing to ask for; give it a path that begins with "/", or grpc'],
    [web('{ command: x, origin: { protocol: h2 }, health: { path: /, grpc: a.B } }'), '3:64 services.web.health.grpc: cannot be combined with path; leave one of them out'],
    [web('{ command: x, health: { grpc: a.B } }'), '3:29 services.web.health.grpc: needs endpoints that speak HTTP/2; set origin: { protocol: h2 }'],
    [web('{ command: x, origin: { protocol: h2 }, health: { grpc: "", expect: { status: 200 } } }'), '3:65 services.web.health.expect: means nothing with grpc, whose answer says whether it serves; leave it out'],
    [web('{ command: x, health: { path: /, interval: 1 s } }'), '3:48 services.web.health.interval: expected a duration from 10ms to 1h, such as 500ms, 10s or 5m, found "1 s"'],
    [web('{ command: x, stop: { signal: TERM } }'), '3:35 services.web.stop.signal: expected SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2 or SIGKILL, found "TERM"; did you mean "SIGTERM"?'],
    [web('{ command: x, restart: { policy: on_failure } }'), '3:38 services.web.restart.policy: expected always, on-failure or never, found "on_failure"; did you mean "on-failure"?'],
    [web('{ command: x, resilience: { retries: { attempts: 4 } } }'), '3:54 services.web.resilience.retries.attempts: expected a whole number from 0 to 3, found "4"'],
    [web('{ command: x, resilience: { retries: { budget: 0.2 } } }'), '3:52 services.web.resilience.retries.budget: expected a share from 0% to 100%, such as 20%, found "0.2"; write the sign: 20%'],
    [web('{ command: x, resilience: { parking: { bytes: 16MB } } }'), '3:51 services.web.resilience.parking.bytes: expected a size from 0 to 1GiB, such as 64KiB or 16MiB, found "16MB"; did you mean "16MiB"?'],
    [web('{ command: x, resilience: { hedge: yes } }'), '3:40 services.web.resilience.hedge: expected a map with delay and budget, "on" or "off", found "yes"'],
    [web('{ command: x, resilience: { parking: on } }'), '3:42 services.web.resilience.parking: expected a map with timeout, requests, bytes and pageAfter or "off", found "on"'],
    [web('{ command: x, routes: [{ stripPath: yes }] }'), '3:41 services.web.routes[0].stripPath: expected true or false, found "yes"; write true'],
    [web('{ command: x, routes: [{ path: /a/* }] }'), '3:36 services.web.routes[0].path: expected a path that begins with "/", without "*", "?", "#", empty or dot segments, found "/a/*"; a path takes everything below it already: leave out the "*"'],
    [web('{ command: x, routes: [{ methods: [GTE] }] }'), '3:40 services.web.routes[0].methods[0]: expected a method such as GET or POST, found "GTE"; did you mean "GET"?'],
    [web('{ command: x, routes: [{ methods: [] }] }'), '3:39 services.web.routes[0].methods: expected at least 1 item, found none; leave the key out'],
    [web('{ command: x, env: { A: } }'), '3:26 services.web.env.A: expected a text, found nothing'],
    [web('{ command: x, env: { "A B": 1 } }'), '3:26 services.web.env."A B": expected a variable name of letters, digits, "_", "." and "-" that begins with a letter or "_", found "A B"'],
    ['access: { jwtSecret: short }\nservices: {}', '1:22 access.jwtSecret: expected at least 32 characters'],
    ['access: { rateLimit: 600 }\nservices: {}', '1:22 access.rateLimit: expected a rate such as 100/s or 600/m, found "600"'],
    ['cluster: { workers: all }\nservices: {}', '1:21 cluster.workers: expected a whole number from 1 to 256, or auto, found "all"'],
    ['api: { host: "127.0.0.1:3006" }\nservices: {}', '1:14 api.host: expected an address of this machine such as 127.0.0.1, 0.0.0.0 or ::1, found "127.0.0.1:3006"; give the port by the key "port"'],
    ['name: "a\\u001bb"\nservices: {}', '1:7 name: expected a text, found "a\\u001bb"'],
    // where a service comes from
    [web('instances: 2'), '2:3 services.web: has nothing to run; give it a command, or endpoints that somebody else runs'],
    ['services:\n  web:\n', '2:3 services.web: has nothing to run; give it a command, or endpoints that somebody else runs'],
    [web('{ command: x, endpoints: [] }'), '3:19 services.web.endpoints: cannot be combined with command; a service comes from exactly one of them'],
    [web('{ endpoints: [], user: www-data }'), '3:22 services.web.user: means nothing for endpoints, which somebody else runs; leave it out'],
    [web('{ endpoints: [], cwd: . }'), '3:22 services.web.cwd: means nothing for endpoints, which somebody else runs; leave it out'],
    [web('{ endpoints: ["a:1", "A:1"] }'), '3:26 services.web.endpoints[1]: a:1 is given twice; use a weight to give it more traffic'],
    [web('{ endpoints: ["127.0.0.1:8080"] }'), '3:19 services.web.endpoints[0]: would send requests back to listeners.web; give the address of the server itself'],
    [web('{ command: x, port: 3000, instances: 2 }'), '3:25 services.web.port: 2 instances cannot share port 3000; use port: auto and listen on $PORT'],
    [web('{ command: x, env: { PORT: 3000 } }'), '3:26 services.web.env.PORT: PORT is set for each instance; leave it out, or use the key "port" for a fixed one'],
    [web('{ command: x, env: { HOLDFAST_INSTANCE: a } }'), '3:26 services.web.env.HOLDFAST_INSTANCE: names that begin with HOLDFAST_ are taken; choose another name'],
    // not yet
    [web('image: shop:1.4'), '3:5 services.web.image: not available yet: containers come with a later release'],
    [web('{ command: x, instances: { min: 2, max: 10 } }'), '3:45 services.web.instances.max: not available yet: scaling between min and max comes with a later release; write instances: 2'],
    [web('{ command: x, instances: { min: 3, max: 2 } }'), '3:45 services.web.instances.max: expected at least min, which is 3, found "2"'],
    ['backup: { repository: ${NONE} }\nservices: {}', '1:1 backup: not available yet: backups come with a later release'],
    ['store: { etcd: {} }\nservices: {}', '1:10 store.etcd: not available yet: etcd comes with a later release'],
    ['api: { tls: {} }\nservices: {}', '1:8 api.tls: not available yet: TLS comes with a later release'],
    ['listeners: { web: { tls: {} } }\nservices: {}', '1:21 listeners.web.tls: has no certificate; give it certificates: [{ cert, key }], or development: true for one made here'],
    [web('{ command: x, origin: { protocol: h2, proxyProtocol: v1 } }'), '3:43 services.web.origin.proxyProtocol: means nothing with protocol: h2; leave one of them out: a connection of HTTP/2 is shared by many clients'],
    ['listeners: { db: { protocol: tcp } }\nservices:\n  web: { command: x, origin: { proxyProtocol: v1, tls: { cert: a } }, tcp: { listener: db, kind: redis } }', '3:32 services.web.origin.proxyProtocol: is not understood by redis; leave it out', '3:58 services.web.origin.tls.cert: needs key; a certificate and its private key go together'],
    ['listeners: { db: { protocol: tcp } }\nservices:\n  web: { command: x, origin: { protocol: h2, tls: true }, tcp: { listener: db } }', '3:32 services.web.origin.protocol: means nothing for tcp; leave it out: the bytes of a connection are carried as they are', '3:46 services.web.origin.tls: means nothing for tcp; leave it out: the bytes of a connection are carried as they are'],
    ['listeners: { web: { tls: { acme: { hosts: [a.example], agreeToTerms: true } } } }\nservices: {}', '1:28 listeners.web.tls.acme: has no plain listener to be asked at; the authority asks at port 80 of each name: add a listener without tls'],
    ['listeners: { plain: {}, web: { port: 1, tls: { acme: { hosts: [a.example] } } } }\nservices: {}', '1:48 listeners.web.tls.acme: needs agreeToTerms: true; read the terms of the authority; it gives certificates only to who agrees to them'],
    ['listeners: { web: { tls: { development: true, requireClientCert: true } } }\nservices: {}', '1:47 listeners.web.tls.requireClientCert: needs clientCa; give the file of the authorities whose clients may come in'],
    // combinations
    ['services: { a: { command: x, dependsOn: [b, c] }, bb: { command: x } }', '1:42 services.a.dependsOn[0]: there is no service "b"; known: a and bb', '1:45 services.a.dependsOn[1]: there is no service "c"; known: a and bb'],
    ['services: { auth: { command: x, dependsOn: [auht] } }', '1:45 services.auth.dependsOn[0]: there is no service "auht"; did you mean "auth"?'],
    ['services: { a: { command: x, dependsOn: [a] } }', '1:42 services.a.dependsOn[0]: a service cannot depend on itself'],
    ['services: { a: { command: x, dependsOn: [b] }, b: { command: x, dependsOn: [c] }, c: { command: x, dependsOn: [b] } }', '1:76 services.b.dependsOn: services wait for each other: b → c → b; one of them has to start first'],
    [web('{ command: x, routes: [{ listener: secure }] }'), '3:40 services.web.routes[0].listener: there is no listener "secure"; known: web'],
    ['services: { a: { command: x, routes: [/x] }, b: { command: x, routes: [{ path: /x/ }] } }', '1:72 services.b.routes[0]: takes the same requests as services.a.routes[0]; give one of them another host, path, methods or when'],
    ['services: { a: { command: x, routes: [{ methods: [GET, PUT] }] }, b: { command: x, routes: [{ methods: [PUT] }] } }', '1:93 services.b.routes[0]: takes the same requests as services.a.routes[0]; give one of them another host, path, methods or when'],
    ['api: { port: 8080 }\nservices: {}', '1:14 api.port: port 8080 is already taken by listeners.web.port; choose another port'],
    ['listeners: { web: { port: 3006 } }\nservices: {}', '1:27 listeners.web.port: port 3006 is already taken by api.port; choose another port'],
    ['listeners: { a: { port: 80 }, b: { port: 80, host: 10.0.0.1 } }\nservices: {}', '1:42 listeners.b.port: port 80 is already taken by listeners.a.port; choose another port'],
    ['metrics: { port: 3006, host: localhost }\nservices: {}', '1:18 metrics.port: port 3006 is already taken by api.port; choose another port'],
    ['services: { a: { command: x, port: 9000 }, b: { command: x, port: 9000 } }', '1:67 services.b.port: port 9000 is already taken by services.a.port; choose another port'],
    [web('{ command: x, balance: { hashHeader: x-user } }'), '3:30 services.web.balance.hashHeader: means nothing for p2c-ewma; set algorithm: consistent-hash'],
    [web('{ command: x, restart: { backoff: { initial: 2m } } }'), '3:50 services.web.restart.backoff.initial: the first wait (2m) is longer than the longest (1m)'],
  ])('%j', (text, ...lines) => {
    expect(problems(text)).toEqual(lines.map((line) => `holdfast.yml:${line}`))
  })

  it('does not conclude from what it did not understand', () => {
    // One problem each: no clash with a default port, no unknown listener, no missing source, no equal route.
    expect(problems('listeners: { web: { port: eighty }, b: { port: 80 } }\nservices: {}')).toHaveLength(1)
    expect(problems('listeners: 5\nservices: { a: { command: x, routes: [{ listener: b }] } }')).toHaveLength(1)
    expect(problems('services: { a: { command: [] } }')).toHaveLength(1)
    expect(problems('services: { a: { command: x, routes: [/, { path: x }, { host: "a b" }, { methods: [NO, GET] }] } }')).toHaveLength(3)
  })
})

describe('what is allowed', () => {
  it.each([
    ['two addresses on one port', 'listeners: { a: { port: 80, host: 10.0.0.1 }, b: { port: 80, host: 10.0.0.2 } }\nservices: {}'],
    ['a method taken out of a route for all', 'services: { a: { command: x, routes: [/] }, b: { command: x, routes: [{ methods: [POST] }] } }'],
    ['one path on two hosts', 'services: { a: { command: x, routes: [{ host: a.example }] }, b: { command: x, routes: [{ host: b.example }] } }'],
    ['a service without routes', 'services: { a: { command: x } }'],
    ['no instance at all', 'services: { a: { command: x, instances: 0 } }'],
    ['endpoints that come later', 'services: { a: { endpoints: [] } }'],
    ['a probe slower than its interval', 'services: { a: { command: x, health: { path: /, interval: 1s, timeout: 5s } } }'],
    ['min and max when they are the same', 'services: { a: { command: x, instances: { min: 2, max: 2 } } }'],
    ['keys of maps and lists without a value', 'api:\nservices:\n  a:\n    command: x\n    env:\n    routes:\n    health:\n    stop:\n'],
    ['a fixed port of a single instance', 'services: { a: { command: x, port: 9000 } }'],
  ])('%s', (_, text) => {
    expect(() => parse(text)).not.toThrow()
  })

  it('a long chain of services, and a diamond', () => {
    const chain = Array.from({ length: 900 }, (_, i) => `s${i}: { command: x, dependsOn: [${i > 0 ? `s${i - 1}` : ''}${i > 1 ? `, s${i - 2}` : ''}] }`)
    expect(Object.keys(parse(`services: { ${chain.join(', ')} }`).config.services)).toHaveLength(900)
  })
})

describe('for a terminal', () => {
  const shown = (text: string): string => {
    try {
      parse(text)
    } catch (error) {
      return formatProblems(problemsOf(error), text)
    }
    return 'accepted'
  }

  it('each problem comes with its line and a mark', () => {
    expect(shown(web('command: x\n    instnces: 3\n    routes: [{ listener: secure }]'))).toBe(
      [
        'holdfast.yml:4:5 services.web.instnces: unknown key; did you mean "instances"?',
        '  4 |     instnces: 3',
        '    |     ^^^^^^^^',
        'holdfast.yml:5:26 services.web.routes[0].listener: there is no listener "secure"; known: web',
        '  5 |     routes: [{ listener: secure }]',
        '    |                          ^^^^^^',
      ].join('\n'),
    )
  })

  it('a secret is not shown, nor its line', () => {
    const text = shown('access: { jwtSecret: hunter2 }\nservices: { a: { command: x, env: { API_KEY: [hunter2] } } }')
    expect(text).toContain('access.jwtSecret')
    expect(text).toContain('env.API_KEY')
    expect(text).not.toContain('hunter2')
  })

  it('nor is what stands beside a secret, even when the syntax is broken', () => {
    for (const text of [
      'access: { jwtSecret: hunter2hunter2hunter2hunter2hunter2, rateLimit: bad }\nservices: {}',
      'services: { a: { command: x, env: { API_KEY: hunter2 }, wibble: 1 } }',
      'access:\n  jwtSecret: "hunter2" hunter2\n',
      'services: { a: { endpoints: ["http://app:hunter2@db:80"] } }',
      'services: { a: { env: { TOKEN: } hunter2 } }',
      'access: { jwtSecret: hunter2 ] }',
    ]) {
      expect(shown(text)).toMatch(/^holdfast\.yml:\d+:\d+ /)
      expect(shown(text)).not.toContain('hunter2')
    }
  })

  it('what is far to the right is brought into view, and nothing can steer the terminal', () => {
    const text = shown(`services: { a: { command: "${'x'.repeat(500)}\\u001b", wibble\u001b[31m: 1 } }`)
    expect(text.split('\n').every((line) => line.length < 200)).toBe(true)
    expect(text).not.toContain('\u001b')
    expect(text).toContain('^')
  })
})
