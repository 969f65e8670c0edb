/** The dispatcher under floods, with receivers that hang, and with clocks that jump. */
import { describe, expect, it } from 'vitest'
import { alertLimits } from './alerts.ts'
import { ClockWatch } from './clock-watch.ts'
import { Dispatcher, dispatchLimits, type Order, type Policy } from './dispatcher.ts'
import { routeTree, type RouteConfig } from './routes.ts'

const second = 1_000
const minute = 60 * second
const start = 1_700_000_000_000

function policy(root: Partial<RouteConfig> = {}): Policy {
  const receivers = {
    ops: [
      { id: 'webhook', sendResolved: true },
      { id: 'smtp', sendResolved: true },
    ],
    lead: [{ id: 'webhook', sendResolved: true }],
  }
  const usual = { groupBy: ['alertname'], groupWaitMs: second, groupIntervalMs: 5 * minute, repeatIntervalMs: 60 * minute, urgent: true }
  return { root: routeTree({ receiver: 'ops', ...usual, ...root }), inhibit: [], intervals: {}, receivers, resolveTimeoutMs: 5 * minute }
}

const fail = (error: unknown): never => {
  throw error
}
const alert = (alertname: string, instance: string, endsAt = start + 10 * 60 * minute) => ({
  labels: { alertname, instance },
  annotations: {},
  endsAt,
})
const lineOf = ({ receiver, integration, why, alerts }: Order): string =>
  `${receiver}/${integration} ${why}: ${alerts.map(({ labels, endsAt }) => `${labels.instance ?? ''}${endsAt === 0 ? '' : ' over'}`).join(', ')}`

function two([a, b, ...others]: readonly Order[]): readonly [Order, Order] {
  if (a === undefined || b === undefined || others.length > 0) throw new Error('expected two orders')
  return [a, b]
}

describe('an integration that hangs', () => {
  it('keeps no other waiting, and hears later what it missed, each once', () => {
    const dispatcher = new Dispatcher(policy())
    dispatcher.put([alert('Down', 'a')], start, fail)
    const [webhook, smtp] = two(dispatcher.tick(start + second).orders)
    dispatcher.sent(smtp, true, start + second)
    dispatcher.put([alert('Down', 'b')], start + 10 * second, fail)
    const meanwhile = dispatcher.tick(start + 11 * second).orders
    expect(meanwhile.map(lineOf)).toEqual(['ops/smtp new firing: a, b'])
    for (const order of meanwhile) dispatcher.sent(order, true, start + 11 * second)
    expect(dispatcher.tick(start + 60 * second).orders).toEqual([])
    dispatcher.sent(webhook, true, start + 61 * second)
    const late = dispatcher.tick(start + 62 * second).orders
    expect(late.map(lineOf)).toEqual(['ops/webhook new firing: a, b'])
    for (const order of late) dispatcher.sent(order, true, start + 62 * second)
    expect(dispatcher.tick(start + 70 * second).orders).toEqual([])
  })

  it('hears of the end of what was over meanwhile, after its beginning', () => {
    const dispatcher = new Dispatcher(policy())
    dispatcher.put([alert('Down', 'a')], start, fail)
    const [webhook, smtp] = two(dispatcher.tick(start + second).orders)
    dispatcher.sent(smtp, true, start + second)
    dispatcher.put([alert('Down', 'a', start + 20 * second)], start + 20 * second, fail)
    for (const order of dispatcher.tick(start + 31 * second).orders) {
      expect(lineOf(order)).toBe('ops/smtp all resolved: a over')
      dispatcher.sent(order, true, start + 31 * second)
    }
    dispatcher.sent(webhook, true, start + 40 * second)
    expect(dispatcher.tick(start + 41 * second).orders.map(lineOf)).toEqual(['ops/webhook all resolved: a over'])
  })
})

describe('a flood', () => {
  it('of one group that begins and ends takes time that grows with it, not with its square', () => {
    const timeOf = (many: number): number => {
      const dispatcher = new Dispatcher(policy())
      const before = process.cpuUsage()
      dispatcher.put(
        Array.from({ length: many }, (_, i) => alert('Down', `i${i}`)),
        start,
        fail,
      )
      const orders = [...dispatcher.tick(start + second).orders]
      expect(orders.map(({ alerts }) => alerts.length)).toEqual([many, many])
      for (const order of orders) dispatcher.sent(order, true, start + second)
      // One by one, in the order in which they came: each asks whether all of the group is over.
      for (let i = 0; i < many; i++) dispatcher.put([alert('Down', `i${i}`, start + 60 * second)], start + 60 * second, fail)
      expect(dispatcher.tick(start + 71 * second).orders.map(({ why }) => why)).toEqual(['all resolved', 'all resolved'])
      return process.cpuUsage(before).user
    }
    timeOf(1_000)
    // Ten times as many take ten times as long, and a hundred times if each looks at all.
    expect(timeOf(20_000) / timeOf(2_000)).toBeLessThan(40)
  })

  it('of groups is told in pieces, and in no more groups than there may be', () => {
    const dispatcher = new Dispatcher(policy({ groupBy: '...' }))
    const many = dispatchLimits.groupsMax + 50
    dispatcher.put(
      Array.from({ length: many }, (_, i) => alert('Down', `i${i}`)),
      start,
      fail,
    )
    expect(dispatcher.groups().length).toBe(dispatchLimits.groupsMax + 1)
    const told = new Set<string>()
    let now = start + second
    for (; told.size < many; now += 25) {
      const { orders } = dispatcher.tick(now)
      expect(orders.length).toBeGreaterThan(0)
      expect(orders.length).toBeLessThanOrEqual(2 * dispatchLimits.flushesMax)
      for (const order of orders) {
        for (const { fingerprint } of order.alerts) told.add(fingerprint)
        dispatcher.sent(order, true, now)
      }
      expect(dispatcher.nextAt(now, second)).toBe(told.size < many ? now : now + second)
    }
    const [last] = dispatcher.alerts().slice(-1)
    expect(dispatcher.groupsOf(last?.fingerprint ?? '').map(({ labels }) => labels)).toEqual([{}])
  })

  it('of long texts is refused when it would take too much memory, and alerts that are known still end', () => {
    const dispatcher = new Dispatcher(policy())
    const long = (i: number, endsAt?: number) => ({
      labels: { alertname: 'Long', i: String(i) },
      annotations: { a: 'x'.repeat(8_000), b: 'x'.repeat(8_000), c: 'x'.repeat(8_000) },
      endsAt,
    })
    const refusals: unknown[] = []
    const fitting = Math.floor(alertLimits.heldCharactersMax / 24_020)
    dispatcher.put(
      Array.from({ length: fitting + 20 }, (_, i) => long(i)),
      start,
      (error) => refusals.push(error),
    )
    expect(refusals.length).toBeGreaterThan(10)
    expect(String(refusals[0])).toMatch(/there are alerts with \d+ characters already/)
    dispatcher.put([long(0, start + second)], start + second, fail)
    const tooLong = {
      labels: { alertname: 'Long' },
      annotations: Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`a${i}`, 'x'.repeat(8_000)])),
    }
    dispatcher.put([tooLong], start, (error) => refusals.push(error))
    expect(String(refusals.at(-1))).toContain('more than 65536 characters')
  })
})

describe('a restart', () => {
  it('after a step of the escalation that had not arrived takes it again at once', () => {
    const made = policy({ escalate: [{ afterMs: minute, receiver: 'lead' }] })
    const before = new Dispatcher(made)
    before.put([alert('Down', 'a')], start, fail)
    for (const order of before.tick(start + second).orders) before.sent(order, true, start + second)
    const [step] = before.tick(start + 2 * minute).orders
    expect(step?.receiver).toBe('lead')
    const group = before.groups()[0]
    const record = before.snapshotGroup(group?.id ?? '')
    const after = new Dispatcher(made)
    after.restore(before.alerts(), record ? [record] : [], [], start + 2 * minute + second)
    expect(after.tick(start + 2 * minute + 2 * second).orders.map(lineOf)).toEqual(['lead/webhook first: a'])
  })

  it('with a clock that has gone back an hour keeps nobody waiting', () => {
    const before = new Dispatcher(policy())
    before.put([alert('Down', 'a')], start, fail)
    for (const order of before.tick(start + second).orders) before.sent(order, true, start + second)
    const record = before.snapshotGroup(before.groups()[0]?.id ?? '')
    const earlier = start - 60 * minute
    const after = new Dispatcher(policy())
    after.restore(before.alerts(), record ? [record] : [], [], earlier)
    after.put([alert('Down', 'b')], earlier, fail)
    expect(after.tick(earlier + 3 * second).orders.map(({ why }) => why)).toEqual(['new firing', 'new firing'])
  })
})

describe('a clock that is set', () => {
  const hour = 60 * minute

  it.each([hour, -hour])('by %i ms ends nothing, repeats nothing, and keeps nobody waiting', (by) => {
    const made = policy({ escalate: [{ afterMs: 10 * minute, receiver: 'lead' }] })
    const dispatcher = new Dispatcher(made)
    dispatcher.put([alert('Down', 'a', start + 4 * minute)], start, fail)
    for (const order of dispatcher.tick(start + second).orders) dispatcher.sent(order, true, start + second)
    dispatcher.ack(dispatcher.alerts()[0]?.fingerprint ?? '', { by: 'anna', comment: '', at: start, until: start + 5 * minute })
    dispatcher.shift(by)
    const then = start + by
    const { orders, resolved, unacked, escalated } = dispatcher.tick(then + 2 * second)
    expect([orders, resolved, unacked, escalated]).toEqual([[], [], [], []])
    // The same rule puts it again, and another fires: nobody waits for the old clock.
    dispatcher.put([alert('Down', 'a', then + 5 * minute), alert('Down', 'b', then + 5 * minute)], then + 3 * second, fail)
    const news = dispatcher.tick(then + 6 * second).orders
    expect(news.map(lineOf)).toEqual(['ops/webhook new firing: a, b', 'ops/smtp new firing: a, b'])
    for (const order of news) dispatcher.sent(order, true, then + 6 * second)
    dispatcher.put(
      [alert('Down', 'a', then + minute), alert('Down', 'b', then + minute)].map((put) => ({ ...put, startsAt: then })),
      then + minute,
      fail,
    )
    expect(dispatcher.tick(then + 71 * second).orders.map(({ why }) => why)).toEqual(['all resolved', 'all resolved'])
  })

  it('is told from one that wanders', () => {
    const watch = new ClockWatch()
    expect([watch.jumped(start, 0), watch.jumped(start + 1_200, 1_000), watch.jumped(start + hour, 2_000), watch.jumped(start, 3_000)]).toEqual([
      0,
      0,
      hour - 2_200,
      -hour - 1_000,
    ])
  })
})

describe('another policy', () => {
  it('while a word is on its way does not have it said twice', () => {
    const dispatcher = new Dispatcher(policy())
    dispatcher.put([alert('Down', 'a')], start, fail)
    const { orders } = dispatcher.tick(start + second)
    dispatcher.adopt(policy({ routes: [{ matchers: [{ name: 'alertname', value: 'Other', isRegex: false, isEqual: true }] }] }), start + 2 * second)
    expect(dispatcher.tick(start + 10 * minute).orders).toEqual([])
    for (const order of orders) dispatcher.sent(order, true, start + 10 * minute)
    expect(dispatcher.tick(start + 11 * minute).orders).toEqual([])
    expect(dispatcher.groups().map((group) => dispatcher.lastTold(group, 'ops')?.firing.size)).toEqual([1])
  })
})
