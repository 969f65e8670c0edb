import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Dispatcher, type Order, type Policy, type Quieter } from './dispatcher.ts'
import type { GroupRecord } from './groups.ts'
import { parseMatchers } from './matchers.ts'
import { routeTree, type RouteConfig } from './routes.ts'

const second = 1_000
const minute = 60 * second
const start = 1_700_000_000_000

const usual = { groupBy: ['alertname'], groupWaitMs: second, groupIntervalMs: 5 * minute, repeatIntervalMs: 60 * minute, urgent: true }

function policy(root: Partial<RouteConfig> = {}, more: Partial<Policy> = {}): Policy {
  const receivers = Object.fromEntries(['ops', 'lead', 'mail'].map((name) => [name, [{ id: 'webhook', sendResolved: true }]]))
  return { root: routeTree({ receiver: 'ops', ...usual, ...root }), inhibit: [], intervals: {}, receivers, resolveTimeoutMs: 5 * minute, ...more }
}

class World {
  readonly dispatcher: Dispatcher
  now = start
  readonly told: { readonly at: number; readonly order: Order; readonly arrived: boolean }[] = []
  works: (order: Order) => boolean = () => true

  constructor(made: Policy = policy(), quieter: Quieter = {}) {
    this.dispatcher = new Dispatcher(made, quieter)
  }

  fire(alertname: string, labels: Record<string, string> = {}, endsAt?: number): void {
    this.dispatcher.put([{ labels: { alertname, ...labels }, annotations: {}, endsAt: endsAt ?? this.now + 1_000 * minute }], this.now, (error) => {
      throw error
    })
  }

  over(alertname: string, labels: Record<string, string> = {}): void {
    this.fire(alertname, labels, this.now)
  }

  /** A look each second. */
  pass(ms: number): void {
    for (const end = this.now + ms; this.now < end;) {
      this.now += second
      this.look()
    }
  }

  look(): void {
    for (const order of this.dispatcher.tick(this.now).orders) {
      const arrived = this.works(order)
      this.told.push({ at: this.now - start, order, arrived })
      this.dispatcher.sent(order, arrived, this.now)
    }
  }

  get lines(): readonly string[] {
    return this.told.map(({ at, order }) => {
      const alerts = order.alerts.map(({ labels, endsAt }) => `${labels.instance ?? labels.alertname ?? ''}${endsAt === 0 ? '' : ' over'}`)
      return `${at / second} ${order.receiver} ${order.why}: ${alerts.join(', ')}`
    })
  }
}

describe('a group', () => {
  it('hears of the end of what it knows, however often it repeats', () => {
    const world = new World(policy({ urgent: false, groupIntervalMs: 20 * second, repeatIntervalMs: second }))
    world.fire('Down')
    world.pass(10 * second)
    world.over('Down')
    world.pass(20 * second)
    expect(world.lines).toEqual(['1 ops first: Down', '21 ops all resolved: Down over'])
  })

  it('is told of an end once, whoever repeats it, and of one that it never heard the beginning of not at all', () => {
    const world = new World()
    world.fire('Down', { instance: 'a' })
    world.fire('Down', { instance: 'b' })
    world.pass(10 * second)
    world.over('Down', { instance: 'a' })
    world.pass(6 * minute)
    const saidBefore = world.lines.length
    for (const instance of ['c', 'd']) {
      world.over('Down', { instance: 'a' })
      world.over('Down', { instance: 'z' })
      world.fire('Down', { instance })
      world.pass(minute)
    }
    expect(world.lines[saidBefore - 1]).toContain('a over, b')
    expect(world.lines.slice(saidBefore).map((line) => line.replace(/^\d+ /, ''))).toEqual(['ops new firing: b, c', 'ops new firing: b, c, d'])
  })

  it('waits for others, is not told twice, and is told again', () => {
    const world = new World()
    world.fire('Down', { instance: 'a' })
    world.fire('Down', { instance: 'b' })
    world.pass(61 * minute)
    expect(world.lines).toEqual(['1 ops first: a, b'])
    world.pass(10 * minute)
    expect(world.lines[1]).toBe('3901 ops repeat: a, b')
  })

  it('tells what is new at once where it is urgent, and at its interval elsewhere', () => {
    for (const [urgent, at] of [
      [true, 31],
      [false, 301],
    ] as const) {
      const world = new World(policy({ urgent }))
      world.fire('Down', { instance: 'a' })
      world.pass(30 * second)
      world.fire('Down', { instance: 'b' })
      world.pass(6 * minute)
      expect(world.lines).toEqual(['1 ops first: a', `${at} ops new firing: a, b`])
    }
  })

  it('bounds what is told ahead of the interval', () => {
    const world = new World()
    for (let i = 0; i < 290; i++) {
      world.fire('Down', { instance: `i${i}` })
      world.pass(second)
    }
    expect(world.told.length).toBeLessThanOrEqual(62)
    world.pass(6 * minute)
    expect(world.told.at(-1)?.order.alerts).toHaveLength(290)
  })

  it('says once that all is well, when it lasts', () => {
    const world = new World()
    world.fire('Down')
    world.pass(5 * second)
    world.over('Down')
    world.pass(3 * second)
    world.fire('Down')
    world.pass(60 * second)
    world.over('Down')
    world.pass(20 * second)
    expect(world.lines).toEqual(['1 ops first: Down', '78 ops all resolved: Down over'])
  })

  it('says nothing of what was over before anybody was told', () => {
    const world = new World()
    world.fire('Down')
    world.over('Down')
    world.pass(10 * minute)
    expect(world.lines).toEqual([])
  })

  it('tells again at the next interval what did not arrive', () => {
    const world = new World()
    world.works = () => world.now > start + minute
    world.fire('Down')
    world.pass(6 * minute)
    expect(world.lines).toEqual(['1 ops first: Down', '301 ops first: Down'])
  })
})

describe('what keeps alerts quiet', () => {
  it('is an alert that inhibits them, and they are told when it ends', () => {
    const inhibit = [{ source: parseMatchers('severity=critical'), target: parseMatchers('severity=warning'), equal: ['service'] }]
    const world = new World(policy({}, { inhibit }))
    world.fire('Slow', { severity: 'warning', service: 'shop' })
    world.fire('Down', { severity: 'critical', service: 'shop' })
    world.pass(60 * second)
    expect(world.lines).toEqual(['1 ops first: Down'])
    world.over('Down', { severity: 'critical', service: 'shop' })
    world.pass(15 * second)
    expect(world.lines.slice(1)).toEqual(['61 ops first: Slow', '70 ops all resolved: Down over'])
  })

  it('is a silence, and its end tells at once what still fires', () => {
    const world = new World()
    const draft = { matchers: parseMatchers('alertname=Down'), startsAt: start, endsAt: start + minute, createdBy: 'a', comment: 'b' }
    const { id } = world.dispatcher.silences.set(draft, start, () => 's1')
    world.fire('Down')
    world.fire('Other')
    world.pass(70 * second)
    expect(world.lines).toEqual(['1 ops first: Other', '60 ops first: Down'])
    expect(world.dispatcher.silences.get(id)?.matched).toBe(1)
  })

  it('is a cause that is down; its own end is told', () => {
    let down = true
    const world = new World(policy(), {
      suppression: ({ service }) => (down && service === 'shop' ? { cause: 'db', reason: 'db is down' } : undefined),
    })
    world.fire('Down', { service: 'shop' })
    world.pass(30 * second)
    expect(world.lines).toEqual([])
    down = false
    world.dispatcher.recheckSoon()
    world.pass(5 * second)
    expect(world.lines).toEqual(['31 ops first: Down'])
  })

  it('is 50 dependants of one gateway: one page', () => {
    const world = new World(policy({ groupBy: ['alertname', 'service'] }), {
      suppression: ({ service }) => (service === 'gateway' ? undefined : { cause: 'gateway', reason: 'gateway is down' }),
    })
    world.fire('Down', { service: 'gateway' })
    for (let i = 0; i < 50; i++) world.fire('Down', { service: `s${i}` })
    world.pass(30 * minute)
    expect(world.told).toHaveLength(1)
  })
})

describe('escalation', () => {
  const escalate = [
    { afterMs: 10 * minute, receiver: 'lead' },
    { afterMs: 30 * minute, receiver: 'mail' },
  ]

  it('climbs until somebody acknowledges, goes on when that runs out, and tells all of them of the end', () => {
    const world = new World(policy({ escalate }))
    world.fire('Down')
    world.pass(15 * minute)
    expect(world.lines).toEqual(['1 ops first: Down', '601 lead escalated: Down'])
    const [alert] = world.dispatcher.alerts()
    world.dispatcher.ack(alert?.fingerprint ?? '', { by: 'a', comment: '', at: world.now, until: world.now + 30 * minute })
    world.pass(30 * minute)
    expect(world.told).toHaveLength(2)
    world.pass(20 * minute)
    expect(world.lines.filter((line) => line.includes('mail'))).toEqual(['3600 mail escalated: Down'])
    world.over('Down')
    world.pass(minute)
    expect(world.lines.slice(-3).map((line) => line.replace(/^\d+ /, ''))).toEqual(
      ['ops', 'lead', 'mail'].map((name) => `${name} all resolved: Down over`),
    )
  })

  it('moves on at once when a receiver cannot be reached', () => {
    const world = new World(policy({ escalate }))
    world.fire('Down')
    world.pass(2 * second)
    const [group] = world.dispatcher.groups()
    expect(world.dispatcher.moveOn(group?.id ?? '', world.now)).toBe(true)
    world.pass(second)
    expect(world.lines).toEqual(['1 ops first: Down', '3 lead escalated: Down'])
    world.dispatcher.moveOn(group?.id ?? '', world.now)
    world.pass(second)
    expect(world.dispatcher.moveOn(group?.id ?? '', world.now)).toBe(false)
  })
})

describe('after a restart', () => {
  it('nobody hears twice what they know, and timers go on', () => {
    const before = new World()
    before.fire('Down', { instance: 'a' })
    before.pass(10 * second)
    const stored = JSON.parse(
      JSON.stringify({ alerts: before.dispatcher.alerts(), groups: before.dispatcher.groups().map(({ id }) => before.dispatcher.snapshotGroup(id)) }),
    ) as { alerts: ReturnType<Dispatcher['alerts']>; groups: GroupRecord[] }
    const after = new World()
    after.now = before.now
    after.dispatcher.restore(stored.alerts, stored.groups, [], after.now)
    after.pass(4 * minute)
    expect(after.lines).toEqual([])
    after.fire('Down', { instance: 'b' })
    after.pass(5 * second)
    expect(after.lines).toEqual(['251 ops new firing: a, b'])
  })

  it('another configuration keeps the group that stays', () => {
    const world = new World()
    world.fire('Down')
    world.pass(10 * second)
    world.dispatcher.adopt(policy({ routes: [{ matchers: parseMatchers('alertname=Other'), receiver: 'lead' }] }), world.now)
    world.pass(4 * minute)
    expect(world.lines).toEqual(['1 ops first: Down'])
    world.dispatcher.adopt(policy({ receiver: 'lead' }), world.now)
    world.pass(5 * second)
    expect(world.lines.slice(1)).toEqual(['251 lead first: Down'])
  })
})

describe('whatever happens', () => {
  it('everybody knows in the end what fires and what does not', () => {
    const step = fc.record({ name: fc.constantFrom('A', 'B', 'C'), fires: fc.boolean(), wait: fc.integer({ min: 0, max: 400 }), works: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.boolean(), (steps, urgent) => {
        const world = new World(policy({ urgent }))
        const firing = new Map<string, boolean>()
        for (const { name, fires, wait, works } of steps) {
          world.works = () => works
          if (fires) world.fire(name)
          else if (firing.has(name)) world.over(name)
          if (fires || firing.has(name)) firing.set(name, fires)
          world.pass(wait * second)
        }
        world.works = () => true
        world.pass(15 * minute)
        for (const [name, fires] of firing) {
          const last = world.told.filter(({ order, arrived }) => arrived && order.alerts.some(({ labels }) => labels.alertname === name)).at(-1)
          const said = last?.order.alerts.find(({ labels }) => labels.alertname === name)?.endsAt === 0
          expect([name, last === undefined ? false : said]).toEqual([name, fires])
        }
      }),
      { numRuns: 40 },
    )
  })
})
