import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Lease, askTimeoutMs, shortMs, type LeaseGrant } from './lease.ts'
import { Quota, shareOf, type QuotaOrder } from './quota.ts'

const grant = (holder: string, amount: number, more: { answer?: boolean } = {}): QuotaOrder<string> => ({
  type: 'grant',
  holder,
  amount,
  answer: more.answer ?? false,
})

describe('a quota', () => {
  it('gives everybody a share, and what is left to whoever asks first', () => {
    const quota = new Quota<string>(100, shareOf(100, 2))
    expect(quota.join('a')).toEqual([grant('a', 25)])
    expect(quota.join('b')).toEqual([grant('b', 25)])
    expect(quota.ask('a', 10, 40)).toEqual([grant('a', 40, { answer: true })])
    // Ahead of its need nobody gets more than there is, and nobody is troubled for it.
    expect(quota.ask('b', 0, 20)).toEqual([grant('b', 10, { answer: true })])
    expect(quota.leased).toBe(100)
  })

  it('calls back from the others what is needed, and says no only when they have answered', () => {
    const quota = new Quota<string>(100, shareOf(100, 2))
    quota.join('a')
    quota.join('b')
    expect(quota.ask('a', 60, 85)).toEqual([{ type: 'recall', holder: 'b' }])
    expect(quota.giveBack('b', 20, true)).toEqual([grant('a', 60, { answer: true })])
    expect(quota.ask('a', 20, 20)).toEqual([{ type: 'recall', holder: 'b' }])
    expect(quota.giveBack('b', 0, true)).toEqual([grant('a', 10, { answer: true })])
    expect([quota.leaseOf('a'), quota.leaseOf('b')]).toEqual([95, 5])
  })

  it('has back at once what the dead held, for whoever waits', () => {
    const quota = new Quota<string>(100, shareOf(100, 2))
    quota.join('a')
    quota.join('b')
    quota.ask('b', 30, 30)
    expect(quota.ask('a', 60, 60)).toEqual([{ type: 'recall', holder: 'b' }])
    expect(quota.leave('b')).toEqual([grant('a', 60, { answer: true })])
    expect(quota.leased).toBe(85)
    expect(quota.giveBack('b', 50, true)).toEqual([])
    expect(quota.ask('b', 1, 1)).toEqual([])
    expect(quota.leased).toBe(85)
  })

  it('counts what an orphan brings, and lends nothing until there is room; a lowered limit is called in', () => {
    const heir = new Quota<string>(100, shareOf(100, 2))
    heir.claim('orphan', 90)
    expect(heir.join('a')).toEqual([grant('a', 10)])
    expect(heir.ask('a', 1, 1)).toEqual([{ type: 'recall', holder: 'orphan' }])
    expect(heir.leave('orphan')).toEqual([grant('a', 1, { answer: true })])
    expect(heir.setLimit(8, shareOf(8, 2))).toEqual([{ type: 'recall', holder: 'a' }, grant('a', 0)])
    heir.giveBack('a', 3, true)
    expect(heir.leased).toBe(8)
    expect(heir.setLimit(80, shareOf(80, 2))).toEqual([grant('a', 12)])
  })
})

describe('a lease', () => {
  it('lets in on overdraft while it asks, and nobody for a moment after the answer no', () => {
    const lease = new Lease(10)
    lease.grant({ amount: 4, share: 4, answer: false }, 0)
    expect(lease.allowed(100, 0)).toBe(14)
    expect(lease.allowed(12, 0)).toBe(12)
    expect(lease.ask(2, 100, 0)).toBeUndefined()
    expect(lease.ask(6, 100, 0)).toEqual({ need: 2, want: 6 })
    expect(lease.ask(9, 100, 0)).toBeUndefined()
    lease.grant({ amount: 1, share: 4, answer: true }, 1)
    expect(lease.allowed(100, 1)).toBe(5)
    expect(lease.ask(6, 100, shortMs)).toBeUndefined()
    expect(lease.allowed(100, 1 + shortMs)).toBe(15)
    expect(lease.ask(6, 100, 1 + shortMs)).toEqual({ need: 1, want: 5 })
  })

  it('takes no answer for a no', () => {
    const lease = new Lease(10)
    lease.ask(6, 100, 0)
    expect(lease.gaveUp(askTimeoutMs - 1)).toBe(false)
    expect(lease.gaveUp(askTimeoutMs)).toBe(true)
    expect(lease.allowed(100, askTimeoutMs)).toBe(0)
    expect(lease.gaveUp(askTimeoutMs)).toBe(false)
  })

  it('gives back what is beyond its use and its share, and all that is free when it is called back', () => {
    const lease = new Lease(0)
    lease.grant({ amount: 50, share: 10, answer: false }, 0)
    expect(lease.takeSurplus(30)).toBe(10)
    expect(lease.takeSurplus(30)).toBe(0)
    expect(lease.takeFree(30)).toBe(10)
    expect(lease.granted).toBe(30)
  })
})

// --- both sides, with messages that take their time --------------------------------------------------------------------

type Up =
  | { readonly type: 'ask'; readonly need: number; readonly want: number }
  | { readonly type: 'giveBack'; readonly amount: number; readonly recalled: boolean }
type Down = ({ readonly type: 'lease' } & LeaseGrant) | { readonly type: 'recall' }

class Worker {
  readonly lease = new Lease(5)
  readonly up: Up[] = []
  readonly down: Down[] = []
  used = 0
}

/** A book, workers that use at random, and messages in order, delivered whenever chance likes. */
class World {
  now = 0
  limit: number
  highest: number
  readonly quota: Quota<Worker>
  readonly workers: Worker[] = []

  constructor(limit: number, workers: number) {
    this.limit = limit
    this.highest = limit
    this.quota = new Quota<Worker>(limit, shareOf(limit, workers))
    for (let i = 0; i < workers; i++) this.start()
  }

  start(): void {
    const worker = new Worker()
    this.workers.push(worker)
    this.send(this.quota.join(worker))
  }

  kill(index: number): void {
    const [dead] = this.workers.splice(index % this.workers.length, 1)
    if (dead) this.send(this.quota.leave(dead))
  }

  send(orders: readonly QuotaOrder<Worker>[]): void {
    for (const order of orders) {
      if (order.type === 'recall') order.holder.down.push({ type: 'recall' })
      else order.holder.down.push({ type: 'lease', amount: order.amount, share: this.quota.share, answer: order.answer })
    }
  }

  use(worker: Worker, more: number): void {
    if (worker.used + more <= worker.lease.allowed(this.limit, this.now)) worker.used += more
    this.ask(worker)
  }

  ask(worker: Worker): void {
    const asked = worker.lease.ask(worker.used, this.limit, this.now)
    if (asked) worker.up.push({ type: 'ask', ...asked })
  }

  hear(worker: Worker): boolean {
    const message = worker.down.shift()
    if (!message) return false
    if (message.type === 'recall') worker.up.push({ type: 'giveBack', amount: worker.lease.takeFree(worker.used), recalled: true })
    else {
      worker.lease.grant(message, this.now)
      if (worker.lease.isShort(this.now)) worker.used = Math.min(worker.used, Math.max(worker.lease.granted, 0))
      this.ask(worker)
    }
    return true
  }

  tell(worker: Worker): boolean {
    const message = worker.up.shift()
    if (!message) return false
    this.send(
      message.type === 'ask' ? this.quota.ask(worker, message.need, message.want) : this.quota.giveBack(worker, message.amount, message.recalled),
    )
    return true
  }

  settle(): void {
    for (let round = 0; round < 1_000; round++) {
      const busy = this.workers.map((worker) => [this.tell(worker), this.hear(worker)].some(Boolean))
      if (!busy.some(Boolean)) return
    }
    throw new Error('they talk for ever')
  }

  check(): void {
    expect(this.quota.leased).toBe(this.workers.reduce((sum, worker) => sum + this.quota.leaseOf(worker), 0))
    for (const worker of this.workers) {
      const coming = worker.down.reduce((sum, message) => sum + (message.type === 'lease' ? message.amount : 0), 0)
      const going = worker.up.reduce((sum, message) => sum + (message.type === 'giveBack' ? message.amount : 0), 0)
      // Nothing is lost and nothing is counted twice, whatever is on its way.
      expect(this.quota.leaseOf(worker)).toBe(worker.lease.granted + coming + going)
      expect(worker.lease.granted).toBeGreaterThanOrEqual(0)
      expect(worker.used).toBeLessThanOrEqual(Math.max(worker.lease.granted, 0) + 5 + this.highest)
    }
  }
}

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('use' as const), who: fc.nat(9), amount: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('free' as const), who: fc.nat(9), amount: fc.integer({ min: 1, max: 9 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('tell' as const), who: fc.nat(9) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('hear' as const), who: fc.nat(9) }) },
  fc.record({ do: fc.constant('sweep' as const), who: fc.nat(9) }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.nat(60) }),
  fc.record({ do: fc.constant('kill' as const), who: fc.nat(9) }),
)

function play(world: World, each: typeof step extends fc.Arbitrary<infer T> ? T : never): void {
  if (each.do === 'wait') {
    world.now += each.ms
    return
  }
  const worker = world.workers[each.who % world.workers.length]!
  switch (each.do) {
    case 'use':
      world.use(worker, each.amount)
      return
    case 'free':
      worker.used = Math.max(0, worker.used - each.amount)
      return
    case 'tell':
      world.tell(worker)
      return
    case 'hear':
      world.hear(worker)
      return
    case 'sweep': {
      worker.lease.gaveUp(world.now)
      const surplus = worker.lease.takeSurplus(worker.used)
      if (surplus > 0) worker.up.push({ type: 'giveBack', amount: surplus, recalled: false })
      else world.ask(worker)
      return
    }
    case 'kill':
      world.kill(each.who)
      world.start()
  }
}

describe('workers and their book', () => {
  it('never hold more than the limit together, and lose nothing, whoever dies', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 120 }), (limit, workers, steps) => {
        const world = new World(limit, workers)
        for (const each of steps) {
          play(world, each)
          world.check()
          expect(world.quota.leased).toBeLessThanOrEqual(limit)
        }
        for (const worker of [...world.workers]) world.send(world.quota.leave(worker))
        expect(world.quota.leased).toBe(0)
      }),
      { numRuns: 500 },
    )
  })

  it('refuse nothing while there is room: once all is said, what is overdrawn anywhere is free nowhere', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 2, max: 4 }), fc.array(step, { maxLength: 120 }), (limit, workers, steps) => {
        const world = new World(limit, workers)
        for (const each of steps) play(world, each)
        world.settle()
        world.now += askTimeoutMs + shortMs
        const [eager, ...others] = world.workers
        const room = limit - others.reduce((sum, { used }) => sum + used, 0)
        eager!.lease.gaveUp(world.now)
        world.now += shortMs
        for (let i = 0; i < 2 * limit && eager!.used < room; i++) {
          world.use(eager!, 1)
          world.settle()
        }
        expect(eager!.used).toBe(Math.max(room, eager!.used))
        expect(eager!.lease.granted).toBeGreaterThanOrEqual(eager!.used)
      }),
      { numRuns: 300 },
    )
  })

  it('come down to a limit that was lowered when what is in use is given back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 60 }), fc.array(step, { maxLength: 60 }), (limit, lower, steps) => {
        const world = new World(limit, 2)
        for (const each of steps) play(world, each)
        world.limit = lower
        world.send(world.quota.setLimit(lower, shareOf(lower, 2)))
        world.settle()
        for (const worker of world.workers) worker.used = 0
        for (const worker of world.workers) play(world, { do: 'sweep', who: world.workers.indexOf(worker) })
        world.settle()
        world.check()
        expect(world.quota.leased).toBeLessThanOrEqual(lower)
      }),
      { numRuns: 300 },
    )
  })
})
