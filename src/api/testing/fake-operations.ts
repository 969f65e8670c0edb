/** A Holdfast made by hand: two services, a journal of what was asked of it, and failures on request. */
import { fileURLToPath } from 'node:url'
import type { QuarantinedRequest } from '../../balancer/index.ts'
import { rootCauses } from '../../dependencies/core/causes.ts'
import { DependencyGraph } from '../../dependencies/core/graph.ts'
import { impactOf } from '../../dependencies/core/impact.ts'
import type { ProfileInfo, ProfileOperations } from '../../app/profile-operations.ts'
import type { DependencyOperations } from '../../app/dependency-operations.ts'
import type { CacheOperations } from '../../app/cache-operations.ts'
import type { RuleOperations, RuleReport } from '../../app/rule-operations.ts'
import type { CheckDetail, HealthOperations } from '../../app/health-operations.ts'
import type { Actor, ConfigChange, LogLine, Operations, MirrorReport, Overview, ScalingRecord, Split } from '../../app/operations.ts'
import { explanationOf } from '../../app/explaining.ts'
import { MetricsQueries } from '../../app/metrics-queries.ts'
import { Notifications } from '../../app/notifications.ts'
import { PublicStatus } from '../../app/status-page.ts'
import type { Config, MaintenanceConfig } from '../../config/types.ts'
import { HoldfastError } from '../../kernel/errors.ts'
import type { AnyEvent, EventData, EventInput, EventSink, EventType } from '../../kernel/events.ts'
import { History } from '../../metrics/index.ts'
import { instant, ms, wallTime } from '../../kernel/time.ts'
import { emptyServiceTraffic, type EndpointStatus, type InstanceStatus, type ServiceStatus } from '../../registry/types.ts'
import type { PublicIncident, UptimeReader } from '../../status/types.ts'
import { selectEvents } from '../../store/core/select-events.ts'
import { MemoryStore } from '../../store/index.ts'
import type { EventQuery, StoredEvent } from '../../store/port.ts'

export const startOfTime = 1_700_000_000_000

export const testConfig: Config = {
  file: '/srv/shop/holdfast.yml',
  name: 'test',
  region: 'local',
  data: '/srv/shop/.holdfast',
  api: { port: 0, host: '127.0.0.1', corsOrigins: ['https://ops.example.com'] },
  metrics: { port: 0, host: '127.0.0.1' },
  log: { level: 'silent', directory: '/srv/shop/logs' },
  listeners: { web: { port: 8080, host: '0.0.0.0', http2: false } },
  cluster: { workers: 2, gracefulShutdownTimeout: ms(30_000) },
  services: { shop: serviceConfig('shop'), chat: serviceConfig('chat') },
  access: { jwtSecret: 'a secret of more than thirty-two bytes, for tests', rateLimit: { count: 600, per: ms(60_000) } },
  alerting: {
    rules: [],
    defaultRules: true,
    objectives: {},
    maintenance: [],
    receivers: {},
    root: { receiver: '' },
    fallback: undefined,
    inhibit: [],
    timeIntervals: {},
    resolveTimeout: ms(300_000),
  },
  cache: { memory: { maxEntries: 10_000, maxBytes: 1_048_576, ttl: ms(3_600_000) }, http: { maxBytes: 1_048_576, workerBytes: 1_048_576 } },
}

function serviceConfig(name: string): Config['services'][string] {
  return {
    name,
    source: { kind: 'process', command: 'node server.js', cwd: '/srv/shop', env: {}, port: 'auto' },
    version: 'v1',
    instances: { min: 2, max: 2 },
    dependsOn: [],
    start: { timeout: ms(30_000) },
    stop: { signal: 'SIGTERM', timeout: ms(30_000) },
    restart: { policy: 'always', backoff: { initial: ms(1_000), max: ms(60_000) } },
    health: undefined,
    routes: [{ listener: 'web', host: undefined, path: `/${name}`, methods: undefined, stripPath: false }],
    balance: { algorithm: name === 'shop' ? 'p2c-ewma' : 'least-connections', hashHeader: undefined, slowStart: ms(0), weights: 'fused' },
    resilience: { timeout: ms(30_000), connectTimeout: ms(2_000), retries: { attempts: 1, budget: 0.2 }, parking: undefined },
  }
}

const fakeRule: RuleReport = {
  name: 'HighErrors',
  when: 'error_rate(shop) > 5%',
  clearWhen: undefined,
  forMs: 60_000,
  keepFiringForMs: 0,
  intervalMs: 1_000,
  severity: 'critical',
  labels: {},
  owner: 'web',
  runbook: undefined,
  why: undefined,
  shipped: false,
  state: 'firing',
  alerts: [
    {
      labels: { alertname: 'HighErrors', severity: 'critical', service: 'shop' },
      phase: 'firing',
      since: startOfTime,
      firedAt: startOfTime + 60_000,
      value: '7.2 %',
      flapping: false,
    },
  ],
  lastAt: startOfTime + 61_000,
  tookMs: 0.2,
  evaluations: 61,
  missed: 0,
  error: undefined,
}

const noStats = {
  hits: 0,
  staleHits: 0,
  remoteHits: 0,
  misses: 0,
  hitRate: 0,
  collapsed: 0,
  factoryCalls: 0,
  factoryFailures: 0,
  factoryMs: 0,
  far: undefined,
  fenced: 0,
  remoteErrors: 0,
  evictions: 0,
  keys: 0,
  bytes: 0,
}

const instance = (service: string, n: number): InstanceStatus => ({
  id: `${service}-00000${n}`,
  service,
  revision: 1,
  version: 'v1',
  phase: 'ready',
  pid: 4_000 + n,
  host: '127.0.0.1',
  port: 30_000 + n,
  startedAt: wallTime(startOfTime - 3_700_000),
  readyAt: wallTime(startOfTime - 3_600_000),
  restarts: 0,
  reason: undefined,
  nextStartAt: undefined,
  lastExit: undefined,
  resources: { cpuPercent: 45, memoryBytes: 50_000_000 },
})

const endpoint = (of: InstanceStatus): EndpointStatus => ({
  id: of.id,
  service: of.service,
  host: of.host,
  port: of.port,
  weight: 1,
  state: 'active',
  health: 'healthy',
  reason: undefined,
  instance: of.id,
  traffic: { active: 3, requests: 1_000, errors: 10, responseTimeMs: 12.5 },
})

function service(name: string): ServiceStatus {
  const instances = [instance(name, 1), instance(name, 2)]
  return {
    name,
    kind: 'process',
    version: 'v1',
    revision: 1,
    health: 'healthy',
    reason: undefined,
    desired: 2,
    ready: 2,
    maintenance: false,
    routes: [`web /${name}`],
    dependsOn: [],
    instances,
    endpoints: instances.map(endpoint),
    traffic: { ...emptyServiceTraffic, requests: 2_000, errors: 20, requestRate: 50, errorRate: 0.01, p50Ms: 12, p95Ms: 30, p99Ms: 80 },
  }
}

const aCheck = (name: string): CheckDetail => {
  const last = {
    at: wallTime(startOfTime - 1_000),
    outcome: 'fail',
    latencyMs: 2.5,
    value: undefined,
    level: 'ok',
    message: 'connect ECONNREFUSED',
  } as const
  return {
    name,
    kind: 'tcp',
    target: 'db:5432',
    state: 'down',
    level: 'ok',
    severity: 'critical',
    since: wallTime(startOfTime - 60_000),
    message: last.message,
    service: undefined,
    dependsOn: [],
    intervalMs: 10_000,
    timeoutMs: 2_000,
    alertAfter: 3,
    last,
    unit: undefined,
    warnAt: undefined,
    criticalAt: { value: 250, unit: 'ms' },
    failures: 4,
    blips: 1,
    uptime: 0.5,
    nextAt: wallTime(startOfTime + 9_000),
    cause: undefined,
    outcomes: [last],
  }
}

/** What was asked, in order: `scale shop 5 by alice`. */
export class FakeOperations implements Operations, EventSink {
  readonly journal: string[] = []
  readonly actors: Actor[] = []
  readonly stored: (StoredEvent & { readonly event: AnyEvent })[] = []
  serviceList: ServiceStatus[] = [service('shop'), service('chat')]
  proxyConnected = true
  /** The next call that changes or checks something fails with it. */
  failure: Error | undefined
  logLines: LogLine[] = []
  readonly #eventListeners = new Set<(event: AnyEvent) => void>()
  readonly #logListeners = new Set<(line: LogLine) => void>()
  #seq = 0

  get listening(): number {
    return this.#eventListeners.size + this.#logListeners.size
  }

  emit<T extends EventType>(type: T, event: EventInput<T>): string {
    const seq = ++this.#seq
    const { message, level = 'info', data, service: of, instance: by, cause } = event
    const id = `01HF${String(seq).padStart(22, '0')}`
    const made = {
      id,
      seq,
      time: wallTime(startOfTime + seq),
      type,
      level,
      message,
      region: 'local',
      service: of,
      instance: by,
      cause,
      data,
    } as unknown as AnyEvent
    this.stored.push({ id, seq, time: made.time, type, level, service: of, instance: by, event: made })
    for (const listener of this.#eventListeners) listener(made)
    return id
  }

  /** Data of the events of one type. */
  dataOf<T extends EventType>(type: T): EventData[T][] {
    return this.stored.filter((line) => line.type === type).map(({ event }) => event.data as EventData[T])
  }

  now = startOfTime
  uptime: UptimeReader | undefined
  incidents: readonly PublicIncident[] = []
  checkList: CheckDetail[] = [aCheck('database')]
  readonly health: HealthOperations = {
    checks: () => this.checkList,
    check: (name) => this.#check(name),
    run: async (name) => {
      await this.#asked(`run check ${name}`)
      return this.#check(name)
    },
    pause: async (name, { actor }) => {
      await this.#asked(`pause check ${name}`, actor)
      return this.#check(name)
    },
    resume: async (name, { actor }) => {
      await this.#asked(`resume check ${name}`, actor)
      return this.#check(name)
    },
    heartbeat: async (name, report) => {
      await this.#asked(`heartbeat ${name} ${JSON.stringify(report)}`)
      return this.#check(name)
    },
    network: () => ({ blind: false, since: undefined, reason: undefined }),
  }

  #check(name: string): CheckDetail {
    const found = this.checkList.find((one) => one.name === name)
    if (!found) throw new HoldfastError('unknown_check', `looked for the check ${name}, found no such check`)
    return found
  }

  policies: Operations['policies'] = () => [
    {
      ...{ name: 'heal', on: 'check front down', match: {}, actions: ['restart shop'], enabled: true, dryRun: false, running: false },
      ...{ runs: 1, lastRun: startOfTime, againAt: undefined, refusals: 2, lastFailure: undefined },
      lastRefusal: { at: startOfTime, reason: 'shop is in maintenance' },
    },
  ]

  statusPageOn = true
  maintenanceWindows: readonly MaintenanceConfig[] = []
  readonly statusPage = new PublicStatus({
    clock: { wallTime: () => wallTime(this.now) },
    config: () => ({
      ...testConfig,
      alerting: { ...testConfig.alerting, maintenance: this.maintenanceWindows },
      ...(this.statusPageOn && { statusPage: { days: 90 } }),
    }),
    services: () => this.serviceList,
    maintenanceEvents: (of) => this.events({ type: 'service.maintenanceChanged', service: of, limit: 1 }),
    uptime: { days: (of, count) => this.uptime?.days(of, count) ?? [] },
    incidents: { published: () => this.incidents },
  })

  readonly measured = new History()
  readonly history = new MetricsQueries(this.measured, (service) => [
    { day: '2023-11-14', good: 999, bad: 1, unknownMs: 60_000, downMs: service === 'chat' ? 5_000 : 0 },
  ])
  readonly alerting = new Notifications({
    clock: { now: () => instant(0), wallTime: () => wallTime(this.now), schedule: () => ({ [Symbol.dispose]: () => undefined }) },
    random: { next: () => 0 },
    store: new MemoryStore(),
    events: { emit: (type, event) => this.emit(type, event), on: () => ({ [Symbol.dispose]: () => undefined }), query: () => [] },
    newId: () => `id-${++this.#ids}`,
    apiUrl: () => 'http://127.0.0.1:3006',
    config: () => testConfig,
    onProblem: () => undefined,
  })
  #ids = 0

  readonly values = new Map<string, unknown>()
  readonly rules: RuleOperations = {
    list: () => [fakeRule],
    coverage: () => Promise.resolve({ coverage: 1, cells: [] }),
    precision: (since) => ({ from: since, to: startOfTime, pages: 0, precision: undefined, rules: [], noisiest: [], missed: [] }),
    backtest: ({ rule, when = 'error_rate(shop) > 5%' }) => {
      this.journal.push(`backtest ${rule} ${when}`)
      const nothing = {
        evaluations: 10,
        stepMs: 60_000,
        from: startOfTime,
        to: startOfTime + 600_000,
        episodes: [],
        fired: 0,
        firingMs: 0,
        flapped: 0,
        withoutImpact: 0,
        windows: [],
        outside: undefined,
        failed: 0,
        error: undefined,
      }
      return Promise.resolve({ ...nothing, rule, when, sentence: 'would not have fired in 10 min' })
    },
  }
  readonly cache: CacheOperations = {
    report: () => ({
      values: { ...noStats, hits: 9_000, remoteHits: 900, staleHits: 100, misses: 1_000, hitRate: 90.91, keys: this.values.size, bytes: 262_144 },
      maxBytes: 1_048_576,
      redis: { up: false, reason: 'connect ECONNREFUSED' },
      responses: {
        store: undefined,
        services: { shop: { hit: 6, stale: 1, revalidated: 1, miss: 2, bypass: 3, collapsed: 0, stored: 2, fenced: 0 } },
      },
    }),
    get: async (key) => {
      await this.#asked(`get ${key}`)
      if (!this.values.has(key)) throw new HoldfastError('unknown_key', `looked for ${key}, found nothing`)
      return this.values.get(key)
    },
    set: async (key, value, { ttl = 3_600, tags = [] }) => {
      await this.#asked(`set ${key} ${JSON.stringify(value)} ${ttl} ${tags.join()}`)
      this.values.set(key, value)
      return { key, ttl, tags, layers: ['memory'] }
    },
    delete: async (key) => {
      await this.#asked(`delete ${key}`)
      if (!this.values.delete(key)) throw new HoldfastError('unknown_key', `looked for ${key}, found nothing`)
    },
    clear: async ({ actor }) => {
      await this.#asked('clear', actor)
      return { responses: 2 }
    },
    purge: async (order, { actor }) => {
      await this.#asked(`purge ${JSON.stringify(order)}`, actor)
      return { responses: 2 }
    },
  }

  /** database ◀── shop ◀── chat */
  readonly graph = new DependencyGraph(
    [
      { name: 'shop', kind: 'service' },
      { name: 'chat', kind: 'service' },
      { name: 'database', kind: 'check' },
    ],
    [
      { of: 'shop', anyOf: ['database'], hard: true, evidence: [{ kind: 'configured' }] },
      { of: 'chat', anyOf: ['shop'], hard: true, evidence: [{ kind: 'calls', count: 1_204, share: 0.5, firstAt: startOfTime, lastAt: startOfTime }] },
    ],
  )
  readonly dependencies: DependencyOperations = {
    report: () => ({
      nodes: this.graph.nodes.map((node) => ({
        ...node,
        state: 'down',
        since: startOfTime,
        because: node.name === 'database' ? undefined : 'database',
      })),
      edges: this.graph.needs.map(({ of, anyOf, hard, evidence }) => ({
        from: of,
        to: anyOf[0] ?? '',
        hard,
        alternatives: [],
        evidence,
        why: 'said so',
      })),
      calls: { told: 2_000, traced: 1_204 },
    }),
    impact: (name) => {
      const impact = impactOf(this.graph, name)
      if (impact === undefined) throw new HoldfastError('unknown_node', `looked for ${name}, found no such name`)
      return impact
    },
    causes: () =>
      rootCauses(
        this.graph,
        new Map([
          ['database', startOfTime],
          ['shop', startOfTime + 1_000],
        ]),
      ),
  }

  profileList: ProfileInfo[] = []
  readonly profiles: ProfileOperations = {
    take: async (of, { kind, durationMs, instance: by = `${of}-000001`, actor }) => {
      await this.#asked(`profile ${of} ${by} ${kind} ${durationMs}`, actor)
      const made: ProfileInfo = {
        ...{ id: `p${this.profileList.length}`, service: of, instance: by, pid: 4_001, kind, durationMs, bytes: 0 },
        ...{ state: 'running', startedAt: startOfTime, error: undefined, actor: actor.name },
      }
      this.profileList.unshift(made)
      return made
    },
    list: () => this.profileList,
    get: (id) => {
      const found = this.profileList.find((each) => each.id === id)
      if (found === undefined) throw new HoldfastError('unknown_profile', `looked for profile ${id}, found no such profile`)
      return found
    },
    file: () => fileURLToPath(import.meta.url),
    flame: (id) =>
      Promise.resolve({ root: { name: '(root)', at: '', selfMs: 0, totalMs: 10, children: [] }, samples: this.profiles.get(id).bytes, omitted: 0 }),
    remove: async (id, { actor }) => {
      await this.#asked(`remove profile ${id}`, actor)
      this.profileList = this.profileList.filter((each) => each.id !== id)
    },
  }

  config = (): Config => testConfig
  shownConfig = (): unknown => ({ name: 'test', access: { jwtSecret: '***' } })
  explainConfig: Operations['explainConfig'] = () => [{ path: 'name', value: 'test', source: 'file', where: 'holdfast.yml:1:7' }]
  services = (): readonly ServiceStatus[] => this.serviceList
  endpoints = (): readonly EndpointStatus[] => this.serviceList.flatMap(({ endpoints }) => endpoints)
  instances = (name: string): readonly InstanceStatus[] => this.service(name).instances
  scalingEvents = (limit: number): readonly ScalingRecord[] => [scaled('s-2', 2, 4), scaled('s-1', 3, 2)].slice(0, limit)
  configTag = (): string => 'tag-1'
  explain: Operations['explain'] = (id) =>
    Promise.resolve().then(() =>
      explanationOf(
        id,
        [],
        this.stored.map(({ event }) => event),
      ),
    )
  metrics = (): Promise<string> => Promise.resolve('# TYPE holdfast_up gauge\nholdfast_up 1\n')

  overview(): Overview {
    return {
      status: 'healthy',
      name: 'test',
      region: 'local',
      version: '0.1.0',
      pid: 4_000,
      uptime: 3_600,
      services: this.serviceList,
      proxyConnected: this.proxyConnected,
      listeners: [{ name: 'web', url: 'http://127.0.0.1:8080' }],
      proxy: {
        at: startOfTime,
        pid: 4_100,
        startedAt: startOfTime,
        viewVersion: 7,
        workers: [{ pid: 4_101, connections: 150, memoryBytes: 60_000_000 }],
        connections: { active: 150, accepted: 5_000 },
        refused: { no_route: 2 },
        observed: { accessLines: 0, accessDropped: 0, spans: 0, spansDropped: 0 },
        services: {
          shop: {
            requests: 2_000,
            responses: { '2xx': 1_980, '5xx': 20 },
            active: 6,
            retried: 1,
            parked: 0,
            parkedTotal: 0,
            shed: 0,
            lateSends: 0,
            limited: 0,
            queued: 0,
            queuedTotal: 0,
            fallbacks: {},
            hedges: {},
            routes: {},
            tunnels: 0,
            requestBytes: 1,
            responseBytes: 2,
            duration: { count: 2_000, sum: 500_000_000, buckets: [[300, 2_000]] },
          },
        },
        endpoints: {},
      },
    }
  }

  service(name: string): ServiceStatus {
    const found = this.serviceList.find((one) => one.name === name)
    if (!found) throw new HoldfastError('unknown_service', `there is no service "${name}"`, { hint: 'there are: shop, chat' })
    return found
  }

  async checkStore(): Promise<void> {
    await this.#asked('check store')
  }

  async scale(name: string, instances: number, { actor, reason }: { reason?: string; actor: Actor }): Promise<ScalingRecord> {
    await this.#asked(`scale ${name} ${instances}${reason === undefined ? '' : ` (${reason})`}`, actor)
    return scaled('s-3', this.service(name).desired, instances)
  }

  async restart(name: string, { actor }: { actor: Actor }): Promise<{ service: string; replaced: { from: string; to: string }[] }> {
    await this.#asked(`restart ${name}`, actor)
    return { service: this.service(name).name, replaced: [{ from: 'shop-000001', to: 'shop-000003' }] }
  }

  async orderBreaker(service: string, action: 'isolate' | 'close' | 'reset', { actor }: { actor: Actor }): Promise<void> {
    await this.#asked(`${action} breaker ${service}`, actor)
  }

  quarantined(): readonly QuarantinedRequest[] {
    return []
  }

  async forgetQuarantined(id: string, { actor }: { actor: Actor }): Promise<void> {
    await this.#asked(`forget ${id}`, actor)
  }

  split(service: string): Split {
    const traffic = { requests: 10, errors: 1, requestRate: 1, errorRate: 0.1, p95Ms: undefined }
    return {
      service: this.service(service).name,
      shares: { v1: 0.95, v2: 0.05 },
      source: 'configuration',
      versions: { v1: 2, v2: 1 },
      traffic: { v1: traffic, v2: traffic },
    }
  }

  async setSplit(service: string, shares: Readonly<Record<string, number>> | undefined, { actor }: { actor: Actor }): Promise<Split> {
    await this.#asked(`split ${service} ${JSON.stringify(shares)}`, actor)
    return this.split(service)
  }

  mirror(service: string): MirrorReport {
    const counts = { same: 9, differs: 1, answered: 0, failed: 0, dropped: 0 }
    const original = { status: 200, contentType: 'text/plain', bytes: 2, hash: 'a'.repeat(64) }
    const difference = {
      at: 0,
      request: 'r-1',
      method: 'GET',
      path: '/',
      differs: ['status'] as const,
      original,
      mirrored: { ...original, status: 500 },
    }
    return { service: this.service(service).name, mirror: 'shadow', counts, differences: [difference] }
  }

  async setMaintenance(target: { service: string } | { endpoint: string } | 'all', enabled: boolean, { actor }: { actor: Actor }): Promise<void> {
    await this.#asked(`maintenance ${JSON.stringify(target)} ${enabled}`, actor)
  }

  async addServer(server: { host: string; port: number; weight?: number; service?: string }, { actor }: { actor: Actor }): Promise<EndpointStatus> {
    await this.#asked(`add ${JSON.stringify(server)}`, actor)
    const traffic = { active: 0, requests: 0, errors: 0, responseTimeMs: undefined }
    const { host, port, weight = 1, service: of = 'shop' } = server
    return {
      id: `${host}:${port}`,
      service: of,
      host,
      port,
      weight,
      state: 'active',
      health: 'pending',
      reason: undefined,
      instance: undefined,
      traffic,
    }
  }

  async removeServer(id: string, { actor }: { actor: Actor }): Promise<void> {
    await this.#asked(`remove ${id}`, actor)
    if (!this.endpoints().some((one) => one.id === id)) throw new HoldfastError('unknown_endpoint', `there is no endpoint "${id}"`)
  }

  events(query: EventQuery): readonly AnyEvent[] {
    const chosen = new Set(selectEvents(this.stored, query).map(({ seq }) => seq))
    const found = this.stored.filter(({ seq }) => chosen.has(seq)).map(({ event }) => event)
    return query.order === 'ascending' ? found : found.toReversed()
  }

  onEvent(listener: (event: AnyEvent) => void): Disposable {
    this.#eventListeners.add(listener)
    return { [Symbol.dispose]: () => this.#eventListeners.delete(listener) }
  }

  async logs(name: string, query: { grep?: string; limit?: number; since?: number }): Promise<readonly LogLine[]> {
    await this.#asked(`logs ${name} ${JSON.stringify(query)}`)
    return this.logLines
  }

  followLogs(_name: string, _query: object, onLine: (line: LogLine) => void): Disposable {
    this.#logListeners.add(onLine)
    return { [Symbol.dispose]: () => this.#logListeners.delete(onLine) }
  }

  print(line: LogLine): void {
    for (const listener of this.#logListeners) listener(line)
  }

  async previewConfig(text?: string): Promise<readonly ConfigChange[]> {
    await this.#asked(`preview ${text ?? 'file'}`)
    return [{ path: 'services.shop.instances', from: 2, to: 3, effect: 'starts 1 instance' }]
  }

  async applyConfig({ text, actor, ifMatch }: { text?: string; actor: Actor; ifMatch?: string }): Promise<readonly ConfigChange[]> {
    await this.#asked(`apply ${text ?? 'file'}${ifMatch === undefined ? '' : ` if ${ifMatch}`}`, actor)
    return []
  }

  async down({ actor }: { actor: Actor }): Promise<void> {
    await this.#asked('down', actor)
  }

  async #asked(what: string, actor?: Actor): Promise<void> {
    this.journal.push(actor ? `${what} by ${actor.name}` : what)
    if (actor) this.actors.push(actor)
    await Promise.resolve()
    const { failure } = this
    this.failure = undefined
    if (failure) throw failure
  }
}

const scaled = (id: string, from: number, to: number): ScalingRecord => ({
  id,
  type: to >= from ? 'scale-up' : 'scale-down',
  trigger: 'manual',
  service: 'shop',
  from,
  to,
  reason: 'asked for',
  timestamp: new Date(startOfTime).toISOString(),
  success: true,
})
