/** What is done by itself, in virtual time: what sets it off, what holds it back, and that each is told with its reason. */
import { describe, expect, it, vi } from 'vitest'
import { parse } from '../config/testing/configs.ts'
import type { AnyEvent } from '../kernel/events.ts'
import { FakeOperations } from '../api/testing/fake-operations.ts'
import { isAlive } from '../kernel/process-identity.ts'
import { VirtualClock } from '../kernel/testing/virtual-clock.ts'
import { minutes, seconds } from '../kernel/time.ts'
import { MemoryStore } from '../store/index.ts'
import { Policies } from './policies.ts'

const base = 'services: { shop: { command: x, routes: [{ path: / }] } }\nhealth: { checks: [{ name: front, tcp: "a:1" }] }\n'

async function acting(
  policy: string,
  store?: MemoryStore,
): Promise<{
  clock: VirtualClock
  operations: FakeOperations
  policies: Policies
  happens: (event: Partial<AnyEvent>) => Promise<void>
  told: () => string[]
}> {
  const clock = new VirtualClock()
  const operations = new FakeOperations()
  const kept = store ?? new MemoryStore()
  if (!store) await kept.start()
  const { config } = parse(`${base}policies: [${policy}]\n`)
  const policies = new Policies({
    clock,
    events: operations,
    store: kept,
    config: () => config,
    operations: () => operations,
    onProblem: (error) => {
      throw error
    },
  })
  await policies.start()
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
  }
  return {
    clock,
    operations,
    policies,
    happens: async (event) => {
      policies.hear({ id: 'E1', type: 'instance.crashLooping', message: 'it crashes', service: 'shop', data: {}, ...event } as AnyEvent)
      await settle()
    },
    told: () => operations.stored.map(({ type, event }) => `${type} ${(event.data as { reason?: string }).reason ?? ''}`.trim()),
  }
}

describe('a policy', () => {
  it('restarts the service of the event, once within its cooldown, so often an hour, and tells why not', async () => {
    const { happens, operations, told, clock } = await acting('{ name: heal, on: instance.crashLooping, do: [restart], cooldown: 1m, limit: 2/h }')
    await happens({})
    expect(operations.journal).toEqual(['restart shop by policy heal'])
    expect(operations.actors[0]).toMatchObject({ name: 'policy heal', cause: 'E1' })
    for (let i = 0; i < 5; i++) await happens({})
    await clock.advance(minutes(2))
    await happens({})
    await clock.advance(minutes(2))
    await happens({})
    expect(operations.journal).toHaveLength(2)
    expect(told()).toEqual([
      'policy.ran',
      'policy.refused it ran 0 s ago, and waits 60 s between two runs',
      'policy.ran',
      'policy.refused it ran 2 times within 3600 s, which is its limit',
    ])
  })

  it('hears only what it names and matches', async () => {
    const { happens, operations } = await acting(
      '{ name: heal, on: check front down, match: { severity: critical }, do: [{ action: restart, service: shop }], cooldown: 0s }',
    )
    const changed = (check: string, to: string, severity = 'critical'): Promise<void> =>
      happens({ type: 'check.changed', service: undefined, data: { check, to, severity, from: 'up', kind: 'tcp', reason: '' } } as Partial<AnyEvent>)
    await changed('front', 'up')
    await changed('other', 'down')
    await changed('front', 'down', 'warning')
    await happens({})
    expect(operations.journal).toEqual([])
    await changed('front', 'down')
    expect(operations.journal).toEqual(['restart shop by policy heal'])
  })

  it('takes the service from the labels of an alert, and scales no further than it may', async () => {
    const { happens, operations, told } = await acting('{ name: grow, on: alert Slow, do: [{ action: scale, by: 2, max: 3 }], cooldown: 0s }')
    const fires = (): Promise<void> =>
      happens({
        type: 'alert.fired',
        service: undefined,
        data: { fingerprint: 'f', alertname: 'Slow', severity: 'warning', labels: { service: 'shop' } },
      })
    await fires()
    expect(operations.journal).toEqual(['scale shop 3 (policy grow: it crashes) by policy grow'])
    operations.serviceList = operations.serviceList.map((service) => ({ ...service, desired: 3 }))
    await fires()
    expect(told()).toEqual(['policy.ran', 'policy.refused shop has 3 instances already, and may have 3'])
  })

  it('sends all clients to the standby, once, and to none that could not serve them', async () => {
    const { happens, operations, told } = await acting(
      '{ name: over, on: instance.crashLooping, do: [{ action: failover, to: standby }], cooldown: 0s, limit: 9/h }',
    )
    const standby = (changes: object): void => {
      operations.serviceList = operations.serviceList.map((service) => ({
        ...service,
        endpoints: service.endpoints.map((endpoint, i) => (i === 0 ? { ...endpoint, version: 'standby', ...changes } : endpoint)),
      }))
    }
    await happens({})
    standby({ health: 'unhealthy' })
    await happens({})
    expect(operations.journal).toEqual([])
    standby({ health: 'healthy' })
    await happens({})
    expect(operations.journal).toEqual(['split shop {"standby":1} by policy over'])
    vi.spyOn(operations, 'split').mockReturnValue({ ...operations.split('shop'), shares: { standby: 1 } })
    await happens({})
    expect(operations.journal).toHaveLength(1)
    expect(told()).toEqual([
      'policy.refused no endpoint of shop with the version standby could serve',
      'policy.ran',
      'policy.refused all clients of shop are at standby already',
    ])
  })

  it('ejects an endpoint for a while, gives it back, also after a restart, and never takes the last one that works', async () => {
    const store = new MemoryStore()
    await store.start()
    const one = await acting('{ name: out, on: instance.unhealthy, do: [{ action: eject, for: 1m }], cooldown: 0s }', store)
    const sick = { type: 'instance.unhealthy', instance: 'shop-000001' } as Partial<AnyEvent>
    await one.happens(sick)
    expect(one.operations.journal).toEqual(['maintenance {"endpoint":"shop-000001"} true by policy out'])
    one.policies.stop()
    expect(one.clock.pending).toBe(0)

    const two = await acting('{ name: out, on: instance.unhealthy, do: [{ action: eject, for: 1m }], cooldown: 0s }', store)
    const change = (id: string, changes: object): void => {
      two.operations.serviceList = two.operations.serviceList.map((service) => ({
        ...service,
        endpoints: service.endpoints.map((endpoint) => (endpoint.id === id ? { ...endpoint, ...changes } : endpoint)),
      }))
    }
    change('shop-000001', { state: 'maintenance' })
    await two.happens({ ...sick, instance: 'shop-000002' })
    expect(two.told()).toEqual(['policy.refused shop-000002 is the last endpoint of shop that could serve'])
    await two.clock.advance(seconds(61))
    expect(two.operations.journal).toEqual(['maintenance {"endpoint":"shop-000001"} false by policy'])
    expect(await store.list('policies/ejected/')).toEqual([])
  })

  it('runs a command that finds the event, and tells when that fails', async () => {
    const { happens, told } = await acting(
      '{ name: page, on: instance.crashLooping, cwd: /, do: [{ action: command, cwd: /, command: "test $HOLDFAST_SERVICE = shop && echo $HOLDFAST_EVENT | grep -q crashes" }, { action: command, cwd: /, command: "echo no line; exit 4" }] }'.replace(
        ' cwd: /, do',
        ' do',
      ),
    )
    await happens({})
    await expect.poll(() => told(), { timeout: 9_000 }).toEqual(['policy.ran', 'policy.failed expected exit code 0, got 4: no line'])
  })

  it('only says what it would do in a dry run; what it does itself sets off nothing', async () => {
    const { happens, operations, told, policies } = await acting('{ name: heal, on: instance.crashLooping, do: [restart], dryRun: true }')
    await happens({})
    expect([operations.journal, told()]).toEqual([[], ['policy.ran']])
    await happens({ type: 'policy.ran' })
    expect(policies.list()).toMatchObject([{ name: 'heal', runs: 1 }])
  })

  it('tells when what it tried failed', async () => {
    const { happens, operations, told } = await acting('{ name: heal, on: instance.crashLooping, do: [restart, restart] }')
    operations.failure = new Error('the new one never became ready')
    await happens({})
    expect(told()).toEqual(['policy.failed the new one never became ready'])
  })

  it('counts a run of several actions once, also one that failed, and over a restart', async () => {
    const store = new MemoryStore()
    await store.start()
    const policy = '{ name: heal, on: instance.crashLooping, do: [restart, { action: scale, max: 9 }], cooldown: 0s, limit: 2/h }'
    const one = await acting(policy, store)
    await one.happens({})
    expect(one.told()).toEqual(['policy.ran', 'policy.ran'])
    one.policies.stop()
    const two = await acting(policy, store)
    two.operations.failure = new Error('it never became ready')
    await two.happens({})
    two.policies.stop()
    const three = await acting(policy, store)
    expect(three.policies.list()).toMatchObject([{ runs: 2, againAt: expect.any(Number) as number }])
    await three.happens({})
    expect([...two.told(), ...three.told()]).toEqual([
      'policy.failed it never became ready',
      'policy.refused it ran 2 times within 3600 s, which is its limit',
    ])
  })

  it('is written down before it acts: what dies of it does not do it again, and tells that it was cut short', async () => {
    const store = new MemoryStore()
    await store.start()
    const policy = '{ name: page, on: instance.crashLooping, do: [{ action: command, cwd: /, command: "exec sleep 60", timeout: 1m }] }'
    const one = await acting(policy, store)
    await one.happens({})
    await expect
      .poll(async () => (await store.get<{ acting?: { process?: { pid: number } } }>('policies/runs/page'))?.value.acting, { timeout: 9_000 })
      .toMatchObject({ action: 'command', process: { pid: expect.any(Number) as number } })
    const pid = (await store.get<{ acting: { process: { pid: number } } }>('policies/runs/page'))?.value.acting.process.pid ?? 0
    // The one before was killed: it never says that it stopped.
    const two = await acting(policy, store)
    expect(two.told()).toEqual(['policy.failed holdfast ended in the midst of it, and the command was killed now'])
    await expect.poll(() => isAlive(pid), { timeout: 9_000 }).toBe(false)
    await two.happens({})
    expect(two.told()[1]).toMatch(/^policy\.refused it ran \d+ s ago, and waits 300 s between two runs$/)
  })

  it('is not set off by what it did itself, and a storm of two kinds of refusals is two', async () => {
    const { happens, told, policies } = await acting('{ name: heal, on: service.restarted, do: [{ action: scale, max: 1 }], cooldown: 0s }')
    for (let i = 0; i < 10; i++) {
      await happens({ type: 'service.restarted', data: { actor: 'policy heal', instances: 1, replaced: 1 } })
      await happens({ type: 'service.restarted', data: { actor: 'alice', instances: 1, replaced: 1 } })
    }
    expect(told()).toEqual([
      'policy.refused service.restarted is what it did itself',
      expect.stringMatching(/^policy.refused shop has \d+ instances already, and may have 1$/),
    ])
    expect(policies.list()).toMatchObject([{ refusals: 20, on: 'service.restarted', actions: ['scale by 1, up to 1'] }])
  })

  it('gives a command what services get of our environment and no more, and an event that is too large without its data', async () => {
    process.env.HOLDFAST_TEST_SECRET = 'hush'
    const { happens, told } = await acting(
      '{ name: page, on: instance.exited, do: [{ action: command, cwd: /, command: "test -z \\"$HOLDFAST_TEST_SECRET\\" && test -n \\"$PATH\\" && echo $HOLDFAST_EVENT | grep -q truncated" }] }',
    )
    await happens({ type: 'instance.exited', data: { stderrTail: ['x'.repeat(200_000)] } as never })
    await expect.poll(() => told(), { timeout: 9_000 }).toEqual(['policy.ran'])
    delete process.env.HOLDFAST_TEST_SECRET
  })

  it('kills its command when everything stops', async () => {
    const { happens, told, policies } = await acting(
      '{ name: page, on: instance.crashLooping, do: [{ action: command, cwd: /, command: "sleep 60" }] }',
    )
    await happens({})
    policies.stop()
    await expect.poll(() => told(), { timeout: 9_000 }).toEqual(['policy.failed holdfast was stopped meanwhile, and the command was killed'])
  })
})
