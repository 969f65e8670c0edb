import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Roles, transitionMs, type RoleAnswer, type RoleOutcome } from './roles.ts'

const options = { intervalMs: 1_000 }
const answered = (answer: RoleAnswer): RoleOutcome => ({ type: 'answered', answer })
const pgPrimary = (timeline: number, system = 's'): RoleOutcome => answered({ role: 'primary', system, timeline })
const replica = (more: Partial<RoleAnswer> = {}): RoleOutcome => answered({ role: 'replica', system: 's', lagMs: 0, ...more })
const master = (history: string, ancestor?: string, replicas = 0): RoleOutcome => answered({ role: 'primary', history, ancestor, replicas })
const follower = (history: string): RoleOutcome => answered({ role: 'replica', history })
const lost: RoleOutcome = { type: 'failed', reason: 'refused', lost: true }
const late: RoleOutcome = { type: 'failed', reason: 'no answer', lost: false }

function of(...endpoints: string[]): { roles: Roles; hear: (endpoint: string, outcome: RoleOutcome) => void } {
  const roles = new Roles(options)
  roles.setEndpoints(endpoints)
  return {
    roles,
    hear: (endpoint, outcome) => {
      roles.observe(endpoint, outcome, 0)
    },
  }
}

describe('roles', () => {
  it('believes nobody before everybody has been heard', () => {
    const { roles, hear } = of('a', 'b')
    hear('a', pgPrimary(1))
    expect(roles.primary).toBeUndefined()
    hear('b', replica())
    expect(roles.roles).toEqual({ a: 'primary', b: 'replica' })
  })

  it('one that cannot be reached has been heard', () => {
    const { roles, hear } = of('a', 'b')
    hear('b', lost)
    hear('a', pgPrimary(1))
    expect(roles.roles).toEqual({ a: 'primary', b: 'unknown' })
  })

  it('one that comes later does not unseat the primary until it has been heard', () => {
    const { roles, hear } = of('a')
    hear('a', pgPrimary(1))
    roles.setEndpoints(['a', 'b'])
    expect(roles.primary).toBe('a')
  })

  it('tells each change once, with its reason', () => {
    const roles = new Roles(options)
    roles.setEndpoints(['a'])
    expect(roles.observe('a', pgPrimary(1), 0)).toEqual([{ endpoint: 'a', from: 'unknown', to: 'primary', reason: undefined }])
    expect(roles.observe('a', pgPrimary(1), 1)).toEqual([])
    expect(roles.observe('a', lost, 2)).toEqual([{ endpoint: 'a', from: 'primary', to: 'unknown', reason: 'refused' }])
  })

  it('forgets who is silent twice, and at once who refuses connections', () => {
    const { roles, hear } = of('a')
    hear('a', pgPrimary(1))
    hear('a', late)
    expect(roles.primary).toBe('a')
    hear('a', late)
    expect(roles.primary).toBeUndefined()
  })

  it('keeps what was said before by one that may not be asked any more, until another one takes over', () => {
    const { roles, hear } = of('a', 'b')
    hear('b', replica())
    hear('a', pgPrimary(1))
    hear('a', { type: 'refused', reason: 'wrong password' })
    expect(roles.primary).toBe('a')
    expect(roles.reasonOf('a')).toBe('wrong password')
    hear('b', pgPrimary(2))
    expect(roles.roles).toEqual({ a: 'stale', b: 'primary' })
  })

  it('keeps reads from replicas that are too far behind, or not filled yet', () => {
    const roles = new Roles({ ...options, maxLagMs: 1_000 })
    roles.setEndpoints(['a', 'b', 'c', 'd'])
    roles.observe('a', replica({ lagMs: 1_001 }), 0)
    roles.observe('b', replica({ lagMs: 1_000 }), 0)
    roles.observe('c', replica({ filling: true }), 0)
    roles.observe('d', replica({ lagMs: undefined }), 0)
    expect(roles.roles).toEqual({ a: 'lagging', b: 'replica', c: 'lagging', d: 'replica' })
  })

  it('asks often while there is no primary, and for a while who cannot be reached', () => {
    const { roles, hear } = of('a', 'b')
    expect(roles.waitMs('a', 0)).toBe(transitionMs)
    hear('a', pgPrimary(1))
    hear('b', lost)
    expect(roles.waitMs('a', 0)).toBe(1_000)
    expect(roles.waitMs('b', 9_000)).toBe(transitionMs)
    expect(roles.waitMs('b', 11_000)).toBe(1_000)
  })
})

describe('two primaries of PostgreSQL', () => {
  it('the higher timeline is the primary', () => {
    const { roles, hear } = of('a', 'b')
    hear('b', replica())
    hear('a', pgPrimary(1))
    hear('b', pgPrimary(2))
    expect(roles.roles).toEqual({ a: 'stale', b: 'primary' })
  })

  it('a superseded one is not believed when it is alone, until the other is no endpoint any more', () => {
    const { roles, hear } = of('a', 'b')
    hear('a', lost)
    hear('b', pgPrimary(2))
    hear('b', lost)
    hear('a', pgPrimary(1))
    expect(roles.roles).toEqual({ a: 'stale', b: 'unknown' })
    roles.setEndpoints(['a'])
    expect(roles.primary).toBe('a')
  })

  it('of the same timeline: the one that was the primary stays; without one, none', () => {
    const { roles, hear } = of('a', 'b')
    hear('b', replica())
    hear('a', pgPrimary(2))
    hear('b', pgPrimary(2))
    expect(roles.roles).toEqual({ a: 'primary', b: 'stale' })

    const fresh = of('a', 'b')
    fresh.hear('a', pgPrimary(2))
    fresh.hear('b', pgPrimary(2))
    expect(fresh.roles.primary).toBeUndefined()
    expect(fresh.roles.contested).toEqual(['a', 'b'])
  })

  it('of different data are never weighed against each other', () => {
    const { roles, hear } = of('a', 'b')
    hear('a', pgPrimary(1, 's'))
    hear('b', pgPrimary(7, 't'))
    expect(roles.primary).toBeUndefined()
  })
})

describe('two primaries of Redis', () => {
  it('the one that was promoted from the history of the other is the primary', () => {
    const { roles, hear } = of('a', 'b')
    hear('b', follower('h1'))
    hear('a', master('h1'))
    hear('b', master('h2', 'h1'))
    expect(roles.roles).toEqual({ a: 'stale', b: 'primary' })
    hear('b', lost)
    hear('a', master('h1'))
    expect(roles.primary).toBeUndefined()
  })

  it('one that was restarted empty waits until it is known who has the data', () => {
    const { roles, hear } = of('a', 'b')
    hear('b', follower('h1'))
    hear('a', master('h1'))
    hear('a', lost)
    hear('a', master('h9'))
    expect(roles.primary).toBeUndefined()
    hear('b', follower('h1'))
    expect(roles.primary).toBeUndefined()
    hear('b', master('h2', 'h1'))
    expect(roles.roles).toEqual({ a: 'stale', b: 'primary' })
  })

  it('also when it was so quick that nobody saw it gone', () => {
    const { roles, hear } = of('a', 'b')
    hear('b', follower('h1'))
    hear('a', master('h1'))
    hear('a', master('h9'))
    expect(roles.primary).toBeUndefined()
    hear('b', follower('h9'))
    expect(roles.primary).toBe('a')
  })

  it('one that stands alone may begin anew', () => {
    const { roles, hear } = of('a')
    hear('a', master('h1'))
    hear('a', lost)
    hear('a', master('h9'))
    expect(roles.primary).toBe('a')
  })

  it('unknown to us before: the only one that is followed', () => {
    const { roles, hear } = of('a', 'b')
    hear('a', master('h1'))
    hear('b', master('h2', undefined, 1))
    expect(roles.primary).toBe('b')
  })
})

describe('whatever happens', () => {
  const names = ['a', 'b', 'c']
  const outcome = fc.oneof(
    fc.integer({ min: 1, max: 4 }).map((timeline) => pgPrimary(timeline)),
    fc.constant(replica()),
    fc.constant(lost),
    fc.constant(late),
    fc.constant<RoleOutcome>({ type: 'refused', reason: 'no' }),
  )

  it('there is at most one primary, its timeline never falls, and its last word was that it is one', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...names), outcome), { maxLength: 60 }), (history) => {
        const roles = new Roles(options)
        roles.setEndpoints(names)
        const said = new Map<string, RoleAnswer>()
        let highest = 0
        for (const [endpoint, heard] of history) {
          if (heard.type === 'answered') said.set(endpoint, heard.answer)
          roles.observe(endpoint, heard, 0)
          const primaries = Object.entries(roles.roles).filter(([, role]) => role === 'primary')
          expect(primaries.length).toBeLessThanOrEqual(1)
          expect(primaries[0]?.[0]).toBe(roles.primary)
          if (roles.primary === undefined) continue
          const last = said.get(roles.primary)!
          expect(last.role).toBe('primary')
          expect(last.timeline).toBeGreaterThanOrEqual(highest)
          highest = last.timeline!
        }
      }),
    )
  })
})
