import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BalanceAlgorithm } from '../../config/types.ts'
import { balanceAlgorithms } from '../../config/types.ts'
import { Prng } from '../../kernel/random.ts'
import { instant } from '../../kernel/time.ts'
import { Endpoint } from './endpoint.ts'
import { hash32 } from './hash.ts'
import { addressKey, Picker } from './picker.ts'
import type { EndpointView } from './routing-view.ts'
import { wellStanding } from './weight.ts'

const endpoint = (id: string, more: Partial<EndpointView> = {}): Endpoint =>
  new Endpoint({ id, host: '127.0.0.1', port: 1, weight: 1, state: 'active', ...more }, 's')

const picker = (algorithm: BalanceAlgorithm, seed = 1): Picker => new Picker({ algorithm, random: new Prng(seed) })

const pick = (
  chooser: Picker,
  endpoints: readonly Endpoint[],
  more: { now?: number; key?: string; tried?: readonly Endpoint[] } = {},
): Endpoint | undefined => chooser.pick(endpoints, { now: more.now ?? 0, key: () => more.key ?? 'k', tried: more.tried ?? [] })

/** How often each is picked; what is picked stays in flight when `hold`. */
function distribution(chooser: Picker, endpoints: readonly Endpoint[], picks: number, hold = false, now = 0): number[] {
  const counts = endpoints.map(() => 0)
  for (let i = 0; i < picks; i++) {
    const chosen = pick(chooser, endpoints, { key: `key-${i}`, now })!
    counts[endpoints.indexOf(chosen)]!++
    if (hold) chosen.active++
  }
  return counts
}

const near = (actual: readonly number[], shares: readonly number[], tolerance: number): void => {
  const total = actual.reduce((sum, each) => sum + each, 0)
  const whole = shares.reduce((sum, each) => sum + each, 0)
  actual.forEach((count, index) => {
    expect(Math.abs(count / total - shares[index]! / whole)).toBeLessThan(tolerance)
  })
}

describe('a request that cannot be sent again', () => {
  const doubted = (algorithm: BalanceAlgorithm, now: number, failing: (pool: readonly Endpoint[]) => readonly Endpoint[]): Set<string> => {
    const pool = [endpoint('a'), endpoint('b'), endpoint('c')]
    for (const each of failing(pool)) {
      each.errorRun = 1
      each.ranAt = 0
    }
    const chooser = picker(algorithm)
    const seen = new Set<string>()
    for (let i = 0; i < 60; i++) seen.add(chooser.pick(pool, { now, key: () => `k${i}`, tried: [], onlyOnce: true })!.id)
    return seen
  }

  it.each(balanceAlgorithms)('%s: goes to who has not just failed others, as long as there is one', (algorithm) => {
    expect(doubted(algorithm, 10, ([a]) => [a!]).has('a')).toBe(false)
    expect(doubted(algorithm, 10, (pool) => pool).size).toBeGreaterThan(0)
  })

  it('a failure of long ago does not count: the service may get no other requests that would clear it', () => {
    expect(doubted('round-robin', 1_000, ([a]) => [a!]).has('a')).toBe(true)
  })
})

describe('each algorithm', () => {
  it('round-robin takes equal turns, and with weights turns by weight', () => {
    expect(distribution(picker('round-robin'), [endpoint('a'), endpoint('b'), endpoint('c')], 9)).toEqual([3, 3, 3])
    expect(distribution(picker('round-robin'), [endpoint('a', { weight: 5 }), endpoint('b'), endpoint('c')], 700)).toEqual([500, 100, 100])
  })

  it('round-robin gives who comes, or comes back, its turn, and no burst', () => {
    const [a, b, c] = [endpoint('a', { weight: 2 }), endpoint('b'), endpoint('c')]
    const chooser = picker('round-robin')
    distribution(chooser, [a, b], 3_000)
    near(distribution(chooser, [a, b, c], 40), [2, 1, 1], 0.03)
    distribution(chooser, [a, b], 3_000)
    near(distribution(chooser, [a, b, c], 40), [2, 1, 1], 0.03)
  })

  it.each(balanceAlgorithms)('%s: the shares follow the weights, whatever they are', (algorithm) => {
    const pools = fc.array(fc.record({ weight: fc.integer({ min: 1, max: 10 }), lagMs: fc.constantFrom(0, 0, 100, 500) }), {
      minLength: 2,
      maxLength: 6,
    })
    fc.assert(
      fc.property(pools, fc.nat(), (pool, seed) => {
        const endpoints = pool.map(({ weight, lagMs }, index) => {
          const made = endpoint(`e${index}`, { weight })
          made.standing = { ...wellStanding, lagMs }
          return made
        })
        // Nothing is in flight: that a busy one gets less is another matter.
        const shares = endpoints.map((each) => each.explainWeight(0, 10).weight)
        near(distribution(picker(algorithm, seed), endpoints, 6_000), shares, 0.035)
      }),
      { numRuns: 25 },
    )
  })

  it('weighted-round-robin takes turns by weight, spread out', () => {
    const endpoints = [endpoint('a', { weight: 5 }), endpoint('b'), endpoint('c')]
    const chooser = picker('weighted-round-robin')
    const order = Array.from({ length: 7 }, () => pick(chooser, endpoints)!.id).join('')
    expect(order).toBe('aabacaa')
    expect(distribution(chooser, endpoints, 700)).toEqual([500, 100, 100])
  })

  it('least-connections fills up by weight', () => {
    const endpoints = [endpoint('a', { weight: 3 }), endpoint('b'), endpoint('c')]
    near(distribution(picker('least-connections'), endpoints, 1_000, true), [3, 1, 1], 0.01)
    const idle = [endpoint('a'), endpoint('b')]
    expect(distribution(picker('least-connections'), idle, 10)).toEqual([5, 5])
  })

  it('least-connections counts ten tunnels as one request', () => {
    const [a, b] = [endpoint('a'), endpoint('b')]
    a.tunnels = 9
    b.active = 1
    expect(pick(picker('least-connections'), [a, b])).toBe(a)
    a.tunnels = 11
    expect(pick(picker('least-connections'), [a, b])).toBe(b)
  })

  it('random draws by weight', () => {
    near(distribution(picker('random'), [endpoint('a', { weight: 3 }), endpoint('b'), endpoint('c', { weight: 6 })], 10_000), [3, 1, 6], 0.02)
  })

  it.each(['ip-hash', 'consistent-hash'] as const)('%s spreads keys by weight', (algorithm) => {
    near(distribution(picker(algorithm), [endpoint('a', { weight: 2 }), endpoint('b'), endpoint('c')], 10_000), [2, 1, 1], 0.02)
  })

  it('p2c-ewma prefers the faster and the less busy, and spreads what is equal', () => {
    const [fast, slow] = [endpoint('fast'), endpoint('slow')]
    fast.answered(10, instant(0))
    slow.answered(100, instant(0))
    near(distribution(picker('p2c-ewma'), [fast, slow], 1_100, true), [10, 1], 0.02)
    near(
      distribution(
        picker('p2c-ewma'),
        Array.from({ length: 8 }, (_, i) => endpoint(`e${i}`)),
        8_000,
        true,
      ),
      Array(8).fill(1),
      0.02,
    )
    near(distribution(picker('p2c-ewma'), [endpoint('a', { weight: 3 }), endpoint('b')], 400, true), [3, 1], 0.02)
  })

  it('p2c-ewma gives a cold endpoint the typical latency, not all the traffic', () => {
    const known = Array.from({ length: 5 }, (_, i) => endpoint(`k${i}`))
    for (const each of known) each.answered(20, instant(0))
    near(distribution(picker('p2c-ewma'), [...known, endpoint('cold')], 6_000, true), Array(6).fill(1), 0.03)
  })

  it.each(balanceAlgorithms.filter((each) => each !== 'p2c-ewma'))('%s starts a newcomer slowly', (algorithm) => {
    const old = endpoint('old')
    const young = endpoint('young')
    young.warm(1_000, 10_000)
    const share = (now: number): number => {
      old.active = 0
      young.active = 0
      const [a, b] = distribution(picker(algorithm), [old, young], 2_200, algorithm === 'least-connections', now)
      return b! / (a! + b!)
    }
    expect(share(1_000)).toBeCloseTo(1 / 11, 1)
    expect(share(6_000)).toBeCloseTo(1 / 3, 1)
    expect(share(11_000)).toBeCloseTo(1 / 2, 1)
  })
})

describe('hashing', () => {
  const keys = Array.from({ length: 4_000 }, (_, i) => `key-${i}`)

  it.each(['ip-hash', 'consistent-hash'] as const)('%s moves only the keys of who goes, and takes only its share for who comes', (algorithm) => {
    const endpoints = Array.from({ length: 6 }, (_, i) => endpoint(`e${i}`))
    const chooser = picker(algorithm)
    const owner = (members: readonly Endpoint[]): Map<string, Endpoint> => new Map(keys.map((key) => [key, pick(chooser, members, { key })!]))
    const before = owner(endpoints)
    const without = owner(endpoints.slice(1))
    for (const key of keys) if (before.get(key) !== endpoints[0]) expect(without.get(key)).toBe(before.get(key))
    const joined = endpoint('new')
    const after = owner([...endpoints, joined])
    const moved = keys.filter((key) => after.get(key) !== before.get(key))
    expect(moved.every((key) => after.get(key) === joined)).toBe(true)
    expect(moved.length / keys.length).toBeCloseTo(1 / 7, 1)
  })

  it('consistent-hash never loads one endpoint above 150 % of its share', () => {
    const endpoints = Array.from({ length: 5 }, (_, i) => endpoint(`e${i}`, { weight: i === 0 ? 2 : 1 }))
    const chooser = picker('consistent-hash')
    for (let i = 0; i < 600; i++) pick(chooser, endpoints, { key: 'everybody wants this' })!.active++
    for (const each of endpoints) expect(each.active).toBeLessThanOrEqual(Math.ceil((1.5 * 601 * each.view.weight) / 6))
    expect(Math.max(...endpoints.map(({ active }) => active))).toBeGreaterThan(150)
  })

  it('ip-hash stays with one endpoint whatever its load', () => {
    const endpoints = Array.from({ length: 5 }, (_, i) => endpoint(`e${i}`))
    const first = pick(picker('ip-hash'), endpoints, { key: '10.0.0.1' })!
    first.active = 1_000
    expect(pick(picker('ip-hash'), endpoints, { key: '10.0.0.1' })).toBe(first)
  })

  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::9', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
  ])('the key of %s is %s', (address, key) => {
    expect(addressKey(address)).toBe(key)
  })

  it('is even over similar keys', () => {
    const buckets = new Array<number>(16).fill(0)
    for (let i = 0; i < 16_000; i++) buckets[hash32(`10.0.${i >> 8}.${i & 255}`) >>> 28]!++
    for (const bucket of buckets) expect(Math.abs(bucket - 1_000)).toBeLessThan(150)
  })
})

describe('no algorithm', () => {
  const kind = fc.constantFrom('good', 'draining', 'maintenance', 'gone', 'weightless', 'avoided', 'tried', 'unhealthy' as const)

  it('ever picks what may not be picked, and all take the unhealthy only when nothing else is left, or in panic', () => {
    fc.assert(
      fc.property(fc.constantFrom(...balanceAlgorithms), fc.array(kind, { maxLength: 7 }), fc.nat(), (algorithm, kinds, seed) => {
        const kindOf = new Map<Endpoint, string>()
        const endpoints = kinds.map((each, index) => {
          const state = each === 'draining' || each === 'maintenance' ? each : 'active'
          const made = endpoint(`e${index}`, { state, weight: each === 'weightless' ? 0 : 1 + (index % 3) })
          if (each === 'gone') made.gone = 'exit code=1'
          if (each === 'avoided') made.failed(0, true)
          if (each === 'unhealthy') made.healthy = false
          made.active = index
          kindOf.set(made, each)
          return made
        })
        const tried = endpoints.filter((each) => kindOf.get(each) === 'tried')
        const chooser = picker(algorithm, seed)
        for (let i = 0; i < 5; i++) {
          const chosen = pick(chooser, endpoints, { tried, key: `${seed} ${i}` })
          const good = kinds.filter((each) => each === 'good' || each === 'tried').length
          const configured = kinds.filter((each) => !['draining', 'maintenance', 'weightless'].includes(each)).length
          const panic = configured >= 4 && good * 2 < configured
          const expected = ['good', 'unhealthy'].filter((each) => kinds.includes(each as 'good'))
          const found = chosen && kindOf.get(chosen)
          if (panic) expect(expected.length === 0 ? [undefined] : expected).toContain(found)
          else expect(found).toBe(expected[0])
        }
      }),
      { numRuns: 600 },
    )
  })
})
