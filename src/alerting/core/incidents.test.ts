import { describe, expect, it } from 'vitest'
import { fingerprint } from '../../kernel/labels.ts'
import type { AnyEvent } from '../../kernel/events.ts'
import type { Alert } from './alerts.ts'
import { IncidentBook, incidentLimits, likelyCause, type Incident } from './incidents.ts'

const second = 1_000
const start = 1_700_000_000_000

function alertOf(alertname: string, labels: Record<string, string> = {}): Alert {
  const all = { alertname, severity: 'critical', ...labels }
  const rest = { startsAt: start, endsAt: 0, updatedAt: start, timesOut: false, generatorUrl: undefined }
  return { fingerprint: fingerprint(all), labels: all, annotations: { summary: `${alertname} of ${labels.service ?? 'nothing'}` }, ...rest }
}

const eventOf = (seq: number, type: AnyEvent['type'], service?: string): AnyEvent =>
  ({ id: `e${seq}`, seq, type, time: start - 100 * second + seq, message: `${type} ${seq}`, level: 'info', service, data: {} }) as unknown as AnyEvent

class World {
  readonly book = new IncidentBook()
  now = start
  events: readonly AnyEvent[] = []
  #ids = 0

  fire(alert: Alert, cause?: string): Incident | undefined {
    return this.book.fired(
      alert,
      cause,
      this.now,
      () => `i${++this.#ids}`,
      () => this.events,
    )
  }

  over(alert: Alert): void {
    this.book.resolved({ ...alert, endsAt: this.now }, this.now)
  }

  pass(ms: number): readonly Incident[] {
    this.now += ms
    return this.book.look(this.now)
  }
}

const down = alertOf('Down', { service: 'shop' })
const slow = alertOf('Slow', { service: 'shop', severity: 'warning' })

describe('an incident', () => {
  it('is opened by what is grave, joined by what goes back to the same, and over a minute after all of it', () => {
    const world = new World()
    expect(world.fire(slow)).toBeUndefined()
    expect(world.book.open()).toEqual([])
    expect(world.fire(down)).toMatchObject({
      id: 'i1',
      key: 'shop',
      status: 'investigating',
      impact: 'major',
      title: 'Down of shop',
      published: true,
    })
    expect(world.fire(slow)).toBeUndefined()
    expect(world.book.get('i1').alerts.map(({ summary }) => summary)).toEqual(['Down of shop', 'Slow of shop'])
    world.over(down)
    expect(world.pass(2 * incidentLimits.quietMs)).toEqual([])
    world.over(slow)
    expect(world.book.get('i1')).toMatchObject({ status: 'monitoring', quietSince: world.now })
    expect(world.pass(incidentLimits.quietMs - 1)).toEqual([])
    expect(world.pass(1)).toMatchObject([{ id: 'i1', status: 'resolved', resolvedAt: world.now }])
    expect([world.pass(second), world.book.ofAlert(down.fingerprint)]).toEqual([[], undefined])
  })

  it('goes on when something fires again within the minute, and is another one afterwards', () => {
    const world = new World()
    world.fire(down)
    world.over(down)
    world.pass(incidentLimits.quietMs - 1)
    expect(world.fire(down)).toBeUndefined()
    expect(world.book.get('i1')).toMatchObject({ status: 'investigating', quietSince: undefined })
    expect(world.pass(10 * incidentLimits.quietMs)).toEqual([])
    world.over(down)
    expect(world.pass(incidentLimits.quietMs)).toHaveLength(1)
    expect(world.fire(down)?.id).toBe('i2')
  })

  it('is one for a database and what needs it, and two for two outages at once', () => {
    const world = new World()
    expect(world.fire(alertOf('Down', { service: 'database' }))?.id).toBe('i1')
    for (const service of ['shop', 'web', 'mail']) expect(world.fire(alertOf('Down', { service }), 'database')).toBeUndefined()
    expect(world.book.get('i1').services).toEqual(['database', 'shop', 'web', 'mail'])
    expect(world.fire(alertOf('Down', { service: 'printer' }))?.id).toBe('i2')
  })

  it('is as grave as the gravest of it', () => {
    const world = new World()
    world.fire(down)
    world.fire(alertOf('Gone', { service: 'shop', severity: 'emergency' }))
    expect(world.book.get('i1').impact).toBe('critical')
  })

  it('has what happened before, and its likely cause, people first', () => {
    const world = new World()
    world.events = [eventOf(1, 'service.scaled', 'shop'), eventOf(2, 'instance.exited', 'shop'), eventOf(3, 'service.changed', 'web')]
    expect(world.fire(down)).toMatchObject({ status: 'identified', cause: { event: 'e1', type: 'service.scaled' } })
    expect(world.book.get('i1').timeline.map(({ event, kind }) => event ?? kind)).toEqual(['e1', 'e2', 'alert'])
    expect(likelyCause([eventOf(1, 'instance.exited', 'shop'), eventOf(2, 'instance.exited', 'shop')], ['shop'])?.event).toBe('e2')
    expect(likelyCause([eventOf(1, 'service.changed', 'web')], ['shop'])).toBeUndefined()
  })

  it('is not put down to a stop that was ordered, nor to a change of something else', () => {
    const exited = (seq: number, kind: string) => ({ ...eventOf(seq, 'instance.exited', 'shop'), data: { class: kind } }) as unknown as AnyEvent
    expect(likelyCause([exited(1, 'crash'), exited(2, 'ordered')], ['shop'])?.event).toBe('e1')
    expect(likelyCause([exited(1, 'ordered'), exited(2, 'completed')], ['shop'])).toBeUndefined()
    const applied = (...changes: string[]) => ({ ...eventOf(3, 'config.applied'), data: { changes } }) as unknown as AnyEvent
    expect(likelyCause([exited(1, 'crash'), applied('services.web.instances', 'services.shop2.env')], ['shop'])?.event).toBe('e1')
    expect(likelyCause([exited(1, 'crash'), applied('services.web.instances', 'services.shop.env')], ['shop'])?.event).toBe('e3')
    expect(likelyCause([exited(1, 'crash'), applied('proxy.timeout')], ['shop'])?.event).toBe('e3')
  })

  it('hears from people, who may end it, and not open it again', () => {
    const world = new World()
    world.fire(down)
    const post = { at: world.now, by: 'anna', text: 'a disk was full' }
    expect(world.book.post('i1', { ...post, status: 'identified' }, false)).toMatchObject({ status: 'identified', published: false })
    expect(world.book.post('i1', { ...post, status: 'resolved' }, true)).toMatchObject({ status: 'resolved', resolvedAt: world.now })
    expect(() => world.book.post('i1', { ...post, status: 'identified' }, true)).toThrow('tried to open incident i1 again')
    expect(() => world.book.post('i9', { ...post, status: 'identified' }, true)).toThrow('looked for incident i9')
    expect(world.book.open()).toEqual([])
  })

  it('takes what belongs to it, each list bounded', () => {
    const world = new World()
    world.fire(down)
    const entry = { at: start, kind: 'event', text: 'something', event: undefined } as const
    expect(world.book.note(entry, ({ services }) => services.includes('web'))).toBe(false)
    for (let i = 0; i < incidentLimits.timelineMax + 10; i++) world.book.note({ ...entry, at: i }, ({ services }) => services.includes('shop'))
    const { timeline } = world.book.get('i1')
    expect([timeline.length, timeline[0]?.at]).toEqual([incidentLimits.timelineMax, 10])
    for (let i = 0; i < incidentLimits.alertsMax + 10; i++) world.fire(alertOf('Many', { service: 'shop', instance: String(i) }))
    expect(world.book.get('i1').alerts).toHaveLength(incidentLimits.alertsMax)
  })

  it('is forgotten when there are too many, the oldest first, and never while it lasts', () => {
    const world = new World()
    const lasting = alertOf('Down', { service: 'lasting' })
    world.fire(lasting)
    for (let i = 0; i < incidentLimits.incidentsMax + 5; i++) {
      const alert = alertOf('Down', { service: `s${i}` })
      world.fire(alert)
      world.over(alert)
      world.pass(incidentLimits.quietMs)
    }
    const ids = world.book.all().map(({ id }) => id)
    expect(ids).toHaveLength(incidentLimits.incidentsMax)
    expect([ids.includes('i1'), ids.includes('i2'), world.book.record('i2'), world.book.dirty.has('i2')]).toEqual([true, false, undefined, true])
  })

  it('goes on after a restart', () => {
    const before = new World()
    before.fire(down)
    const world = new World()
    world.now = before.now + second
    world.book.restore(before.book.all())
    expect(world.fire(slow)).toBeUndefined()
    expect(world.book.get('i1').alerts).toHaveLength(2)
    world.over(down)
    world.over(slow)
    expect(world.pass(incidentLimits.quietMs)).toMatchObject([{ id: 'i1', status: 'resolved' }])
  })
})
