import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  brokenTrialMs,
  burstAloneMs,
  burstMs,
  isCrash,
  marksMax,
  markMs,
  Quarantine,
  settleMs,
  slowTrialMs,
  trialMs,
  type Caught,
  type QuarantineOrder,
} from './quarantine.ts'

type Order = QuarantineOrder<string>

const worker = 'worker'
const caughtIn = (endpoint: string, fingerprint: string, more: Partial<Caught> = {}): Caught => ({
  id: Number(fingerprint.replace(/\D/g, '')) || 1,
  service: 'shop',
  label: `GET /${fingerprint}?token=x`,
  fingerprint,
  endpoint,
  reason: 'exit code=1',
  request: `r-${fingerprint}`,
  sentAt: 0,
  trial: false,
  resend: true,
  ...more,
})

class Bench {
  now = 0
  readonly orders: Order[] = []
  readonly quarantine = new Quarantine<string>(() => [worker])

  constructor(endpoints = ['a', 'b', 'c']) {
    this.quarantine.setEndpoints('shop', endpoints)
  }

  do(orders: readonly Order[]): this {
    this.orders.push(...orders)
    for (const order of orders) if (order.type === 'reserve' && order.on) this.do(this.quarantine.quiet(worker, order.endpoint, this.now))
    return this
  }

  caught(caught: Caught): this {
    return this.do(this.quarantine.caught(worker, caught, this.now, this.now))
  }

  crash(endpoint: string): this {
    this.quarantine.gone(endpoint, true, this.now)
    return this
  }

  pass(ms: number): this {
    this.now += ms
    return this.do(this.quarantine.tick(this.now, this.now))
  }

  /** Who was told to go, in order. */
  get gone(): string[] {
    return this.orders.flatMap((order) => (order.type === 'verdict' && order.verdict === 'go' ? [`${order.id} to ${String(order.endpoint)}`] : []))
  }

  verdictOf(id: number): string | undefined {
    return this.orders.flatMap((order) => (order.type === 'verdict' && order.id === id ? [order.verdict] : [])).at(-1)
  }

  get convicted(): string[] {
    return this.orders.flatMap((order) => (order.type === 'convicted' ? [order.request.id] : []))
  }
}

describe('a crash with several requests in flight', () => {
  it('has them tried one by one, the latest first; the one whose second instance dies is the cause, the others go free at once', () => {
    const bench = new Bench().crash('a')
    for (const [fingerprint, sentAt] of [['f1', 10], ['f2', 30], ['f3', 20]] as const) bench.caught(caughtIn('a', fingerprint, { sentAt })) // prettier-ignore
    expect(bench.gone).toEqual([])
    bench.pass(settleMs)
    expect(bench.gone).toEqual(['2 to c'])
    bench.crash('c').caught(caughtIn('c', 'f2', { id: 20, trial: true }))
    expect(bench.convicted).toEqual(['f2'])
    expect([bench.verdictOf(20), bench.verdictOf(1), bench.verdictOf(3)]).toEqual(['poison', 'free', 'free'])
    expect(bench.quarantine.quarantined[0]).toMatchObject({
      label: 'GET /f2?token=x',
      crashes: [{ instance: 'a' }, { instance: 'c', request: 'r-f2' }],
    })
    const told = bench.orders.find((order) => order.type === 'convicted')
    expect(told).toMatchObject({ request: { label: 'GET /f2' } })
    expect(bench.pass(20).quarantine.busy).toBe(false)
  })

  it('goes on to the next when one has its answer, and lets go of whoever looks like it', () => {
    const bench = new Bench()
      .crash('a')
      .caught(caughtIn('a', 'f1', { sentAt: 2 }))
      .caught(caughtIn('a', 'f2', { sentAt: 1 }))
      .pass(settleMs)
    bench.do(bench.quarantine.cleared('f1', bench.now)).do(bench.quarantine.over(worker, 'shop', 1, bench.now))
    expect(bench.gone).toEqual(['1 to c', '2 to c'])
    bench.do(bench.quarantine.cleared('f2', bench.now)).do(bench.quarantine.over(worker, 'shop', 2, bench.now))
    expect(bench.orders.at(-1)).toEqual({ type: 'reserve', endpoint: 'c', on: false })
    expect(bench.quarantine.marks).toEqual([])
  })

  it('holds up nobody for long: a slow trial goes on beside the next, and then neither is alone', () => {
    const bench = new Bench()
      .crash('a')
      .caught(caughtIn('a', 'f1', { sentAt: 2 }))
      .caught(caughtIn('a', 'f2', { sentAt: 1 }))
      .pass(settleMs)
    bench.pass(trialMs)
    expect(bench.gone).toEqual(['1 to c', '2 to c'])
    bench.crash('c').caught(caughtIn('c', 'f2', { id: 9, trial: true }))
    expect([bench.verdictOf(9), bench.convicted]).toEqual(['noted', []])
  })

  it('waits for the news of a trial whose connection broke, and for a while only', () => {
    const begin = (): Bench => {
      const bench = new Bench()
        .crash('a')
        .caught(caughtIn('a', 'f1', { sentAt: 2 }))
        .caught(caughtIn('a', 'f2', { sentAt: 1 }))
        .pass(settleMs)
      bench.quarantine.broke(worker, 'shop', 1, bench.now)
      return bench.pass(brokenTrialMs - 1)
    }
    const told = begin()
    expect(told.gone).toEqual(['1 to c'])
    told.crash('c').caught(caughtIn('c', 'f1', { id: 9, trial: true }))
    expect([told.convicted, told.verdictOf(9), told.verdictOf(2)]).toEqual([['f1'], 'poison', 'free'])
    expect(begin().pass(1).gone).toEqual(['1 to c', '2 to c'])
  })

  it('has patience with one that nobody waits for: what kills slowly is found, too', () => {
    const bench = new Bench()
      .crash('a')
      .caught(caughtIn('a', 'f1'))
      .caught(caughtIn('a', 'f1', { id: 7, sentAt: -1 }))
      .pass(settleMs)
    bench.pass(trialMs).pass(slowTrialMs - trialMs - 1)
    expect(bench.gone).toEqual(['1 to c'])
    bench.crash('c').caught(caughtIn('c', 'f1', { id: 9, trial: true }))
    expect([bench.convicted, bench.verdictOf(7), bench.verdictOf(9)]).toEqual([['f1'], 'poison', 'poison'])
  })

  it('is told apart from one that came a moment before', () => {
    const bench = new Bench(['a', 'b', 'c', 'd']).crash('a').caught(caughtIn('a', 'f1')).pass(settleMs)
    bench.crash('d').caught(caughtIn('d', 'f1', { trial: true }))
    bench.pass(20).crash('b').caught(caughtIn('b', 'f2')).pass(settleMs)
    bench.crash('c').caught(caughtIn('c', 'f2', { trial: true }))
    expect(bench.convicted).toEqual(['f1', 'f2'])
  })

  it('lets everybody go when the trials take too long', () => {
    const bench = new Bench().crash('a')
    for (let i = 1; i <= 100; i++) bench.caught(caughtIn('a', `f${i}`))
    for (let i = 0; i < (burstMs + trialMs) / 100 + 1; i++) bench.pass(100)
    expect([bench.verdictOf(100), bench.quarantine.busy]).toEqual(['free', false])
    expect(bench.gone.length).toBeGreaterThan(30)
  })
})

describe('a service with one instance', () => {
  it('has its suspects tried by the next one, and the others wait for seconds at most', () => {
    const bench = new Bench(['a']).crash('a').caught(caughtIn('a', 'f1')).pass(5_000)
    expect(bench.gone).toEqual([])
    bench.quarantine.setEndpoints('shop', ['a2'])
    bench.pass(20)
    expect(bench.gone).toEqual(['1 to a2'])
    bench
      .caught(caughtIn('x', 'f2'))
      .caught(caughtIn('x', 'f3'))
      .pass(burstAloneMs + trialMs)
    expect([bench.verdictOf(2), bench.verdictOf(3)].includes('free')).toBe(true)
  })
})

describe('two instances that die with a suspect', () => {
  it('prove nothing while others die without it', () => {
    const bench = new Bench(['a', 'b', 'c', 'd']).crash('a').caught(caughtIn('a', 'f1')).pass(settleMs)
    expect(bench.gone).toEqual(['1 to d'])
    bench
      .crash('b')
      .crash('d')
      .caught(caughtIn('d', 'f1', { id: 7, trial: true }))
    expect([bench.verdictOf(7), bench.convicted]).toEqual(['noted', []])
  })

  it('prove nothing when it was not on trial', () => {
    const bench = new Bench()
      .crash('a')
      .caught(caughtIn('a', 'f1'))
      .crash('b')
      .caught(caughtIn('b', 'f1', { id: 2 }))
    expect([bench.convicted, bench.verdictOf(2)]).toEqual([[], undefined])
  })
})

describe('a request that may not be sent twice', () => {
  it('waits for nothing, and is tried when its client sends it again', () => {
    const bench = new Bench().crash('a').caught(caughtIn('a', 'f1', { resend: false }))
    expect(bench.verdictOf(1)).toBe('noted')
    bench
      .pass(10_000)
      .do(bench.quarantine.ask(worker, caughtIn('', 'f1', { id: 2 }), bench.now))
      .pass(settleMs)
    expect(bench.gone).toEqual(['2 to c'])
    bench.crash('c').caught(caughtIn('c', 'f1', { id: 3, trial: true, resend: false }))
    expect([bench.convicted, bench.verdictOf(3)]).toEqual([['f1'], 'poison'])
    bench.do(bench.quarantine.ask(worker, caughtIn('', 'f1', { id: 4 }), bench.now))
    expect(bench.verdictOf(4)).toBe('poison')
  })
})

describe('what is remembered', () => {
  it('is forgotten after an hour, or by hand', () => {
    const bench = new Bench()
      .crash('a')
      .caught(caughtIn('a', 'f1'))
      .pass(settleMs)
      .crash('c')
      .caught(caughtIn('c', 'f1', { trial: true }))
    expect(bench.quarantine.forget('f2')).toBeUndefined()
    expect(bench.quarantine.marks).toHaveLength(1)
    expect(bench.pass(markMs).quarantine.marks).toEqual([])
    expect(bench.orders.at(-1)).toMatchObject({ type: 'mark', mark: 'free', fingerprint: 'f1' })
  })

  it('has a limit', () => {
    const bench = new Bench()
    for (let i = 0; i <= marksMax; i++) bench.caught(caughtIn('a', `f${i}`, { resend: false }))
    expect(bench.quarantine.marks).toHaveLength(marksMax)
    expect(bench.orders.filter((order) => order.type === 'mark' && order.mark === 'free')).toHaveLength(1)
  })
})

describe('a crash', () => {
  it('is what a process does by itself', () => {
    expect(['exit code=1', 'exit code=0', 'exit code=139', 'exit code=unknown', 'exit signal=SIGSEGV', 'exit signal=SIGABRT'].every(isCrash)).toBe(
      true,
    )
    expect(['exit signal=SIGKILL', 'exit signal=SIGTERM', 'exit code=137', 'exit code=143', 'exit', 'removed'].some(isCrash)).toBe(false)
  })
})

it('whatever happens: every request that waits is told, and no endpoint stays reserved', () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant('caught' as const),
      endpoint: fc.constantFrom('a', 'b', 'c'),
      f: fc.integer({ min: 1, max: 5 }),
      trial: fc.boolean(),
    }),
    fc.record({ do: fc.constant('ask' as const), f: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ do: fc.constant('crash' as const), endpoint: fc.constantFrom('a', 'b', 'c') }),
    fc.record({ do: fc.constant('back' as const) }),
    fc.record({ do: fc.constant('clear' as const), f: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 400 }) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const bench = new Bench()
      const asked = new Set<number>()
      let id = 0
      for (const each of steps) {
        if (each.do === 'caught') bench.caught(caughtIn(each.endpoint, `f${each.f}`, { id: ++id, trial: each.trial }))
        else if (each.do === 'ask') bench.do(bench.quarantine.ask(worker, caughtIn('', `f${each.f}`, { id: ++id }), bench.now))
        else if (each.do === 'crash') bench.crash(each.endpoint)
        else if (each.do === 'back') bench.quarantine.setEndpoints('shop', ['a', 'b', 'c'])
        else if (each.do === 'clear') bench.do(bench.quarantine.cleared(`f${each.f}`, bench.now))
        else bench.pass(each.ms)
        if (each.do === 'caught' || each.do === 'ask') asked.add(id)
      }
      bench.quarantine.setEndpoints('shop', ['z'])
      for (let i = 0; i < 80; i++) bench.pass(trialMs)
      for (const each of asked) expect(bench.verdictOf(each)).toBeDefined()
      const reserved = new Map<string, boolean>()
      for (const order of bench.orders) if (order.type === 'reserve') reserved.set(order.endpoint, order.on)
      expect([...reserved.values()].some(Boolean)).toBe(false)
    }),
    { numRuns: 300 },
  )
})
