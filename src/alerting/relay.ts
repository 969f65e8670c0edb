/**
 * An Alertmanager as a receiver. It groups, silences and repeats by itself, so it is not told by groups: like a Prometheus server, we put every alert there that its
 * routes take, at once when something changes and again each minute, with an end a few minutes ahead; and its end when it is over.
 *
 * What is kept quiet here (silenced, inhibited, its cause down) is not put there, and counts as over if it was.
 */
import type { AlertmanagerConfig, ReceiverConfig } from '../config/types.ts'
import { messageOf } from '../kernel/errors.ts'
import { after, ms, type Clock } from '../kernel/time.ts'
import { isResolved, type Alert } from './core/alerts.ts'
import type { Dispatcher } from './core/dispatcher.ts'
import { timeOf } from './core/notification.ts'
import { post } from './receivers/post.ts'

/** Source: Prometheus, rules/manager.go: put again each minute, with an end four minutes ahead. */
const againMs = 60_000
const aheadMs = 4 * againMs
/** Changes are gathered for so long. */
const gatherMs = 200
/** After a failure. */
const retryMs = 5_000
const timeoutMs = 10_000
const batchMax = 500

export interface RelayDeps {
  readonly clock: Clock
  readonly dispatcher: Dispatcher
  /** Told of each batch, and of the first failure of a stretch. */
  readonly onOutcome: (receiver: string, error: string | undefined) => void
}

interface Target {
  readonly config: AlertmanagerConfig
  readonly sendResolved: boolean
  /** What it takes for firing. */
  readonly firing: Map<string, Alert>
  failing: boolean
  /** It is being told at this moment. */
  busy: boolean
  /** Something changed meanwhile. */
  missed: boolean
}

export class Relay {
  readonly #deps: RelayDeps
  readonly #stop = new AbortController()
  #targets = new Map<string, Target>()
  #timer: Disposable | undefined
  #timerAt = Infinity

  constructor(deps: RelayDeps) {
    this.#deps = deps
  }

  configure(receivers: Readonly<Record<string, ReceiverConfig>>): void {
    const before = this.#targets
    this.#targets = new Map()
    for (const [name, { alertmanager, sendResolved }] of Object.entries(receivers)) {
      if (alertmanager === undefined) continue
      const firing = before.get(name)?.firing ?? new Map<string, Alert>()
      this.#targets.set(name, { config: alertmanager, sendResolved, firing, failing: false, busy: false, missed: false })
    }
    if (this.#targets.size > 0) this.soon()
  }

  soon(): void {
    if (this.#targets.size > 0) this.#schedule(gatherMs)
  }

  stop(): void {
    this.#timer?.[Symbol.dispose]()
    this.#stop.abort()
  }

  #schedule(waitMs: number): void {
    const { clock } = this.#deps
    const at = after(clock.now(), ms(waitMs))
    if (this.#stop.signal.aborted || (this.#timer !== undefined && this.#timerAt <= at)) return
    this.#timer?.[Symbol.dispose]()
    this.#timerAt = at
    this.#timer = clock.schedule(at, () => {
      this.#timer = undefined
      for (const [name, target] of this.#targets) void this.#run(name, target)
    })
  }

  /** One that hangs keeps no other waiting. */
  async #run(name: string, target: Target): Promise<void> {
    if (target.busy) {
      target.missed = true
      return
    }
    target.busy = true
    target.missed = false
    const done = await this.#tell(name, target)
    target.busy = false
    this.#schedule(hasMissed(target) ? gatherMs : done ? againMs : retryMs)
  }

  async #tell(name: string, target: Target): Promise<boolean> {
    const now = this.#deps.clock.wallTime()
    const firing = this.#firingFor(name, now)
    const over = [...target.firing.values()].filter(({ fingerprint }) => !firing.has(fingerprint))
    const ended = target.sendResolved
      ? over.map((alert) => asPut(this.#deps.dispatcher.alert(alert.fingerprint) ?? alert, Math.min(now, this.#endOf(alert, now))))
      : []
    const all = [...[...firing.values()].map((alert) => asPut(alert, now + aheadMs)), ...ended]
    try {
      for (let i = 0; i < all.length; i += batchMax) await put(target.config, all.slice(i, i + batchMax), this.#stop.signal)
    } catch (error) {
      if (this.#stop.signal.aborted) return true
      this.#deps.onOutcome(name, messageOf(error))
      target.failing = true
      return false
    }
    if (all.length > 0 || target.failing) this.#deps.onOutcome(name, undefined)
    target.failing = false
    target.firing.clear()
    for (const [fingerprint, alert] of firing) target.firing.set(fingerprint, alert)
    return true
  }

  #endOf({ fingerprint }: Alert, now: number): number {
    const alert = this.#deps.dispatcher.alert(fingerprint)
    return alert && isResolved(alert, now) ? alert.endsAt : now
  }

  #firingFor(receiver: string, now: number): ReadonlyMap<string, Alert> {
    const { dispatcher } = this.#deps
    const firing = new Map<string, Alert>()
    for (const alert of dispatcher.alerts()) {
      if (isResolved(alert, now) || !dispatcher.routesOf(alert.fingerprint).some(({ options }) => options.receiver === receiver)) continue
      if (dispatcher.quiet(alert, now) === undefined) firing.set(alert.fingerprint, alert)
    }
    return firing
  }

  /** Puts one alert there that is over in a minute. */
  async test(receiver: string, alert: Alert): Promise<readonly string[]> {
    const target = this.#targets.get(receiver)
    if (target === undefined) return []
    await put(target.config, [asPut(alert, this.#deps.clock.wallTime() + againMs)], this.#stop.signal)
    return ['alertmanager']
  }
}

const hasMissed = ({ missed }: Target): boolean => missed

const asPut = ({ labels, annotations, startsAt, generatorUrl }: Alert, endsAt: number): Record<string, unknown> => ({
  labels,
  annotations,
  startsAt: timeOf(startsAt),
  endsAt: timeOf(Math.max(endsAt, startsAt)),
  ...(generatorUrl !== undefined && { generatorURL: generatorUrl }),
})

async function put({ url, username, password = '', token }: AlertmanagerConfig, alerts: readonly unknown[], signal: AbortSignal): Promise<void> {
  const basic = username === undefined ? undefined : `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  const authorization = token === undefined ? basic : `Bearer ${token}`
  await post({
    url: `${url.replace(/\/+$/, '')}/api/v2/alerts`,
    body: JSON.stringify(alerts),
    ...(authorization !== undefined && { headers: { authorization } }),
    timeoutMs,
    signal,
  })
}
