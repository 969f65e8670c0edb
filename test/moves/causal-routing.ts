/**
 * Move 1: the routing is never behind reality. Instances are killed as fast as they come back, under load; not one request may
 * be sent to an instance later than a millisecond after its exit. The data plane counts that itself, against the time of
 * the exit on the clock that all processes share.
 *
 * A millisecond is less than a process waits for a core on a busy machine. So the instances, which boot all the time, give way to
 * the rest (`nice`), and the load is as light as can be; on a machine that has other things to do the figure says little.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { quantileOf } from '../../bench/lib/statistics.ts'
import { serviceCommand, type Product } from '../support/product.ts'
import { killAsTheyCome } from './kills.ts'
import { atLeast, atMost, exactly, fact, none, type Figure, type Move } from './move.ts'
import { SteadyLoad } from './steady-load.ts'

const instances = 6
const requestsPerSecond = 1_000
/**
 * In the short run, beside everything else that a test run does: a worker that has to wait for a core is late, too. A routing that
 * learned of an exit by probes would be late every time.
 */
const noiseShare = 0.25
/** Readings of the data plane come once a second. */
const readingsMs = 2_500

async function readLateSends(product: Product): Promise<{ told: number; metric: number }> {
  const told = (await product.overview()).proxy?.services.web?.lateSends ?? NaN
  const metrics = await (await fetch(`http://127.0.0.1:${product.ports.metrics}/metrics`)).text()
  return { told, metric: Number(/^holdfast_endpoint_late_sends_total\{[^}]*\} (\S+)$/m.exec(metrics)?.[1] ?? NaN) }
}

export const causalRouting: Move = {
  number: 1,
  name: 'causal-routing',
  title: 'kill -9 of instances as fast as they come back',
  async run(product, scale): Promise<readonly Figure[]> {
    const wanted = scale.full ? 1_000 : 40
    product.configure({ web: { instances, command: `nice -n 10 ${serviceCommand}` } })
    await product.up()
    const load = new SteadyLoad({ port: product.ports.web, requestsPerSecond, headBytes: 0 })
    load.start()
    const kills = await killAsTheyCome(product, { enough: (killed) => killed >= wanted, signal: scale.signal })
    await sleep(readingsMs)
    const { sent, ok, latencies } = await load.stop()
    const late = await readLateSends(product)
    const { retried, parkedTotal } = (await product.service()).traffic
    return [
      atLeast('instances killed', kills, wanted),
      fact('requests', String(sent)),
      atMost('sent later than 1 ms after the exit', late.told, scale.full ? 0 : kills * noiseShare, 'times'),
      exactly('the same, as /metrics has it', late.metric, late.told),
      none('failed GET', sent - ok),
      fact('sent again, parked', `${retried}, ${parkedTotal}`),
      fact('p50, p99', `${quantileOf(latencies, 0.5).toFixed(1)}, ${quantileOf(latencies, 0.99).toFixed(1)} ms`),
    ]
  },
}
