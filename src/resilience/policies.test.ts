/** The faces, in virtual time: behaviour after the scenario lists of resilience4j, cockatiel and Polly. A test ends with no timer left. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ms } from '../kernel/time.ts'
import { VirtualClock } from '../kernel/testing/virtual-clock.ts'
import {
  adaptiveConcurrency,
  breaker,
  bulkhead,
  Budget,
  compose,
  createFaultToleranceSystem,
  fallback,
  hedge,
  rateLimit,
  retry,
  timeout,
  type CallContext,
  type Policy,
} from './index.ts'

let clock: VirtualClock
const random = { next: () => 0.5 }
beforeEach(() => {
  clock = new VirtualClock()
})
afterEach(() => {
  expect(clock.pending).toBe(0)
})

const never = (): Promise<never> => new Promise(() => undefined)
/** Ends after a time, or with the signal's reason. */
const takes =
  (wait: number, value = 'done') =>
  ({ signal }: CallContext): Promise<string> =>
    new Promise((resolve, reject) => {
      const timer = clock.schedule((clock.now() + wait) as ReturnType<typeof clock.now>, () => resolve(value))
      signal.addEventListener('abort', () => {
        timer[Symbol.dispose]()
        reject(signal.reason as Error)
      })
    })
/** The value, or the error's code or message. */
const told = (promise: Promise<unknown>): Promise<unknown> =>
  promise.catch((error: unknown) => (error as { code?: string }).code ?? (error as Error).message)
const failing = (message = 'no'): Promise<never> => Promise.reject(new Error(message))

describe('breaker', () => {
  it('opens, refuses with the time to wait, tries one, and closes', async () => {
    const policy = breaker({ clock, random, name: 'shop', window: { type: 'consecutive', failures: 2 }, halfOpen: { type: 'sample', calls: 1 } })
    const seen: string[] = []
    policy.events.on('changed', ({ from, to }) => seen.push(`${from}>${to}`))
    for (let i = 0; i < 2; i++) await told(policy.execute(() => failing()))
    await expect(policy.execute(() => 'x')).rejects.toMatchObject({ code: 'breaker_open', details: { name: 'shop', retryAfterMs: 5_000 } })
    await clock.advance(ms(5_000))
    expect(await policy.execute(() => 'x')).toBe('x')
    expect(seen).toEqual(['closed>open', 'open>halfOpen', 'halfOpen>closed'])
  })

  it('a caller who gives up, a refusal of our own and a 404 are no failures; a 500 is', async () => {
    const policy = breaker({ clock, window: { type: 'consecutive', failures: 1 } })
    const gone = new AbortController()
    const call = told(policy.execute(takes(100), { signal: gone.signal }))
    gone.abort(new Error('left'))
    expect(await call).toBe('left')
    await told(policy.execute(() => Promise.reject(Object.assign(new Error('x'), { status: 404 }))))
    await told(policy.execute(() => Promise.reject(Object.assign(new Error('x'), { code: 'bulkhead_full' }))))
    expect(policy.state).toBe('closed')
    await policy.execute(() => new Response('', { status: 500 }))
    expect(policy.state).toBe('open')
  })

  it('is kept over a restart', async () => {
    const policy = breaker({ clock, random, window: { type: 'consecutive', failures: 1 } })
    await told(policy.execute(() => failing()))
    const next = breaker({ clock, random })
    next.restore(policy.snapshot())
    expect(next.state).toBe('open')
  })
})

describe('retry', () => {
  it('tries an idempotent call three times, waiting longer each time', async () => {
    const policy = retry({ clock, random, idempotent: true })
    const at: number[] = []
    const result = told(policy.execute(({ attempt }) => (at.push(clock.now()), failing(`try ${attempt}`))))
    await clock.advance(ms(10_000))
    expect(await result).toBe('try 2')
    expect(at).toEqual([0, 50, 150])
  })

  it('does not repeat what may have run, but what never left', async () => {
    const policy = retry({ clock, random })
    const runs = async (code: string): Promise<number> => {
      let n = 0
      const result = told(policy.execute(() => (n++, Promise.reject(Object.assign(new Error('x'), { code })))))
      await clock.advance(ms(1_000))
      await result
      return n
    }
    expect([await runs('ECONNRESET'), await runs('timeout'), await runs('breaker_open'), await runs('ECONNREFUSED')]).toEqual([1, 1, 1, 3])
  })

  it('waits as long as Retry-After says, and fails at once when that is after the deadline', async () => {
    const policy = retry({ clock, random, idempotent: true })
    const busy = Object.assign(new Error('busy'), { status: 503, headers: { 'retry-after': '3' } })
    let n = 0
    const result = policy.execute(() => (n++ === 0 ? Promise.reject(busy) : clock.now()))
    await clock.advance(ms(3_000))
    expect(await result).toBe(3_000)
    expect(await told(policy.execute(() => Promise.reject(busy), { deadline: clock.now() + 2_999 }))).toBe('busy')
  })

  it('never makes more than five attempts, nor more than the budget pays', async () => {
    expect(() => retry({ attempts: 6 })).toThrow('retry: attempts must be a whole number from 1 to 5, got 6')
    const budget = new Budget({ capacity: 1, ratio: 0, perSecond: 0 })
    const policy = retry({ clock, random, idempotent: true, budget })
    let n = 0
    const result = told(policy.execute(() => (n++, failing())))
    await clock.advance(ms(1_000))
    await result
    expect(n).toBe(2)
  })

  it('a caller who gives up while it waits gets its reason at once', async () => {
    const policy = retry({ clock, random, idempotent: true })
    const gone = new AbortController()
    const result = told(policy.execute(() => failing(), { signal: gone.signal }))
    await clock.advance(ms(10))
    gone.abort(new Error('left'))
    expect(await result).toBe('left')
  })
})

describe('timeout', () => {
  it('gives a cooperative call the time to end with its own word', async () => {
    const policy = timeout({ clock, ms: 100 })
    const late = ({ signal }: CallContext): Promise<never> =>
      new Promise((_, reject) => signal.addEventListener('abort', () => clock.schedule((clock.now() + 50) as never, () => reject(new Error('own')))))
    const result = told(policy.execute(late))
    await clock.advance(ms(150))
    expect(await result).toBe('own')
    const plain = policy.execute(takes(200))
    const seen = expect(plain).rejects.toMatchObject({ code: 'timeout', details: { unknownOutcome: true } })
    await clock.advance(ms(400))
    await seen
  })

  it('does not wait for ever for one that does not listen', async () => {
    for (const [mode, after] of [
      ['cooperative', 350],
      ['aggressive', 100],
    ] as const) {
      const policy = timeout({ clock, ms: 100, mode })
      const leaked: number[] = []
      policy.events.on('leaked', ({ afterMs }) => leaked.push(afterMs))
      const result = told(policy.execute(never))
      await clock.advance(ms(1_000))
      expect([await result, leaked]).toEqual(['timeout', [after]])
    }
  })

  it('learns from latency', async () => {
    const policy = timeout({ clock })
    expect(policy.currentMs).toBe(5_000)
    for (let i = 0; i < 20; i++) {
      const result = policy.execute(takes(1_000))
      await clock.advance(ms(1_000))
      await result
    }
    expect(policy.currentMs).toBeGreaterThanOrEqual(3_000)
    expect(policy.currentMs).toBeLessThan(3_400)
  })
})

describe('bulkhead', () => {
  it('runs so many, lets so many wait, refuses the rest, and starts the next in the same tick', async () => {
    const policy = bulkhead({ clock, limit: 1, queue: 1 })
    const results = [1, 2, 3].map((n) => told(policy.execute(takes(100, String(n)))))
    expect(await results[2]).toBe('bulkhead_full')
    expect([policy.running, policy.waiting]).toEqual([1, 1])
    await clock.advance(ms(200))
    expect(await Promise.all(results)).toEqual(['1', '2', 'bulkhead_full'])
    expect([policy.running, policy.waiting]).toEqual([0, 0])
  })

  it('a waiter that gives up, or waits too long, frees its place', async () => {
    const policy = bulkhead({ clock, limit: 1, queue: 1, maxWaitMs: 50 })
    const first = policy.execute(takes(100))
    const gone = new AbortController()
    const second = told(policy.execute(takes(1), { signal: gone.signal }))
    gone.abort(new Error('left'))
    expect([await second, policy.waiting]).toEqual(['left', 0])
    const third = told(policy.execute(takes(1)))
    await clock.advance(ms(100))
    expect([await third, await first]).toEqual(['bulkhead_timeout', 'done'])
  })

  it('serves the newest first when it has been congested for a second', async () => {
    const policy = bulkhead({ clock, limit: 1, queue: 10, maxWaitMs: 10_000 })
    const ran: number[] = []
    const calls = [0, 1, 2, 3].map((n) => policy.execute((context) => (ran.push(n), takes(600)(context))))
    await clock.advance(ms(3_000))
    await Promise.all(calls)
    expect(ran).toEqual([0, 1, 3, 2])
  })

  it('keeps what is guaranteed to a partition', async () => {
    const policy = bulkhead({ clock, limit: 4, partitions: { gold: 0.5 } })
    const results = [1, 2, 3].map(() => told(policy.execute(takes(10))))
    expect(await results[2]).toBe('bulkhead_full')
    const gold = [1, 2, 3].map(() => told(policy.execute(takes(10), { partition: 'gold' })))
    expect(await gold[2]).toBe('bulkhead_full')
    await clock.advance(ms(10))
    expect(await Promise.all([...results, ...gold])).toEqual(['done', 'done', 'bulkhead_full', 'done', 'done', 'bulkhead_full'])
  })

  it('a leaked call keeps its permit until it really ends', async () => {
    const pool = bulkhead({ clock, limit: 1 })
    const policy = compose(pool, timeout({ clock, ms: 10, mode: 'aggressive' }))
    let end: (() => void) | undefined
    const result = told(policy.execute(() => new Promise<void>((resolve) => (end = resolve))))
    await clock.advance(ms(10))
    expect([await result, pool.running]).toEqual(['timeout', 1])
    end?.()
    await clock.advance(ms(1))
    expect(pool.running).toBe(0)
  })

  it('learns its limit', async () => {
    const policy = adaptiveConcurrency({ clock, initial: 10 })
    for (let s = 0; s < 40; s++) {
      const all = Array.from({ length: policy.limit }, () => policy.execute(takes(100)))
      await clock.advance(ms(100))
      await Promise.all(all)
    }
    expect(policy.limit).toBeGreaterThan(11)
  })
})

describe('fallback', () => {
  it('gives the last good answer, then another call, then a value', async () => {
    const policy = fallback({
      clock,
      stale: { maxAgeMs: 1_000 },
      call: (error) => ((error as Error).message.length > 3 ? failing('also') : 'other'),
      value: 'fixed',
    })
    const from: string[] = []
    policy.events.on('used', (event) => from.push(event.from))
    expect(await policy.execute(() => 'good', { key: 'a' })).toBe('good')
    expect(await policy.execute(() => failing(), { key: 'a' })).toBe('good')
    expect(await policy.execute(() => failing(), { key: 'b' })).toBe('other')
    await clock.advance(ms(1_001))
    expect(await policy.execute(() => failing('long'), { key: 'a' })).toBe('fixed')
    expect(from).toEqual(['stale', 'call', 'value'])
  })

  it('that fails gives the original error, with its own as the cause', async () => {
    const policy = fallback({ clock, call: () => failing('second') })
    await expect(policy.execute(() => failing('first'))).rejects.toMatchObject({ message: 'first', cause: { message: 'second' } })
  })

  it('is not for a caller who gave up', async () => {
    const policy = fallback({ clock, value: 'x' })
    expect(await told(policy.execute(() => 'y', { signal: AbortSignal.abort(new Error('left')) }))).toBe('left')
  })
})

describe('rate limit', () => {
  it('refuses by key, with the fields that say so', async () => {
    const policy = rateLimit({ clock, rate: 2 })
    expect(await Promise.all(['a', 'a', 'a', 'b'].map((key) => told(policy.execute(() => 'ok', { key }))))).toEqual([
      'ok',
      'ok',
      'rate_limited',
      'ok',
    ])
    expect(policy.take('a').fields).toEqual({ 'ratelimit-policy': '"default";q=2;w=1', ratelimit: '"default";r=0;t=1', 'retry-after': '1' })
  })
})

describe('hedge', () => {
  it('starts a second attempt after the delay; the first success wins and the other is aborted', async () => {
    const policy = hedge({ clock, idempotent: true, delayMs: 20 })
    let n = 0
    let aborted = false
    const result = policy.execute((context) => {
      context.signal.addEventListener('abort', () => (aborted = true))
      return takes(n++ === 0 ? 1_000 : 5, `attempt ${context.attempt}`)(context)
    })
    await clock.advance(ms(25))
    expect([await result, aborted, n]).toEqual(['attempt 1', true, 2])
  })

  it('a hedge that fails is not the failure of the call; two are', async () => {
    const policy = hedge({ clock, idempotent: true, delayMs: 20 })
    let n = 0
    const good = policy.execute((context) => (n++ === 0 ? takes(100)(context) : failing()))
    await clock.advance(ms(100))
    expect(await good).toBe('done')
    expect(await told(policy.execute(() => failing('at once')))).toBe('at once')
  })

  it('hedges at most what its budget pays, and only when asked to', async () => {
    const policy = hedge({ clock, idempotent: true, delayMs: 1 })
    let runs = 0
    for (let i = 0; i < 400; i++) {
      const result = policy.execute((context) => (runs++, takes(2)(context)))
      await clock.advance(ms(3))
      await result
    }
    expect(runs - 400).toBeLessThanOrEqual(30)
    expect(runs - 400).toBeGreaterThanOrEqual(28)
    expect(() => hedge({ idempotent: false as never })).toThrow('may run twice')
  })
})

describe('compose', () => {
  it('says when the order is wrong', () => {
    const wrong: Policy[][] = [
      [breaker(), retry()],
      [timeout(), bulkhead({ limit: 1 }), rateLimit({ rate: 1 })],
      [retry(), retry()],
    ]
    for (const policies of wrong) expect(() => compose(...policies)).toThrow('cannot be inside')
    expect(() => compose(timeout(), retry(), breaker(), timeout())).not.toThrow()
  })

  it('an open breaker ends the retries; the breaker sees attempts', async () => {
    const guard = breaker({ clock, random, window: { type: 'consecutive', failures: 2 } })
    const policy = compose(fallback({ clock, value: 'instead' }), retry({ clock, random, idempotent: true }), guard, timeout({ clock, ms: 100 }))
    let n = 0
    const result = policy.execute(() => (n++, failing()))
    await clock.advance(ms(1_000))
    expect([await result, n, guard.state]).toEqual(['instead', 2, 'open'])
  })

  it('begins nothing after the deadline', async () => {
    const policy = compose(retry({ clock, random }), bulkhead({ clock, limit: 1 }))
    expect(await told(policy.execute(() => 'x', { deadline: 0 }))).toBe('deadline_exceeded')
  })
})

it("the brief's example runs as it stands", async () => {
  const getFaultToleranceSystem = (): ReturnType<typeof createFaultToleranceSystem> => system
  const system = createFaultToleranceSystem({ clock, random })
  const faultTolerance = getFaultToleranceSystem()
  await faultTolerance.registerCircuitBreaker('payment-service', {
    failureThreshold: 5,
    timeout: 30000,
    resetTimeout: 60000,
    retryPolicy: { maxRetries: 3, backoffStrategy: 'exponential' },
  })
  let n = 0
  const pay = (): Promise<unknown> => told(faultTolerance.execute('payment-service', () => (n++, failing('declined'))))
  const results = [pay()]
  await clock.advance(ms(10_000))
  results.push(pay())
  await clock.advance(ms(10_000))
  expect(await Promise.all(results)).toEqual(['declined', 'breaker_open'])
  expect([n, faultTolerance.getCircuitBreaker('payment-service')?.state]).toEqual([5, 'open'])
  await clock.advance(ms(60_000))
  expect(await faultTolerance.execute('payment-service', () => 'paid')).toBe('paid')
  await expect(faultTolerance.execute('other', () => 1)).rejects.toMatchObject({ code: 'breaker_unknown' })
  expect(await told(faultTolerance.registerCircuitBreaker('payment-service', { failureThreshold: 1, timeout: 1, resetTimeout: 1 }))).toBe(
    'breaker_exists',
  )
})
