/** Incidents over a notifier of the test's own: what is asked how often, and what opens none. */
import { describe, expect, it } from 'vitest'
import type { Clock } from '../kernel/time.ts'
import { fingerprint, type Labels } from '../kernel/labels.ts'
import type { Alert } from './core/alerts.ts'
import { Incidents } from './incidents.ts'
import type { Notifier, NotifierListener } from './notifier.ts'

class World {
  now = 1_700_000_000_000
  asked = 0
  readonly quietBy = new Map<string, string>()
  readonly #alerts = new Map<string, Alert>()
  readonly incidents: Incidents
  #listener: NotifierListener = {}
  #ids = 0

  constructor() {
    const dispatcher = {
      alert: (id: string) => this.#alerts.get(id),
      alerts: () => [...this.#alerts.values()],
      quiet: ({ fingerprint: id }: Alert) => {
        this.asked++
        const by = this.quietBy.get(id)
        return by === undefined ? undefined : { by, ids: ['db'], reason: '' }
      },
    }
    const notifier = { dispatcher, book: { note: () => undefined }, listen: (listener: NotifierListener) => (this.#listener = listener) }
    this.incidents = new Incidents({
      clock: { wallTime: () => this.now } as unknown as Clock,
      notifier: notifier as unknown as Notifier,
      events: { emit: () => '' },
      newId: () => `i${++this.#ids}`,
      recentEvents: () => [],
    })
  }

  fire(...all: Labels[]): readonly string[] {
    const fired = all.map((labels) => ({
      ...{ fingerprint: fingerprint(labels), labels, annotations: {}, startsAt: this.now, endsAt: this.now + 3_600_000, updatedAt: this.now },
      ...{ timesOut: false, generatorUrl: undefined },
    }))
    for (const alert of fired) this.#alerts.set(alert.fingerprint, alert)
    this.#listener.changed?.({ fired, resolved: [] })
    return fired.map((alert) => alert.fingerprint)
  }

  ack(fingerprint: string): void {
    const alert = this.#alerts.get(fingerprint)
    if (alert) this.#listener.acked?.(alert, { fingerprint, by: 'anna', comment: '', at: this.now, until: this.now + 1_000 })
  }

  pass(ms: number): void {
    for (const end = this.now + ms; this.now < end;) {
      this.now += 250
      this.#listener.ticked?.(this.now)
    }
  }

  get keys(): readonly string[] {
    return this.incidents.book.open().map(({ key, alerts }) => `${key}: ${alerts.map(({ labels }) => labels.alertname).join(', ')}`)
  }
}

describe('alerts that are too mild for an incident', () => {
  it('are asked a few at a time, and join at once the one that is about the same', () => {
    const world = new World()
    world.fire(...Array.from({ length: 10_000 }, (_, i) => ({ alertname: 'Slow', severity: 'warning', service: `s${i}` })))
    world.pass(2_000)
    world.asked = 0
    world.pass(1_000)
    expect(world.asked).toBeLessThanOrEqual(4 * 500)
    world.fire({ alertname: 'Down', severity: 'critical', service: 's9999' })
    world.pass(1_750)
    expect(world.keys).toEqual(['s9999: Down, Slow'])
  })

  it('join what they turn out to go back to', () => {
    const world = new World()
    const [slow = ''] = world.fire({ alertname: 'Slow', severity: 'warning', service: 'shop' })
    world.fire({ alertname: 'Down', severity: 'critical', service: 'db' })
    world.pass(3_000)
    expect(world.keys).toEqual(['db: Down'])
    world.quietBy.set(slow, 'suppressed')
    world.pass(1_000)
    expect(world.keys).toEqual(['db: Down, Slow'])
  })
})

it('a grave one that is silenced opens an incident when the silence is over', () => {
  const world = new World()
  const [down = ''] = world.fire({ alertname: 'Down', severity: 'critical', service: 'shop' })
  world.quietBy.set(down, 'silenced')
  world.pass(5_000)
  expect(world.keys).toEqual([])
  world.quietBy.clear()
  world.ack(down)
  expect(world.keys).toEqual(['shop: Down'])
  expect(world.incidents.book.open()[0]?.timeline.map(({ text }) => text)).toContain('anna took up: Down')
})

it('that a receiver cannot be told is no outage', () => {
  const world = new World()
  world.fire({ alertname: 'NotificationsFailing', severity: 'critical', receiver: 'ops' })
  world.pass(5_000)
  expect(world.keys).toEqual([])
})
