/** Uptime is what the balancer's own log says, also when the control process is killed and the balancer serves on without it. */
import { readdirSync, readFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { until } from '../chaos/wait.ts'
import { Product } from '../support/product.ts'

let product: Product
beforeEach(async () => {
  product = await Product.create()
})
afterEach(async () => {
  expect(await product.end()).toEqual([])
})

interface Day {
  readonly good: number
  readonly bad: number
}
interface Line {
  readonly service?: string
  readonly status: number
}

async function ask(times: number): Promise<void> {
  for (let i = 0; i < times; i++) await product.get(i % 5 === 0 ? '/dead' : '/')
}

const sums = async (service: string): Promise<Day> => {
  const days = await product.ask<readonly Day[]>(`/services/${service}/uptime`)
  return { good: days.reduce((sum, { good }) => sum + good, 0), bad: days.reduce((sum, { bad }) => sum + bad, 0) }
}

it('equals the access log, to the last request', async () => {
  const dead = { endpoints: ['127.0.0.1:1'], routes: ['/dead'], resilience: { parking: 'off' } }
  product.configure({ web: {}, dead }, { log: { access: {} } })
  const first = await product.up()
  await ask(100)
  await until('the counts are written down', async () => ((await sums('web')).good >= 80 ? true : undefined))
  first.signal('SIGKILL')
  await first.ended
  await ask(100)
  await product.up()
  await ask(50)
  const logged = (service: string): Day => {
    const files = readdirSync(product.path('data', 'logs')).filter((name) => name.startsWith('access-'))
    const lines = files
      .flatMap((name) =>
        readFileSync(product.path('data', 'logs', name), 'utf8')
          .trim()
          .split('\n'),
      )
      .map((line) => JSON.parse(line) as Line)
      .filter((line) => line.service === service && line.status >= 100)
    return { good: lines.filter(({ status }) => status < 500).length, bad: lines.filter(({ status }) => status >= 500).length }
  }
  await until('all is counted and logged', async () => {
    const counted = [await sums('web'), await sums('dead')]
    return counted[0]?.good === 200 && counted[1]?.bad === 50 && logged('dead').bad === 50 ? true : undefined
  })
  expect([await sums('web'), await sums('dead')]).toEqual([logged('web'), logged('dead')])
  await product.down()
})
