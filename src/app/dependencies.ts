/**
 * The graph of what needs what in a running Holdfast: built out of the configuration and of what is learned, kept up to date, asked by the API, and by the notifier
 * before it tells that something is down.
 *
 *   balancer ──flows──▶ finder ──who calls whom──▶ learning ──needs──▶ graph ◀── configuration
 *   services, checks ──how they do──▶ states ──────────────────────────▶ suppression ──▶ notifier
 */
import type { AlertSink, Labels, PutAlert, Suppression, Suppressor } from '../alerting/types.ts'
import type { Config } from '../config/index.ts'
import { rootCauses, explainAll, type RankedCause } from '../dependencies/core/causes.ts'
import { buildGraph } from '../dependencies/core/building.ts'
import type { DependencyGraph } from '../dependencies/core/graph.ts'
import { impactOf, type Impact } from '../dependencies/core/impact.ts'
import { Learning, type LearningChange, type SavedPair } from '../dependencies/core/learning.ts'
import { relatedIn } from '../dependencies/core/related.ts'
import { NodeStates } from '../dependencies/core/states.ts'
import { Suppressing } from '../dependencies/core/suppression.ts'
import { describeEvidence } from '../dependencies/core/words.ts'
import { directEveryMs, FlowFinder, passesNow, type ToldFlow } from '../dependencies/index.ts'
import type { AddressBook } from '../dependencies/core/addresses.ts'
import { HoldfastError } from '../kernel/errors.ts'
import type { EventSink } from '../kernel/events.ts'
import { after, ms, type Clock } from '../kernel/time.ts'
import type { ServiceStatus } from '../registry/types.ts'
import type { StateStore } from '../store/index.ts'
import { addressBook, localHosts, serviceFacts, serviceReading, type CheckSource } from './dependency-facts.ts'
import type { DependencyEdge, DependencyOperations, DependencyReport } from './dependency-operations.ts'

export interface DependenciesDeps {
  readonly clock: Clock
  readonly events: EventSink
  readonly store: StateStore
  readonly config: () => Config
  readonly services: () => readonly ServiceStatus[]
  readonly checks: CheckSource
  readonly onError: (error: unknown) => void
}

const storeKey = 'dependencies/learned'
const tickMs = 2_000
/** Between two times that what was learned is written down, unless a need is new. */
const saveEveryMs = 60_000
/** What a service is asked for by hand while somebody waits, when it has no probe of its own. */
const secondLookMs = 1_000
/** A service whose second look failed is suspected so long, if its probes do not say otherwise. */
const suspectMs = 5_000
/** Probes of a service without a configured probe: the supervisor sees its end at once. */
const intervalUsualMs = 2_000

/** Alerts that tell of the thing itself, whatever it needs. */
const independentAlerts: ReadonlySet<string> = new Set(['CertificateExpiring', 'DiskFull', 'MemoryPressure', 'StoreDamaged', 'ProxyDisconnected'])

export class Dependencies implements DependencyOperations, Suppressor {
  readonly #deps: DependenciesDeps
  readonly #learning = new Learning()
  readonly #states = new NodeStates()
  readonly #suppressing = new Suppressing(this.#states)
  readonly #flows: FlowFinder
  readonly #listeners = new Set<() => void>()
  readonly #looking = new Set<string>()
  /** Services that failed a second look: until when they are suspected; wall time in milliseconds. */
  readonly #suspected = new Map<string, number>()
  readonly #lookedAt = new Map<string, number>()
  #graph: DependencyGraph | undefined
  #book: AddressBook | undefined
  #related: { readonly graph: DependencyGraph; readonly groups: ReadonlyMap<string, string> } | undefined
  #local: ReadonlySet<string> = localHosts()
  #ports: { readonly known: ReadonlySet<number>; readonly listeners: ReadonlySet<number> } | undefined
  #timer: Disposable | undefined
  #savedAt = 0
  /** Somebody was told to keep an alert back since the last tick. */
  #keptBack = false
  #version = -1
  #stopped = true

  constructor(deps: DependenciesDeps) {
    this.#deps = deps
    this.#flows = new FlowFinder({
      learning: this.#learning,
      book: () => this.#addressBook(),
      instances: () =>
        deps.services().flatMap(({ name, instances }) => instances.flatMap(({ pid }) => (pid === undefined ? [] : [{ service: name, pid }]))),
      isKnownPort: (port) => this.#portSets().known.has(port),
      isListenerPort: (port) => this.#portSets().listeners.has(port),
      now: () => this.#now(),
    })
  }

  async start(): Promise<void> {
    this.#stopped = false
    const saved = await this.#deps.store.get<readonly SavedPair[]>(storeKey)
    if (saved) this.#learning.restore(saved.value)
    this.#savedAt = this.#now()
    this.#tickLater()
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.#timer?.[Symbol.dispose]()
    await this.#save()
  }

  // --- what is learned ------------------------------------------------------------------------------------------------

  /** Calls from this machine, as the balancer tells of them. */
  hear(flows: readonly ToldFlow[]): void {
    if (this.#stopped) return
    this.#flows.hear(flows).catch(this.#deps.onError)
  }

  #tickLater(): void {
    const { clock, onError } = this.#deps
    this.#timer = clock.schedule(after(clock.now(), ms(tickMs)), () => {
      this.#tick()
        .catch(onError)
        .finally(() => {
          if (!this.#stopped) this.#tickLater()
        })
    })
  }

  #directAt = 0

  async #tick(): Promise<void> {
    this.#forget()
    if (this.#now() - this.#directAt >= directEveryMs) {
      this.#directAt = this.#now()
      this.#local = localHosts()
      await this.#flows.look()
    }
    const changes = this.#learning.settle(this.#now(), (name) => this.graph.has(name))
    for (const change of changes) this.#announce(change)
    // What is kept back for a time is asked for again when the time may be over.
    if (this.#keptBack) {
      this.#keptBack = false
      this.#tellListeners()
    }
    if (changes.length > 0 || this.#now() - this.#savedAt >= saveEveryMs) await this.#save()
    this.look(this.#deps.services())
  }

  #announce({ type, from, to, kind, count, share }: LearningChange): void {
    this.#forget()
    const how = kind === 'calls' ? 'calls it' : 'holds connections to it'
    const data = { from, to, kind, count, share: Math.round(share * 1_000) / 1_000 }
    if (type === 'learned') this.#deps.events.emit('dependency.learned', { message: `${from} needs ${to}: it ${how}`, service: from, data })
    else this.#deps.events.emit('dependency.forgotten', { message: `${from} is not seen to need ${to} any more`, service: from, data })
  }

  async #save(): Promise<void> {
    this.#savedAt = this.#now()
    await this.#deps.store.commit({ writes: [{ put: storeKey, value: this.#learning.save() }] })
  }

  // --- the graph ------------------------------------------------------------------------------------------------------

  get graph(): DependencyGraph {
    if (this.#graph) return this.#graph
    const seen = this.#learning.byCaller(this.#now())
    this.#graph = buildGraph({
      services: serviceFacts(this.#deps.config()),
      checks: this.#deps.checks.facts(),
      learned: this.#learning.learned(this.#now()),
      book: this.#addressBook(),
      seenOf: (service) => seen.get(service) ?? 0,
    })
    return this.#graph
  }

  /** The name of what it hangs together with; undefined: with nothing. */
  related(name: string): string | undefined {
    const { graph } = this
    if (this.#related?.graph !== graph) this.#related = { graph, groups: relatedIn(graph) }
    return this.#related.groups.get(name)
  }

  /** What is put together from others is put together anew at the next question. */
  #forget(): void {
    this.#graph = undefined
    this.#book = undefined
    this.#ports = undefined
  }

  #addressBook(): AddressBook {
    const { config, services, checks } = this.#deps
    return (this.#book ??= addressBook(
      config(),
      services(),
      checks.addresses(),
      (host) => host.startsWith('127.') || this.#local.has(host.toLowerCase()),
    ))
  }

  #portSets(): { readonly known: ReadonlySet<number>; readonly listeners: ReadonlySet<number> } {
    return (this.#ports ??= this.#addressBook().ports())
  }

  // --- how everything does --------------------------------------------------------------------------------------------

  /** How services and checks do now. */
  look(services: readonly ServiceStatus[]): void {
    const now = this.#now()
    const { checks, config } = this.#deps
    const readings = services.map((service) => {
      const interval = config().services[service.name]?.health?.interval ?? intervalUsualMs
      const reading = serviceReading(service, interval, this.#lookedAt.get(service.name) ?? 0, this.#states.get(service.name)?.state)
      return reading.state === 'up' && (this.#suspected.get(service.name) ?? 0) > now ? { ...reading, state: 'suspect' as const } : reading
    })
    this.#states.read([...readings, ...checks.readings()], now)
    if (this.#states.version === this.#version) return
    this.#version = this.#states.version
    this.#tellListeners()
  }

  // --- for the notifier -----------------------------------------------------------------------------------------------

  suppression(labels: Labels, startsAt: number): Suppression | undefined {
    const { check = '', service = '', alertname = '' } = labels
    const name = this.graph.has(check) ? check : service
    if (independentAlerts.has(alertname) || !this.graph.has(name)) return undefined
    const verdict = this.#suppressing.ask(this.graph, name, startsAt, this.#now())
    this.#keptBack ||= verdict.type !== 'tell'
    switch (verdict.type) {
      case 'tell':
        return undefined
      case 'suppressed': {
        const { cause, path, recovered } = verdict
        const needs = path
          .slice(1)
          .reduce((text, each) => `${text}, which needs ${each}`, '')
          .replace(', which needs', ' needs')
        return { cause, reason: `${cause} ${recovered ? 'has just come back' : 'is down'}, and ${path[0] ?? name}${needs}` }
      }
      case 'wait': {
        for (const each of verdict.for) void this.#lookAgain(each)
        const [first = '', ...more] = verdict.for
        const others = more.length === 0 ? '' : ` and ${more.length} more`
        return {
          cause: first,
          reason: `${name} needs ${first}${others}, which ${more.length === 0 ? 'is' : 'are'} being looked at`,
          until: verdict.until,
        }
      }
    }
  }

  /** Passes alerts on; to grave ones of something that others need it adds what goes down with it (`impact`). */
  sink(inner: AlertSink): AlertSink {
    return {
      put: (alerts) => {
        inner.put(alerts.map((alert) => this.#withImpact(alert)))
      },
    }
  }

  #withImpact(alert: PutAlert): PutAlert {
    const { check = '', service = '', alertname = '', severity } = alert.labels
    if (severity === 'warning' || independentAlerts.has(alertname)) return alert
    const impact = impactOf(this.graph, this.graph.has(check) ? check : service)
    return impact === undefined || impact.affected.length === 0 ? alert : { ...alert, annotations: { ...alert.annotations, impact: impact.summary } }
  }

  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  #tellListeners(): void {
    for (const listener of this.#listeners) listener()
  }

  /** One look at a time at each; whoever waits is told when it is known. */
  async #lookAgain(name: string): Promise<void> {
    // Who is suspected is looked at by whoever suspects it, a second apart: looks that follow at once confirm nothing.
    if (this.#looking.has(name) || this.#stopped || this.#states.get(name)?.state === 'suspect') return
    this.#looking.add(name)
    try {
      const { services, checks, config } = this.#deps
      const service = services().find((each) => each.name === name)
      if (service) await this.#lookAtService(service, config())
      else if (this.graph.kindOf(name) === 'check') await checks.run(name)
    } catch (error) {
      this.#deps.onError(error)
    } finally {
      this.#looking.delete(name)
      this.look(this.#deps.services())
      this.#tellListeners()
    }
  }

  async #lookAtService({ name, endpoints }: ServiceStatus, config: Config): Promise<void> {
    const { health, origin } = config.services[name] ?? {}
    const path = origin === undefined ? health?.path : undefined
    const targets = endpoints.flatMap(({ host, port, state }) => (state === 'active' ? [{ host, port, path }] : []))
    const passes = targets.length > 0 && (await passesNow(targets, health?.timeout ?? secondLookMs))
    const now = this.#now()
    if (passes) {
      this.#suspected.delete(name)
      this.#lookedAt.set(name, now)
    } else this.#suspected.set(name, now + suspectMs)
  }

  #now(): number {
    return this.#deps.clock.wallTime()
  }

  // --- for the API ----------------------------------------------------------------------------------------------------

  report(): DependencyReport {
    const { graph } = this
    const explained = explainAll(graph, this.#states.down())
    const nodes = graph.nodes.map(({ name, kind }) => {
      const standing = this.#states.get(name)
      return { name, kind, state: standing?.state ?? 'unknown', since: standing?.since, because: explained.get(name)?.cause }
    })
    return { nodes, edges: this.#edges(), calls: { told: this.#flows.told, traced: this.#flows.traced } }
  }

  #edges(): readonly DependencyEdge[] {
    const now = this.#now()
    return this.graph.needs.flatMap(({ of: from, anyOf, hard, evidence }) =>
      anyOf.map((to) => ({
        ...{ from, to, hard, evidence },
        alternatives: anyOf.filter((each) => each !== to),
        why: evidence.map((each) => describeEvidence(each, now)).join('; '),
      })),
    )
  }

  impact(name: string): Impact {
    const impact = impactOf(this.graph, name)
    if (impact) return impact
    const names = this.graph.nodes.map((node) => node.name)
    throw new HoldfastError('unknown_node', `looked for ${name} among services, checks and addresses, found no such name`, {
      hint: names.length === 0 ? 'there are none' : `there are: ${names.slice(0, 20).join(', ')}${names.length > 20 ? ' …' : ''}`,
    })
  }

  causes(): readonly RankedCause[] {
    return rootCauses(this.graph, this.#states.down())
  }
}
