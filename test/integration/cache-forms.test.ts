/** The cache over Redis as it is run in earnest: whatever of it dies or stands still, no call hangs, and nothing old is given. */
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createCache, type Cache } from '../../src/cache/index.ts'
import type { RedisFarOptions } from '../../src/cache/types.ts'
import { eventually, freePort, pause } from '../support/balancer-harness.ts'
import { CacheHistory, hardTimeoutMs, type History } from '../support/cache-history.ts'
import { hasRedis, Redis } from '../support/databases.ts'
import { certificates, RedisCluster, RedisSentinels, Wire } from '../support/redis-forms.ts'

/** Time-outs are longer than the default: the machine may be busy, and what is looked at is not how fast it is. */
const patient = { prefix: 'forms:', readTimeoutMs: 200, writeTimeoutMs: 500 } as const

function holds(history: History): void {
  expect(history.wrong.slice(0, 5)).toEqual([])
  expect(history.failed).toBe(0)
  expect(history.slowestMs).toBeLessThan(hardTimeoutMs + 1_000)
  expect(history.reads).toBeGreaterThan(500)
  expect(history.changes).toBeGreaterThan(50)
}

/** Up, hurt, noticed, healed, up again. */
async function hurt(
  redis: (who: number) => RedisFarOptions,
  hurts: readonly (() => void | Promise<void>)[],
  heal: () => void | Promise<void> = () => undefined,
) {
  const history = new CacheHistory(redis)
  try {
    await eventually('all hear', () => history.up())
    await pause(300)
    for (const each of hurts) {
      const before = history.downs
      await each()
      await eventually('it is noticed', () => history.downs > before, 10_000)
      await heal()
      await eventually('all hear again', () => history.up(settled), 20_000)
    }
    await pause(500)
  } catch (error) {
    await history.end()
    throw error
  }
  holds(await history.end())
}

const settled = 1_100

describe.runIf(hasRedis())('the cache of several processes', () => {
  it('over one Redis: killed, stopped, emptied, cut off from one of them', { timeout: 60_000 }, async () => {
    const redis = await Redis.start()
    const wire = await Wire.to(redis.port)
    const cures: (() => void | Promise<void>)[] = [() => redis.start(), () => redis.signal('SIGCONT'), () => wire.mend()]
    const hurts = [
      () => redis.kill(),
      () => redis.signal('SIGSTOP'),
      () => {
        redis.cli('flushall')
        wire.cut()
      },
    ]
    try {
      await hurt(
        (who) => ({ ...patient, url: `redis://127.0.0.1:${who === 0 ? wire.port : redis.port}` }),
        hurts,
        () => cures.shift()?.(),
      )
    } finally {
      await wire.end()
      await redis.end()
    }
  })

  it('behind Sentinels: the master stands still, then dies', { timeout: 60_000 }, async () => {
    const sentinels = await RedisSentinels.start()
    const stopped: Redis[] = []
    try {
      await hurt(
        () => ({ ...patient, sentinel: { name: sentinels.name, nodes: sentinels.nodes } }),
        [
          () => {
            const { master } = sentinels
            stopped.push(master)
            master.signal('SIGSTOP')
          },
          async () => {
            for (const each of stopped) each.signal('SIGCONT')
            await sentinels.master.kill()
          },
        ],
      )
    } finally {
      await sentinels.end()
    }
  })

  it('over a cluster: slots move, a master dies', { timeout: 60_000 }, async () => {
    const cluster = await RedisCluster.start()
    const slot = cluster.slotOf('forms:{key 1}')
    try {
      await hurt(
        () => ({ ...patient, cluster: cluster.urls }),
        [
          async () => {
            await cluster.migrate(slot, 500)
            await cluster.masterOf(cluster.slotOf('forms:seq')).kill()
          },
        ],
      )
    } finally {
      await cluster.end()
    }
  })

  it('behind TLS, as a user who may do just that', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-redis-tls-'))
    const { cert, key } = certificates(folder)
    const tlsPort = await freePort()
    const files = [
      '--tls-port',
      String(tlsPort),
      '--tls-cert-file',
      cert,
      '--tls-key-file',
      key,
      '--tls-ca-cert-file',
      cert,
      '--tls-auth-clients',
      'no',
    ]
    const redis = await Redis.start(...files, '--user', ...'shop on >se:cret ~tls:* &tls:* +@all -@dangerous'.split(' '))
    const said: (string | undefined)[] = []
    const cacheAs = (user: string, ca: string | undefined): Cache =>
      createCache({
        redis: {
          ...patient,
          prefix: 'tls:',
          url: `rediss://${user}@127.0.0.1:${tlsPort}`,
          ...(ca === undefined ? {} : { tls: { ca } }),
          onChange: (up, reason) => said.push(up ? 'up' : reason),
        },
      })
    try {
      const ca = await readFile(cert, 'utf8')
      const one = cacheAs('shop:se%3Acret', ca)
      await eventually('it is up', () => said.at(-1) === 'up')
      await one.set('k', 'v', { tags: ['t'] })
      expect(await one.getOrSet('made', () => 1)).toBe(1)
      await one.close()
      expect(redis.cli('exists', 'tls:{k}', 'tls:{made}')).toBe('2')
      for (const [user, trusted, reason] of [
        ['shop:wrong', ca, 'WRONGPASS'],
        ['shop:se%3Acret', undefined, 'self-signed certificate'],
      ] as const) {
        said.length = 0
        const refused = cacheAs(user, trusted)
        await eventually('it says why not', () => said.some((each) => each?.includes(reason)))
        expect(await refused.getOrSet('k', () => 'made')).toBe('made')
        expect(said.join()).not.toContain('cret')
        await refused.close()
      }
    } finally {
      await redis.end()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
