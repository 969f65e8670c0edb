/** What is done by itself, on the built product: on a check, an alert and an event; what holds it back; and a control process that dies in the midst of it. */
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../chaos/wait.ts'
import { killIfThere, Product, type Settings } from '../support/product.ts'
import { isAlive } from '../../src/kernel/process-identity.ts'

let product: Product

beforeEach(async () => {
  product = await Product.create()
})
afterEach(async () => {
  expect(await product.end()).toEqual([])
})

interface Policy {
  readonly name: string
  readonly runs: number
  readonly againAt: string | null
  readonly refusals: number
  readonly lastRefusal: { readonly reason: string } | null
  readonly lastFailure: { readonly reason: string } | null
  readonly running: boolean
}

const policies = async (): Promise<readonly Policy[]> => (JSON.parse((await product.must('policies', '--json')).stdout) as { data: Policy[] }).data
const policy = async (name: string): Promise<Policy> => (await policies()).find((one) => one.name === name)!

/** All that policies did, would not do, or failed to do. */
async function told(name: string): Promise<string[]> {
  const events = await Promise.all((['policy.ran', 'policy.refused', 'policy.failed'] as const).map((type) => product.events(type)))
  return events
    .flat()
    .filter(({ data }) => data.policy === name)
    .toSorted((a, b) => a.seq - b.seq)
    .map(({ type, data }) => `${type} ${data.action}${'reason' in data ? `: ${data.reason}` : data.dryRun ? ' (dry run)' : ''}`)
}

const isTold = (name: string, what: RegExp): Promise<unknown> =>
  until(`${name}: ${String(what)}`, async () => (await told(name)).some((one) => what.test(one)) || undefined, 20_000)

/** Somebody to be checked, who can be away. */
class Target {
  #server: Server | undefined
  listen(port: number): Promise<void> {
    this.#server = createServer((socket) => socket.on('error', () => undefined).resume())
    return new Promise((resolve) => this.#server?.listen(port, '127.0.0.1', resolve))
  }
  die(): void {
    this.#server?.close()
    this.#server = undefined
  }
}

const crash = async (service: string): Promise<void> => {
  const [pid = 0] = await product.pids(service)
  killIfThere(pid)
  await until('it is another one', async () => ((await product.pids(service).catch(() => []))[0] ?? pid) !== pid || undefined, 20_000)
}

describe('policies', () => {
  it('send all clients to the standby when the main site fails, and back', async () => {
    const [main, standby] = await Promise.all(
      ['main', 'standby'].map(async (name) => {
        const server = createHttpServer((request, response) => void response.end(name)).listen(0, '127.0.0.1')
        await once(server, 'listening')
        return { server, address: `127.0.0.1:${(server.address() as AddressInfo).port}` }
      }),
    )
    const target = new Target()
    const { spare } = product.ports
    await target.listen(spare)
    const over = (name: string, on: string, to: string): Settings => ({ name, on, do: [{ action: 'failover', service: 'site', to }], cooldown: '0s' })
    product.configure(
      {
        site: {
          endpoints: [
            { address: main!.address, version: 'main' },
            { address: standby!.address, version: 'standby' },
          ],
          split: { main: '100%', standby: '0%' },
          routes: [{ path: '/site' }],
        },
      },
      {
        health: { checks: [{ name: 'front', tcp: `127.0.0.1:${spare}`, interval: '200ms', timeout: '200ms', alertAfter: 2, rise: 1 }] },
        policies: [over('away', 'check front down', 'standby'), over('home', 'check front up', 'main')],
      },
    )
    await product.up()
    const answers = async (wanted: string): Promise<true | undefined> => ((await product.get('/site')).text === wanted ? true : undefined)
    await until('main serves', () => answers('main'), 20_000)
    await until('front is up', async () => (await product.ask<{ state: string }>('/health/checks/front')).state === 'up' || undefined, 20_000)
    target.die()
    await isTold('away', /^policy.ran failover$/)
    await until('the standby serves', () => answers('standby'), 5_000)
    await target.listen(spare)
    await isTold('home', /^policy.ran failover$/)
    await until('main serves again', () => answers('main'), 5_000)
    await product.down()
    for (const { server } of [main!, standby!]) server.close()
  }, 60_000)

  it('act on a check, an alert and an event; cooldown, limit, dry run and guards hold them back, each with its reason', async () => {
    const target = new Target()
    const { spare } = product.ports
    await target.listen(spare)
    const act = (name: string, on: string, action: Settings, more: Settings = {}): Settings => ({ name, on, do: [action], cooldown: '0s', ...more })
    product.configure(
      { web: { instances: 1 }, single: { routes: [{ path: '/single' }] }, crew: { instances: 2, routes: [{ path: '/crew' }] } },
      {
        health: { checks: [{ name: 'front', tcp: `127.0.0.1:${spare}`, interval: '200ms', timeout: '200ms', alertAfter: 2, rise: 1 }] },
        policies: [
          act('heal', 'check front down', { action: 'restart', service: 'web' }, { cooldown: '1h' }),
          act('grow', 'alert CheckDown', { action: 'scale', service: 'crew', by: 1, max: 3 }, { match: { check: 'front' } }),
          act('try', 'check front down', { action: 'restart', service: 'web' }, { dryRun: true, limit: '1/h' }),
          act('out', 'instance.exited', { action: 'eject', for: '1h' }, { match: { service: 'single' } }),
          act('loop', 'service.restarted', { action: 'restart' }, { match: { service: 'crew' } }),
          act(
            'note',
            'check front down',
            {
              action: 'command',
              command: `env > ${product.path('env')}; printf %s "$HOLDFAST_EVENT" > ${product.path('event')}; echo 'could not page'; exit 3`,
            },
            { limit: '1/h' },
          ),
          act('hang', 'check front up', { action: 'command', command: `sh -c 'trap "" TERM; sleep 60' & sleep 60`, timeout: '1s' }),
        ],
      },
    )
    const up = product.start(['up'], { env: { SECRET_OF_THE_SHELL: 'hush', JWT_SECRET: 'x'.repeat(40) } })
    await product.serves(up)
    await product.settled(2, 'crew')
    await until('front is up', async () => (await product.ask<{ state: string }>('/health/checks/front')).state === 'up' || undefined, 20_000)
    const before = await product.pids('web')

    target.die()
    await isTold('heal', /^policy.ran restart$/)
    await isTold('grow', /^policy.ran scale$/)
    await isTold('note', /^policy.failed command: expected exit code 0, got 3: could not page$/)
    expect(await told('try')).toEqual(['policy.ran restart (dry run)'])
    expect(await product.pids('web')).not.toEqual(before)
    await product.settled(3, 'crew')
    const env = readFileSync(product.path('env'), 'utf8')
    expect(env).toContain('HOLDFAST_POLICY=note')
    expect(env).toContain('PATH=')
    expect(env).not.toMatch(/SECRET/)
    expect(JSON.parse(readFileSync(product.path('event'), 'utf8'))).toMatchObject({ type: 'check.changed', data: { check: 'front', to: 'down' } })

    // Again: what waits says so.
    await target.listen(spare)
    await isTold('hang', /^policy.failed command: it took longer than 1 s and was killed$/)
    target.die()
    await isTold('heal', /^policy.refused restart: it ran \d+ s ago, and waits 3600 s between two runs$/)
    await isTold('try', /^policy.refused restart: it ran 1 times within 3600 s, which is its limit$/)
    await isTold('grow', /^policy.refused scale: crew has 3 instances already, and may have 3$/)
    expect(await policy('heal')).toMatchObject({ runs: 1, refusals: 1, againAt: expect.stringMatching(/Z$/) as string })

    await product.must('maintenance', 'single', 'off')
    await crash('single')
    await isTold('out', /^policy.refused eject: .*(is the last endpoint of single that could serve|is of no endpoint that is there)$/)

    await product.must('restart', 'crew')
    await isTold('loop', /^policy.ran restart$/)
    await isTold('loop', /^policy.refused restart: service.restarted is what it did itself$/)
    expect(await policy('loop')).toMatchObject({ runs: 1 })
    const { stdout } = await product.must('policies')
    expect(stdout).toMatch(/heal\s+check front down\s+restart web\s+1\s/)
    await product.down()
  }, 120_000)

  it('a control process that is killed in the midst of a command kills it when it is back, tells so, and does not begin again', async () => {
    const marks = product.path('marks')
    product.configure(undefined, {
      policies: [
        {
          name: 'suicide',
          on: 'instance.exited',
          do: [{ action: 'command', command: `echo $$ >> ${marks}; sleep 100`, timeout: '5m' }],
          cooldown: '1h',
        },
      ],
    })
    const first = await product.up()
    await crash('web')
    await until('the command runs', () => existsSync(marks) || undefined, 20_000)
    await until('it is written down', async () => (await policy('suicide')).running || undefined, 20_000)
    const pid = Number(readFileSync(marks, 'utf8'))
    // Its pid is written a moment after it has begun.
    await new Promise((resolve) => setTimeout(resolve, 500))
    first.signal('SIGKILL')
    await first.ended
    expect(isAlive(pid)).toBe(true)
    await product.up()
    await isTold('suicide', /^policy.failed command: holdfast ended in the midst of it, and the command was killed now$/)
    expect(isAlive(pid)).toBe(false)
    await crash('web')
    await isTold('suicide', /^policy.refused command: it ran \d+ s ago, and waits 3600 s between two runs$/)
    expect(readFileSync(marks, 'utf8').trim().split('\n')).toHaveLength(1)

    // A policy and its service that are gone with a reload do nothing, and a command that runs ends with everything else.
    writeFileSync(marks, '')
    product.configure(
      { other: {} },
      {
        policies: [
          {
            name: 'slow',
            on: 'config.applied',
            do: [{ action: 'command', command: `echo $$ > ${marks}; sleep 100`, timeout: '5m' }],
            cooldown: '0s',
          },
        ],
      },
    )
    await product.must('up')
    await until('the new one runs', () => readFileSync(marks, 'utf8') !== '' || undefined, 20_000)
    expect((await policies()).map(({ name }) => name)).toEqual(['slow'])
    await product.down()
    expect(isAlive(Number(readFileSync(marks, 'utf8')))).toBe(false)
  }, 120_000)
})
