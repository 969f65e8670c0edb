/**
 * Move 2: requests wait for the only instance while it is away, bounded in number, bytes and time. First it is killed every
 * second under load, then it takes its time to come back while ten times as much comes in, with large heads.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { quantileOf } from '../../bench/lib/statistics.ts'
import { killIfThere, type Product } from '../support/product.ts'
import { atLeast, atMost, fact, none, type Figure, type Move, type Scale } from './move.ts'
import { SteadyLoad } from './steady-load.ts'
import { underLoad } from './traffic.ts'

const requestsPerSecond = 200
const killEveryMs = 1_000
/** On top of the boot: the paced release of what has gathered; in the short run also what else a test run does beside it. */
const releaseMs = { full: 20, short: 200 }

export const parking: Move = {
  number: 2,
  name: 'parking',
  title: 'kill -9 of the only instance, then ten times the load while it is away',
  async run(product, scale): Promise<readonly Figure[]> {
    return [...(await hurtTheOnlyOne(product, scale)), ...(await overloadWhileAway(product, scale))]
  },
}

async function hurtTheOnlyOne(product: Product, { full, signal }: Scale): Promise<Figure[]> {
  const kills = full ? 60 : 6
  product.configure({ web: { instances: 1, env: { SERVICE_MS: '2' } } })
  await product.up()
  const calm = await underLoad(product, requestsPerSecond, () => sleep(full ? 10_000 : 2_000))
  let killed = 0
  const traffic = await underLoad(product, requestsPerSecond, async () => {
    for (; killed < kills && !signal.aborted; killed++) {
      const [pid] = await product.pids()
      if (pid !== undefined) killIfThere(pid)
      await sleep(killEveryMs)
    }
  })
  const boots = (await product.events('instance.ready')).map(({ data }) => data.bootMs)
  const { parkedTotal } = (await product.service()).traffic
  await product.down()
  return [
    atLeast('the only instance killed', killed, kills),
    fact('requests', String(traffic.requests)),
    none('failed GET', traffic.failedGet),
    fact('failed POST: in flight at a kill', `${traffic.failedPost} ${traffic.failures}`.trim()),
    fact('parked', String(parkedTotal)),
    fact('boot p50, p99', `${quantileOf(boots, 0.5).toFixed(0)}, ${quantileOf(boots, 0.99).toFixed(0)} ms`),
    atMost(
      'p99 added (over a calm run) against the boot',
      traffic.p99Ms - calm.p99Ms,
      quantileOf(boots, 0.99) + (full ? releaseMs.full : releaseMs.short),
      'ms',
    ),
  ]
}

const capMiB = 16
const headBytes = 12 * 1024
/** Beside what is parked: a connection and its buffers for each client that waits or asks. */
const overheadMiB = 64

async function overloadWhileAway(product: Product, { full }: Scale): Promise<Figure[]> {
  const seconds = full ? 10 : 3
  product.configure({
    web: {
      instances: 1,
      env: { START_MS: String(seconds * 1_000) },
      start: { timeout: '60s' },
      resilience: { parking: { requests: 100_000, bytes: `${capMiB}MiB`, timeout: '60s' } },
    },
  })
  const up = await product.up()
  const [pid] = await product.pids()
  const before = await workerMemory(product)
  if (pid !== undefined) killIfThere(pid)
  const overload = new SteadyLoad({ port: product.ports.web, requestsPerSecond: 10 * requestsPerSecond, headBytes })
  const end = performance.now() + seconds * 1_000
  let peak = 0
  let parked = 0
  overload.start()
  while (performance.now() < end) {
    await sleep(250)
    peak = Math.max(peak, ...(await workerMemory(product)))
    parked = Math.max(parked, (await product.service()).traffic.parked)
  }
  const answers = await overload.stop()
  const stillRuns = up.running ? 0 : 1
  return [
    fact('requests at ten times the load, while nothing is up', `${answers.sent}, ${headBytes / 1024} KiB of head each`),
    atLeast('of these refused with 503 and Retry-After', answers.refused, 1),
    fact('answered 200 when the instance was back', String(answers.ok)),
    none('answered otherwise, or not at all', answers.other),
    fact('parked at once, at most', `${parked} (${((parked * headBytes) / 2 ** 20).toFixed(0)} MiB in ${before.length} workers)`),
    atMost('growth of the largest worker', (peak - Math.min(...before)) / 2 ** 20, capMiB + overheadMiB, 'MiB'),
    none('control processes lost', stillRuns),
  ]
}

async function workerMemory(product: Product): Promise<number[]> {
  return (await product.overview()).proxy?.workers.map(({ memoryBytes }) => memoryBytes) ?? []
}
