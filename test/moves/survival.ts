/**
 * Move 12, the half of survival: the control process is killed again and again under load. Nothing else may notice: the next
 * one takes over the same processes within a second, and starts none of them twice.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { quantileOf } from '../../bench/lib/statistics.ts'
import { Prng } from '../../src/kernel/random.ts'
import { until } from '../chaos/wait.ts'
import type { Product, Running } from '../support/product.ts'
import { atLeast, atMost, exactly, fact, none, type Figure, type Move } from './move.ts'
import { underLoad } from './traffic.ts'

const instances = 3
const requestsPerSecond = 500
/** What is promised; and what the short run, beside everything else that a test run does, takes for broken. */
const adoptionMaxMs = { full: 1_000, short: 3_000 }
/** For so long, at most, nobody is in control. */
const orphanedMaxMs = 400

export const survival: Move = {
  number: 12,
  name: 'survival',
  title: 'kill -9 of the control process, then holdfast up',
  async run(product, { full, signal }): Promise<readonly Figure[]> {
    const wanted = full ? 100 : 6
    const random = new Prng(12)
    product.configure({ web: { instances, env: { SERVICE_MS: '3' } } })
    let control = await product.up()
    const before = await product.pids()
    const processes = product.survivors().length
    const adoptions: number[] = []
    let replaced = 0
    let duplicates = 0
    const traffic = await underLoad(product, requestsPerSecond, async () => {
      for (let turn = 0; turn < wanted && !signal.aborted; turn++) {
        control.signal('SIGKILL')
        await control.ended
        await sleep(random.next() * orphanedMaxMs)
        control = product.start(['up'])
        adoptions.push(await adoption(product, control))
        if (JSON.stringify(await product.pids()) !== JSON.stringify(before)) replaced++
        await product.serves(control)
        duplicates = Math.max(duplicates, product.survivors().length - processes)
      }
    })
    const events = (await product.events('instance.adopted')).length
    return [
      atLeast('control processes killed', adoptions.length, wanted),
      fact('requests', String(traffic.requests)),
      none(`failed ${traffic.failures}`.trim(), traffic.failedGet + traffic.failedPost),
      none('times that an instance was replaced', replaced),
      none('processes too many', duplicates),
      exactly('adoptions recorded', events, Math.min(1_000, adoptions.length * instances)),
      fact('taken over after holdfast up, p50, p99', `${quantileOf(adoptions, 0.5).toFixed(0)}, ${quantileOf(adoptions, 0.99).toFixed(0)} ms`),
      atMost('taken over, slowest', Math.max(...adoptions), full ? adoptionMaxMs.full : adoptionMaxMs.short, 'ms'),
      fact('p50, p99 of requests', `${traffic.p50Ms.toFixed(1)}, ${traffic.p99Ms.toFixed(1)} ms`),
    ]
  },
}

/** From the start of the command until its API answers and every instance is known as ready. */
async function adoption(product: Product, control: Running): Promise<number> {
  await until('the instances are taken over', async () => {
    if (product.control?.pid !== control.pid) return undefined
    const overview = await product.tryOverview()
    return overview?.services[0]?.ready === instances ? true : undefined
  })
  return control.ms
}
