/** The engine in virtual time: when checks are made, what is believed, and that none can hold another. */
import { describe, expect, it } from 'vitest'
import { ms, seconds } from '../kernel/time.ts'
import { definition, engine, Scripted } from './testing/scripted.ts'
import type { RememberedCheck } from './ports.ts'

describe('a check', () => {
  it('is suspected, confirmed a second apart, down, and up again', async () => {
    const { checks, clock, events } = engine()
    const probe = new Scripted()
    checks.apply([definition('db', probe)])
    await checks.start()
    await clock.advance(seconds(30))
    expect(checks.get('db').state).toBe('up')
    probe.now = 'fail'
    const before = clock.now()
    while (checks.get('db').state !== 'down') await clock.advance(ms(100))
    expect(clock.now() - before).toBeLessThan(13_500)
    expect(events.of('check.suspected')).toEqual(['db probe'])
    probe.now = 'pass'
    while (checks.get('db').state !== 'up') await clock.advance(ms(100))
    expect(events.of('check.changed')).toEqual(['db down', 'db up'])
    const { uptime = 0 } = checks.get('db')
    expect(uptime).toBeGreaterThan(0.6)
    expect(uptime).toBeLessThan(1)
    checks.stop()
    expect(clock.pending).toBe(0)
  })

  it('that passes once in doubt was a blip, and nobody is told that it is down', async () => {
    const { checks, clock, events } = engine()
    const probe = new Scripted()
    checks.apply([definition('db', probe)])
    await checks.start()
    await clock.advance(seconds(20))
    probe.now = 'fail'
    while (checks.get('db').state !== 'suspect') await clock.advance(ms(50))
    probe.now = 'pass'
    await clock.advance(seconds(5))
    expect(checks.get('db')).toMatchObject({ state: 'up', blips: 1 })
    expect(events.of('check.changed')).toEqual([])
    checks.stop()
  })

  it('is down from the beginning when it never passed, and says so once', async () => {
    const { checks, clock, events } = engine()
    checks.apply([definition('db', new Scripted('fail'))])
    await checks.start()
    await clock.advance(seconds(60))
    expect(events.of('check.changed')).toEqual(['db down'])
    expect(events.told.find(({ type }) => type === 'check.changed')?.data.from).toBe('unknown')
    checks.stop()
  })

  it('that hangs is cut by its timeout; one that ignores that is not started again before it ends', async () => {
    const { checks, clock } = engine()
    const [hanging, deaf] = [new Scripted('hang'), new Scripted('never')]
    checks.apply([definition('hanging', hanging), definition('deaf', deaf)])
    await checks.start()
    await clock.advance(seconds(60))
    expect(checks.get('hanging')).toMatchObject({ state: 'down', message: 'no answer within 2000 ms' })
    expect(checks.get('deaf')).toMatchObject({ state: 'down', message: 'the run before has not come to its end, long after its timeout' })
    expect([hanging.runs > 3, deaf.runs]).toEqual([true, 1])
    checks.stop()
  })

  it('a thousand that hang hold none of the others', async () => {
    const { checks, clock } = engine()
    const quick = Array.from({ length: 100 }, () => new Scripted())
    const hanging = Array.from({ length: 200 }, (_, i) => definition(`h${i}`, new Scripted('hang')))
    checks.apply([...hanging, ...quick.map((probe, i) => definition(`q${i}`, probe))])
    await checks.start()
    await clock.advance(seconds(30))
    checks.takeCounts()
    await clock.advance(seconds(30))
    expect(checks.takeCounts().worstLatenessMs).toBeLessThan(1_000)
    expect(checks.list().filter(({ state }) => state === 'up')).toHaveLength(100)
    checks.stop()
  })

  it('asks one address no more than four times at once', async () => {
    const { checks, clock } = engine()
    const probes = Array.from({ length: 12 }, () => new Scripted('hang'))
    checks.apply(probes.map((probe, i) => definition(`c${i}`, probe, { address: 'db:1', intervalMs: 100, timeoutMs: 2_000 })))
    await checks.start()
    await clock.advance(seconds(1))
    expect(probes.reduce((sum, { runs }) => sum + runs, 0)).toBe(4)
    await clock.advance(seconds(2))
    expect(probes.reduce((sum, { runs }) => sum + runs, 0)).toBe(8)
    checks.stop()
  })

  it('fails beyond its second threshold, warns beyond the first, and shakes at neither', async () => {
    const { checks, clock, events } = engine()
    const probe = new Scripted()
    const at = (value: number): void => {
      probe.now = { outcome: 'pass', message: `${value}% in use`, value, unit: 'percent' }
    }
    at(50)
    checks.apply([
      definition('disk', probe, { address: undefined, warnAt: { value: 80, unit: 'percent' }, criticalAt: { value: 95, unit: 'percent' } }),
    ])
    await checks.start()
    for (const value of [50, 80, 79, 80.5, 78]) {
      at(value)
      await clock.advance(seconds(11))
    }
    expect(checks.get('disk')).toMatchObject({ state: 'up', level: 'warning' })
    at(96)
    await clock.advance(seconds(15))
    expect(checks.get('disk')).toMatchObject({ state: 'down', level: 'critical', message: '96% in use, critical from 95%' })
    at(50)
    await clock.advance(seconds(15))
    expect(events.of('check.levelChanged')).toEqual(['disk warning', 'disk critical', 'disk ok'])
    expect(events.of('check.changed')).toEqual(['disk down', 'disk up'])
    checks.stop()
  })

  it('compares its time with a threshold of time', async () => {
    const { checks, clock } = engine()
    checks.apply([definition('slow', new Scripted('pass'), { warnAt: { value: 0, unit: 'ms' } })])
    await checks.start()
    await clock.advance(seconds(11))
    expect(checks.get('slow')).toMatchObject({ state: 'up', level: 'warning', unit: 'ms' })
    checks.stop()
  })

  it('that could not be made says nothing, and that is told once', async () => {
    const { checks, clock, events } = engine()
    const probe = new Scripted({ outcome: 'inconclusive', message: 'the package pg is not installed' })
    checks.apply([definition('pg', probe)])
    await checks.start()
    await clock.advance(seconds(120))
    expect(checks.get('pg')).toMatchObject({ state: 'unknown', uptime: undefined })
    expect(events.told.map(({ type }) => type)).toEqual(['check.inconclusive'])
    checks.stop()
  })

  it('is made now when asked, and not at all while it is paused', async () => {
    const { checks, clock } = engine()
    const probe = new Scripted()
    checks.apply([definition('db', probe)])
    await checks.start()
    const now = await checks.run('db')
    expect([now.state, probe.runs]).toEqual(['up', 1])
    checks.pause('db')
    await clock.advance(seconds(60))
    expect([checks.get('db').state, probe.runs]).toEqual(['paused', 1])
    await expect(checks.run('db')).rejects.toMatchObject({ code: 'conflict' })
    checks.resume('db')
    await clock.advance(seconds(12))
    expect(checks.get('db').state).toBe('up')
    checks.stop()
  })

  it('answers who waits for a run when it is paused before its turn', async () => {
    const { checks, clock } = engine()
    const hangs = Array.from({ length: 4 }, () => new Scripted('hang'))
    checks.apply([
      ...hangs.map((probe, i) => definition(`hang${i}`, probe, { address: 'db:1' })),
      definition('db', new Scripted(), { address: 'db:1' }),
    ])
    await checks.start()
    for (const [i] of hangs.entries()) void checks.run(`hang${i}`)
    const run = checks.run('db')
    checks.pause('db')
    expect((await run).state).toBe('paused')
    await clock.advance(seconds(3))
    checks.stop()
  })

  it('of a program that waits for what never comes is given up after a minute, and tried again', async () => {
    const { checks, clock } = engine()
    const probe = new Scripted('never')
    await checks.start()
    checks.register(definition('fetch', probe, { kind: 'custom', address: undefined }))
    await clock.advance(seconds(30))
    expect([checks.get('fetch').state, probe.runs]).toEqual(['down', 1])
    probe.now = 'pass'
    await clock.advance(seconds(90))
    expect(checks.get('fetch').state).toBe('up')
    const runs = probe.runs
    probe.now = 'never'
    await clock.advance(seconds(3_600))
    expect([checks.get('fetch').state, checks.get('fetch').message]).toEqual([
      'down',
      expect.stringContaining('the run before has not come to its end'),
    ])
    expect(probe.runs - runs).toBeLessThan(60)
    checks.stop()
  })

  it('goes on over a new configuration where it is the same, and begins anew where it is another', async () => {
    const { checks, clock } = engine()
    const [kept, changed] = [new Scripted(), new Scripted()]
    checks.apply([definition('kept', kept), definition('changed', changed), definition('gone', new Scripted())])
    await checks.start()
    await clock.advance(seconds(12))
    const since = checks.get('kept').since
    checks.apply([
      definition('kept', new Scripted('fail')),
      definition('changed', new Scripted('fail'), { identity: 'other' }),
      definition('new', new Scripted()),
    ])
    expect(checks.list().map(({ name, state }) => `${name} ${state}`)).toEqual(['kept up', 'changed unknown', 'new unknown'])
    expect(checks.get('kept').since).toBe(since)
    expect(() => checks.get('gone')).toThrow('no such check')
    checks.stop()
    expect(clock.pending).toBe(0)
  })

  it('begins late and fails: that tells of us', async () => {
    const { checks, clock } = engine()
    const probe = new Scripted('fail')
    checks.apply([
      ...Array.from({ length: 4 }, (_, i) => definition(`h${i}`, new Scripted('hang'), { address: 'db:1', intervalMs: 100, timeoutMs: 60_000 })),
      definition('late', probe, { address: 'db:1' }),
    ])
    await checks.start()
    await clock.advance(seconds(59))
    expect(probe.runs).toBe(0)
    while (probe.runs === 0) await clock.advance(ms(100))
    await clock.advance(ms(1))
    expect(checks.get('late').last).toMatchObject({ outcome: 'inconclusive', message: 'it began too late to count: fail' })
    checks.stop()
  })
})

describe('over a restart', () => {
  it('what was down is down, what was paused is paused', async () => {
    const kept = new Map<string, RememberedCheck>()
    const memory = {
      load: () => Promise.resolve(Object.fromEntries(kept)),
      save: (name: string, remembered: RememberedCheck | undefined) => {
        if (remembered) kept.set(name, remembered)
        else kept.delete(name)
        return Promise.resolve()
      },
    }
    const first = engine({ memory })
    const definitions = [definition('dead', new Scripted('fail')), definition('asleep', new Scripted()), definition('well', new Scripted())]
    await first.checks.start()
    first.checks.apply(definitions)
    await first.clock.advance(seconds(30))
    first.checks.pause('asleep')
    first.checks.stop()
    expect([...kept.keys()]).toEqual(['dead', 'asleep'])

    const second = engine({ memory })
    await second.checks.start()
    second.checks.apply([...definitions.slice(0, 2)])
    expect(second.checks.list().map(({ state }) => state)).toEqual(['down', 'paused'])
    await second.clock.advance(seconds(60))
    expect(second.events.told).toEqual([])
    second.checks.stop()
  })
})

describe('is it us', () => {
  const fleet = (n: number): { readonly probes: Scripted[]; readonly definitions: ReturnType<typeof definition>[] } => {
    const probes = Array.from({ length: n }, () => new Scripted())
    return { probes, definitions: probes.map((probe, i) => definition(`host${i}`, probe)) }
  }

  it('when everything fails at once: nothing is down, one event, uptime as it was; and it ends by itself', async () => {
    const { checks, clock, events } = engine()
    const { probes, definitions } = fleet(30)
    const local = new Scripted()
    checks.apply([...definitions, definition('here', local, { address: '127.0.0.1:80' })])
    await checks.start()
    await clock.advance(seconds(60))
    for (const probe of probes) probe.now = 'hang'
    await clock.advance(seconds(120))
    expect(checks.list().filter(({ state }) => state === 'down')).toEqual([])
    expect(events.told.map(({ type }) => type).filter((type) => type === 'check.changed' || type === 'network.lost')).toEqual(['network.lost'])
    expect(checks.network).toMatchObject({ blind: true, reason: '10 of 10 unrelated checks fail at once' })
    expect(checks.list().every(({ uptime }) => uptime === 1)).toBe(true)
    local.now = 'fail'
    await clock.advance(seconds(20))
    expect(checks.get('here').state).toBe('down')
    for (const probe of probes) probe.now = 'pass'
    await clock.advance(seconds(30))
    expect(checks.network.blind).toBe(false)
    expect(events.told.filter(({ type }) => type === 'network.recovered')).toHaveLength(1)
    probes[3]!.now = 'fail'
    await clock.advance(seconds(30))
    expect(checks.get('host3').state).toBe('down')
    checks.stop()
  })

  it('not when one of many fails, nor when all of one host do', async () => {
    const { checks, clock } = engine()
    const { probes, definitions } = fleet(10)
    const same = Array.from({ length: 20 }, (_, i) => definition(`same${i}`, new Scripted(), { address: `big:${i}` }))
    checks.apply([...definitions, ...same])
    await checks.start()
    await clock.advance(seconds(30))
    probes[0]!.now = 'hang'
    await clock.advance(seconds(30))
    expect(checks.get('host0').state).toBe('down')
    expect(checks.network.blind).toBe(false)
    checks.stop()
  })

  it('not when fifty go back to the same gateway', async () => {
    const { checks, clock } = engine()
    const gateway = new Scripted()
    const behind = Array.from({ length: 50 }, () => new Scripted())
    checks.apply([definition('gateway', gateway), ...behind.map((probe, i) => definition(`behind${i}`, probe, { dependsOn: ['gateway'] }))])
    await checks.start()
    await clock.advance(seconds(30))
    for (const probe of [gateway, ...behind]) probe.now = 'fail'
    await clock.advance(seconds(30))
    expect(checks.list().filter(({ state }) => state === 'down')).toHaveLength(51)
    checks.stop()
  })

  it('not when all that goes back to the same thing by what was learned fails', async () => {
    const learned = (check: string): string | undefined => (check.startsWith('shop') || check === 'database' ? 'database' : undefined)
    const { checks, clock } = engine({ related: learned })
    const database = new Scripted()
    const shops = Array.from({ length: 20 }, () => new Scripted())
    checks.apply([definition('database', database), ...shops.map((probe, i) => definition(`shop${i}`, probe))])
    await checks.start()
    await clock.advance(seconds(30))
    for (const probe of [database, ...shops]) probe.now = 'fail'
    await clock.advance(seconds(30))
    expect(checks.network.blind).toBe(false)
    expect(checks.list().filter(({ state }) => state === 'down')).toHaveLength(21)
    checks.stop()
  })

  it('is what the canaries say, where there are some', async () => {
    const canaries = [new Scripted(), new Scripted()]
    const { checks, clock } = engine({ canaries: () => canaries })
    const only = new Scripted()
    checks.apply([definition('only', only)])
    await checks.start()
    await clock.advance(seconds(20))
    for (const probe of [only, ...canaries]) probe.now = 'fail'
    await clock.advance(seconds(30))
    expect([checks.get('only').state, checks.network.reason]).toEqual(['suspect', 'none of 2 canaries answers'])
    canaries[0]!.now = 'pass'
    await clock.advance(seconds(30))
    expect([checks.get('only').state, checks.network.blind]).toEqual(['down', false])
    checks.stop()
  })
})

describe('other witnesses', () => {
  it('real traffic that does well outweighs a probe that fails, and the other way round', async () => {
    let recent = { requests: 100, failed: 0 }
    const { checks, clock, events } = engine({ traffic: { recent: () => recent } })
    const probe = new Scripted('fail')
    checks.apply([definition('front', probe, { service: 'shop' })])
    await checks.start()
    await clock.advance(seconds(60))
    expect(checks.get('front')).toMatchObject({ state: 'unknown', level: 'warning', cause: 'probe broken' })
    expect(events.told.map(({ type }) => type)).toContain('check.contradicted')
    expect(events.of('check.changed')).toEqual([])
    recent = { requests: 100, failed: 60 }
    probe.now = 'pass'
    await clock.advance(seconds(30))
    expect(checks.get('front')).toMatchObject({ state: 'suspect', cause: 'traffic' })
    recent = { requests: 100, failed: 0 }
    await clock.advance(seconds(30))
    expect(checks.get('front')).toMatchObject({ state: 'up', cause: undefined })
    checks.stop()
  })

  it('one node against another is no death', async () => {
    let other: 'up' | 'down' = 'up'
    const { checks, clock, events } = engine({ vantages: { of: () => [{ node: 'b', reachable: true, view: other }] } })
    checks.apply([definition('db', new Scripted('fail'))])
    await checks.start()
    await clock.advance(seconds(30))
    expect(checks.get('db').state).not.toBe('down')
    expect(events.of('check.suspected')).toContain('db partial reachability')
    other = 'down'
    await clock.advance(seconds(30))
    expect(checks.get('db').state).toBe('down')
    checks.stop()
  })
})
