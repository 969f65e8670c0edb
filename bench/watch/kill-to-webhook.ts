/** From the death of an instance to the arrival of the webhook: the built product with nothing but a receiver in its configuration, one instance after the other killed with SIGKILL. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { Product } from '../../test/support/product.ts'
import { until } from '../../test/chaos/wait.ts'
import type { Measurement } from './row.ts'

const runs = 50
/** Between two deaths, so that none is taken for a loop of crashes. */
const pauseMs = 1_500

interface Payload {
  readonly alerts: readonly { readonly status: string; readonly labels: Readonly<Record<string, string>> }[]
}

export const measureKillToWebhook: Measurement = async () => {
  const product = await Product.create()
  const arrived = new Map<string, number>()
  const receiver = createServer((request, response) => {
    let text = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    request.on('end', () => {
      const now = performance.now()
      for (const { status, labels } of (JSON.parse(text) as Payload).alerts) {
        if (status === 'firing' && labels.instance !== undefined && !arrived.has(labels.instance)) arrived.set(labels.instance, now)
      }
      response.end()
    })
  })
  receiver.listen(product.ports.spare, '127.0.0.1')
  await once(receiver, 'listening')
  const took: number[] = []
  try {
    product.configure(
      { web: { instances: 2 } },
      { alerting: { receivers: { ops: { webhook: `http://127.0.0.1:${product.ports.spare}/` } }, receiver: 'ops' } },
    )
    await product.up()
    await product.settled(2)
    await sleep(3_000)
    while (took.length < runs) {
      const victim = (await product.settled(2)).instances[took.length % 2]
      if (victim?.pid === undefined) continue
      const killed = performance.now()
      process.kill(victim.pid, 'SIGKILL')
      const at = await until('the webhook', () => arrived.get(victim.id), 30_000)
      took.push(at - killed)
      await sleep(pauseMs)
    }
    await product.down()
  } finally {
    receiver.closeAllConnections()
    receiver.close()
    await product.end()
  }
  took.sort((a, b) => a - b)
  const [median = 0, worst = 0] = [took[Math.floor(took.length / 2)], took[Math.ceil(took.length * 0.99) - 1]]
  return [
    {
      what: 'kill -9 to webhook, default settings',
      measured: `p50 ${(median / 1_000).toFixed(2)} s, p99 ${(worst / 1_000).toFixed(2)} s`,
      target: 'p99 at most 5 s',
      holds: worst <= 5_000,
      how: `${runs} instances killed one after the other, two of the service running; the built product, the rule InstanceDown that is shipped, from the signal to the request at the receiver`,
    },
  ]
}
