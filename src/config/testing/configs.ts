/** Texts and helpers for the tests of this room. */
import { problemLine, problemsOf } from '../core/problem.ts'
import { parseConfig, type LoadedConfig, type ParseOptions } from '../load.ts'

export const smallest = 'services:\n  web:\n    command: node server.js\n    routes: [{ path: / }]\n'

/** Every key that is available, none at its default. */
export const fullest = `name: shop
region: eu-west-1
data: state
api: { port: 4006, host: 127.0.0.2, corsOrigins: ["https://ops.example.com"] }
metrics: { port: 9090, host: 127.0.0.3 }
log: { level: debug, directory: /var/log/holdfast }
listeners:
  web: { port: 80, host: "::" }
  inner: { port: 8081, host: 10.0.0.1 }
  secure:
    port: 8443
    host: 10.0.0.1
    tls:
      certificates: [{ cert: tls/shop.crt, key: /etc/tls/shop.key, hosts: [shop.example.com, "*.shop.example.com"] }]
      minVersion: TLSv1.3
      clientCa: tls/clients.crt
      requireClientCert: true
      development: true
cluster: { workers: 2, gracefulShutdownTimeout: 5s }
services:
  shop:
    command: node server.js --port $PORT
    version: v1.2.0
    cwd: shop
    env: { LOG: info, DEBUG: "" }
    instances: 3
    dependsOn: [auth, legacy]
    start: { timeout: 10s }
    stop: { signal: SIGINT, timeout: 0 }
    restart: { policy: on-failure, backoff: { initial: 500ms, max: 5s } }
    health: { path: /health?deep=1, interval: 5s, timeout: 6s, fall: 2, rise: 1, expect: { status: 204, body: ok } }
    routes:
      - { listener: inner, host: "*.example.com", path: /shop/, methods: [GET, HEAD], stripPath: true }
      - path: /cart
        redirect: { https: true, httpsPort: 8443, www: add, status: 301 }
        compression: false
    headers:
      request: { set: { X-Shop: "1" }, add: { x-more: a }, remove: [cookie] }
      response: { set: { server: shop }, remove: [x-powered-by] }
      security: basic
    cors: { origins: ["https://*.example.com"], methods: [GET], headers: [x-a], exposeHeaders: [x-b], credentials: true, maxAge: 1m }
    allow: [10.0.0.0/8, "2001:db8::/32"]
    deny: [10.1.0.0/16]
    trustedProxies: [10.0.0.1]
    limits: { body: 1MiB, head: 8KiB, target: 2KiB }
    compression: { encodings: [gzip], minSize: 2KiB, types: [text/*] }
    errorPages: { 404: pages/404.html, 5xx: pages/5xx.html }
    maintenancePage: pages/soon.html
    balance: { algorithm: consistent-hash, hashHeader: X-User, slowStart: 10s }
    resilience: { timeout: 1m, connectTimeout: 250ms, retries: { attempts: 3, budget: 12.5% }, parking: { timeout: 1s, requests: 1, bytes: 0 } }
  auth: { command: ./auth, port: 7000, resilience: { parking: off }, cache: { maxAge: 60s, defaultMaxAge: 5s, maxBodyBytes: 2MiB, grace: 1m, staleWhileRevalidate: 2s, heuristic: 10%, storeCookies: true, requestDirectives: false } }
  legacy: { endpoints: ["10.0.0.5:3000", { address: "[::1]:3000", weight: 2 }], health: /up, resilience: { parking: {} } }
cache:
  memory: { maxEntries: 5, maxBytes: 1MiB, ttl: 1m }
  http: { maxBytes: 1GiB, workerBytes: 1MiB }
  redis:
    sentinel: { name: shop, nodes: ["10.0.0.9:26379"], username: a, password: hunter2, sentinelUsername: b, sentinelPassword: hunter3 }
    ttl: 2h
    prefix: "shop:"
    tls: { ca: tls/ca.crt, cert: tls/us.crt, key: tls/us.key, serverName: Redis.internal }
    encryptionKey: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    formerEncryptionKeys: [AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=]
access: { jwtSecret: 0123456789abcdef0123456789abcdef, rateLimit: 5/10s }
limits: { redis: "rediss://redis.internal:6380/1", machines: 3 }
store: { sqlite: {} }
statusPage: { title: Shop status, url: https://status.example.com, days: 30, services: [legacy, { service: shop, name: The shop, group: Sales }] }
alerting:
  rules:
    - name: HighErrors
      when: error_rate(shop) > 5%
      clearWhen: error_rate(shop) < 1%
      for: 1m
      keepFiringFor: 5m
      severity: critical
      labels: { team: web }
      annotations: { summary: "{{value}} of {{service}}" }
      runbook: https://runbooks.example.com/errors
      owner: web
      interval: 5s
      enabled: false
  defaultRules: false
  prometheus: { url: "http://prometheus.internal:9090", token: hunter11 }
  objectives: { shop: 99.5% }
  maintenance: [{ services: [shop], cron: "30 2 * * sun", duration: 2h, comment: backup, published: false }, { from: 2026-03-01T02:30Z, duration: 1h }]
  receivers:
    ops: { webhook: { url: "https://ops.example.com/hook", secret: hunter4, headers: { authorization: hunter5 }, timeout: 5s }, sendResolved: false }
    chat: { slack: { url: "https://hooks.slack.com/services/hunter6", channel: "#ops" } }
    mail: { smtp: "smtp://holdfast:hunter7@mail.example.com:587", from: "Holdfast <holdfast@example.com>", to: [oncall@example.com], smtpVerify: false }
    pager: { pagerduty: { key: hunter8, url: "https://events.eu.pagerduty.com/v2/enqueue" } }
    am: { alertmanager: { url: "http://10.0.0.4:9093", username: holdfast, password: hunter9 } }
    am2: { alertmanager: { url: "http://10.0.0.5:9093", token: hunter10 } }
  receiver: mail
  fallback: chat
  routes:
    - match: { severity: critical }
      matchers: [service!=legacy, 'team=~"a|b"']
      receiver: ops
      escalate: [{ after: 5m, receiver: mail }]
      continue: true
      groupBy: ["..."]
      groupWait: 2s
      groupInterval: 1m
      repeatInterval: 1h
      urgent: false
      muteTimes: [night]
      activeTimes: [office]
      routes: [{ match: { severity: emergency }, receiver: pager }]
  groupBy: [service]
  groupWait: 5s
  groupInterval: 2m
  repeatInterval: 2h
  urgent: false
  inhibit: [{ source: [alertname=Down], target: [severity=warning], equal: [service] }]
  timeIntervals:
    night: [{ times: [22:00-06:00], location: Europe/Berlin }]
    office: [{ times: [08:00-17:00], weekdays: [monday:friday], daysOfMonth: [1:28, -3:-1], months: [january:march], years: [2026] }]
  resolveTimeout: 2m
health:
  canaries: ["192.0.2.1:53", "[2001:db8::1]:443"]
  checks:
    - name: front
      http: { url: "https://shop.example.com/health", method: POST, headers: { x-check: a }, expect: { status: 204, body: ok, json: status.db = ok }, ca: tls/ca.crt, verify: false, certificate: { warnAt: 30d, criticalAt: 3d } }
      interval: 30s
      timeout: 5s
      alertAfter: 2
      rise: 1
      warnAt: 250ms
      criticalAt: 1s
      hysteresis: 10%
      severity: emergency
      service: shop
      dependsOn: [auth, database]
    - { name: database, tcp: "db:5432" }
    - { name: certificate, tls: { address: "shop.example.com:443", serverName: Shop.example.com, ca: tls/ca.crt, verify: false }, warnAt: 30d, criticalAt: 10d }
    - { name: record, dns: { name: shop.example.com, type: MX, server: "192.0.2.1:53", expect: [10 mail.example.com] } }
    - { name: orders, postgres: { url: "postgres://shop@db/shop", query: select count(*) from orders }, criticalAt: 1000 }
    - { name: sessions, redis: "redis://redis.internal:6379/1" }
    - { name: script, command: { command: ./check, cwd: bin, exitCode: 3 }, warnAt: 3 }
    - { name: disk, disk: data, warnAt: 80%, criticalAt: 90% }
    - { name: memory, memory: on }
    - { name: cpu, cpu: {} }
    - { name: load, load: on, warnAt: 1.5 }
    - { name: uplink, network: { interface: eth0 }, warnAt: 10MiB/s }
    - { name: nginx, process: { name: nginx, min: 2, max: 9 } }
    - { name: writer, process: { pidFile: run/writer.pid } }
    - { name: workers, process: { pattern: worker.js } }
    - { name: clients, connections: { port: 443 }, criticalAt: 10000 }
    - { name: nightly, heartbeat: { every: 1d, grace: 1h } }
    - { name: export, file: exports/latest.csv, criticalAt: 2d }
policies:
  - { name: heal, on: instance.crashLooping, match: { service: shop }, do: [restart], cooldown: 1m, limit: 1/h, dryRun: true, enabled: false }
  - { name: grow, on: alert SlowResponses, do: [{ action: scale, service: shop, by: 2, max: 6 }] }
  - { name: page, on: check database down, do: [{ action: eject, for: 1m }, { action: failover, to: standby }, { action: command, command: ./page, timeout: 1m, cwd: bin }] }
`

export function parse(text: string, env: ParseOptions['env'] = {}): LoadedConfig {
  return parseConfig(text, { file: '/etc/shop/holdfast.yml', env, cores: 4 })
}

/** The problem lines of a text that must not be accepted; what else is thrown is thrown on. */
export function problems(text: string, env: ParseOptions['env'] = {}): readonly string[] {
  try {
    parse(text, env)
  } catch (error) {
    const found = problemsOf(error)
    if (found.length === 0) throw error
    return found.map(problemLine)
  }
  throw new Error('the configuration was accepted')
}
