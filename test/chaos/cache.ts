/**
 * `npm run chaos:cache [-- --seconds N --cases one-kill,sentinel-stop]`: hurts the Redis under caches that are read and changed all the time, and holds
 * what was given against the truth. Exit 1 when something old was given, a call took longer than it may, or a hit in memory became slower.
 */
import { parseArgs } from 'node:util'
import { quantileOf } from '../../bench/lib/statistics.ts'
import { createCache, type Cache } from '../../src/cache/index.ts'
import type { RedisFarOptions } from '../../src/cache/types.ts'
import { eventually, pause } from '../support/balancer-harness.ts'
import { CacheHistory, hardTimeoutMs, type History } from '../support/cache-history.ts'
import { Redis } from '../support/databases.ts'
import { RedisCluster, RedisSentinels, Wire } from '../support/redis-forms.ts'

/** What a machine that does something else now and then may add to the slowest of all calls. */
const slackMs = 100
/** Of a hit in memory, while Redis is hurt and before: the 99th percentile. */
const slowerMost = 1.1
/** Values made a second when Redis is back, and before. */
const stampedeMost = 2
const [hitsPerRound, roundEveryMs] = [4_000, 100]

interface Place {
  redis(who: number): RedisFarOptions
  hurt(): void | Promise<void>
  heal(): void | Promise<void>
  end(): Promise<void>
}

const common: Omit<RedisFarOptions, 'url'> = { prefix: 'chaos:' }

async function one(way: 'kill' | 'stop' | 'cut' | 'flush'): Promise<Place> {
  const redis = await Redis.start()
  const wire = await Wire.to(redis.port)
  const hurts = { kill: () => redis.kill(), stop: () => redis.signal('SIGSTOP'), cut: () => wire.cut(), flush: () => void redis.cli('flushall') }
  const cures = { kill: () => redis.start(), stop: () => redis.signal('SIGCONT'), cut: () => wire.mend(), flush: () => undefined }
  return {
    redis: (who) => ({ ...common, url: `redis://127.0.0.1:${who === 0 ? wire.port : redis.port}` }),
    hurt: hurts[way],
    heal: cures[way],
    end: async () => {
      await wire.end()
      await redis.end()
    },
  }
}

async function sentinel(way: 'kill' | 'stop'): Promise<Place> {
  const sentinels = await RedisSentinels.start()
  let hurt: Redis | undefined
  return {
    redis: () => ({ ...common, sentinel: { name: sentinels.name, nodes: sentinels.nodes } }),
    hurt: async () => {
      hurt = sentinels.master
      if (way === 'kill') await hurt.kill()
      else hurt.signal('SIGSTOP')
    },
    heal: () => (way === 'kill' ? hurt?.start() : hurt?.signal('SIGCONT')),
    end: () => sentinels.end(),
  }
}

async function cluster(way: 'kill' | 'stop' | 'move'): Promise<Place> {
  const nodes = await RedisCluster.start()
  let hurt: Redis | undefined
  return {
    redis: () => ({ ...common, cluster: nodes.urls }),
    hurt: async () => {
      if (way === 'move') {
        for (let i = 0; i < 5; i++) await nodes.migrate(nodes.slotOf(`chaos:{key ${i}}`), 400)
        return
      }
      hurt = nodes.masterOf(nodes.slotOf('chaos:seq'))
      if (way === 'kill') await hurt.kill()
      else hurt.signal('SIGSTOP')
    },
    heal: () => (way === 'move' ? undefined : way === 'kill' ? hurt?.start() : hurt?.signal('SIGCONT')),
    end: () => nodes.end(),
  }
}

const cases: Readonly<Record<string, () => Promise<Place>>> = {
  'one-kill': () => one('kill'),
  'one-stop': () => one('stop'),
  'one-cut': () => one('cut'),
  'one-flush': () => one('flush'),
  'sentinel-kill': () => sentinel('kill'),
  'sentinel-stop': () => sentinel('stop'),
  'cluster-kill': () => cluster('kill'),
  'cluster-stop': () => cluster('stop'),
  'cluster-move': () => cluster('move'),
}

/** 99th percentiles of hits in memory, in microseconds, each of one round of many. */
async function hits(cache: Cache, goesOn: () => boolean): Promise<number[]> {
  const rounds: number[] = []
  while (goesOn()) {
    const times: number[] = []
    for (let i = 0; i < hitsPerRound; i++) {
      const began = performance.now()
      await cache.getOrSet(`hot ${i % 100}`, () => i)
      times.push((performance.now() - began) * 1_000)
    }
    rounds.push(quantileOf(times, 0.99))
    await pause(roundEveryMs)
  }
  return rounds
}

interface Result {
  readonly name: string
  readonly history: History
  /** Slower by, in the best tenth of the rounds: the others are what else the machine does. */
  readonly slower: number
  readonly backMs: number
  /** Factory calls a second: before, while it was hurt, and in the three seconds after. */
  readonly factories: readonly [number, number, number]
}

async function run(name: string, start: () => Promise<Place>, seconds: number): Promise<Result> {
  const place = await start()
  const history = new CacheHistory((who) => place.redis(who))
  const hot = createCache({ ttlMs: 600_000, redis: { ...place.redis(1), prefix: 'chaos-hot:' } })
  const rate = async (ms: number): Promise<number> => {
    const before = history.factoryCalls
    const began = performance.now()
    await pause(ms)
    return ((history.factoryCalls - before) * 1_000) / (performance.now() - began)
  }
  try {
    await eventually('all hear', () => history.up(1_000), 30_000)
    let calm = true
    const before = hits(hot, () => calm)
    const normal = await rate(seconds * 1_000)
    calm = false
    const beforeP99 = await before
    await place.hurt()
    let hurt = true
    const during = hits(hot, () => hurt)
    const whileHurt = await rate(seconds * 1_000)
    hurt = false
    const duringP99 = await during
    await place.heal()
    const healedAt = performance.now()
    await eventually('all hear again', () => history.up(), 60_000)
    const backMs = performance.now() - healedAt
    const after = await rate(3_000)
    await eventually('all go on hearing', () => history.up(1_500), 60_000)
    await pause(1_000)
    const slower = quantileOf(duringP99, 0.1) / quantileOf(beforeP99, 0.1)
    return { name, history: await history.end(), slower, backMs, factories: [normal, whileHurt, after] }
  } finally {
    await hot.close()
    await place.end()
  }
}

function judge({ name, history, slower, factories: [normal, , after] }: Result): string[] {
  const faults = history.wrong.slice(0, 3)
  if (history.reads === 0 || history.changes === 0) faults.push('nothing was asked')
  if (history.failed > 0) faults.push(`${history.failed} calls failed`)
  if (history.slowestMs > hardTimeoutMs + slackMs) faults.push(`a call took ${history.slowestMs.toFixed(0)} ms`)
  if (slower > slowerMost) faults.push(`hits in memory were ${slower.toFixed(2)} times as slow`)
  if (after > stampedeMost * normal) faults.push(`${after.toFixed(0)} values a second were made when it was back, ${normal.toFixed(0)} before`)
  return faults.map((fault) => `BROKEN ${name}: ${fault}`)
}

function row({ name, history, slower, backMs, factories }: Result): string {
  const fenced = history.stats.reduce((sum, stats) => sum + stats.fenced, 0)
  const cells = [
    name,
    history.reads,
    history.changes,
    history.wrong.length,
    history.failed,
    history.slowestMs.toFixed(0),
    history.oldestMs.toFixed(0),
    slower.toFixed(2),
    backMs.toFixed(0),
    factories.map((rate) => rate.toFixed(0)).join(' / '),
    fenced,
  ]
  return `| ${cells.join(' | ')} |`
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { seconds: { type: 'string', default: '6' }, cases: { type: 'string', default: Object.keys(cases).join() } },
  })
  const chosen = values.cases.split(',')
  const results: Result[] = []
  for (const name of chosen) {
    const start = cases[name]
    if (start === undefined) throw new Error(`unknown case ${name}; there are ${Object.keys(cases).join(', ')}`)
    console.error(name)
    results.push(await run(name, start, Number(values.seconds)))
  }
  console.log(
    '| case | reads | changes | wrong | failed | slowest ms | oldest ms | p99 of hits, before = 1 | back after ms | factories/s before / hurt / after | fenced |',
  )
  console.log('|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|')
  for (const result of results) console.log(row(result))
  const faults = results.flatMap(judge)
  for (const fault of faults) console.log(fault)
  if (faults.length > 0) process.exitCode = 1
}

try {
  await main()
} catch (error) {
  console.error(`chaos:cache failed: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
