/** Rules in the whole product: an instance is killed and the webhook hears of it; alerts go on over a restart; a bad rule changes nothing; what would have fired is known. */
import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { until } from '../chaos/wait.ts'
import { Product } from '../support/product.ts'
import type { RuleReport } from '../../src/app/rule-operations.ts'

interface Told {
  readonly at: number
  readonly status: string
  readonly alerts: readonly {
    readonly status: string
    readonly labels: Readonly<Record<string, string>>
    readonly annotations: Readonly<Record<string, string>>
    readonly startsAt: string
  }[]
}

let product: Product
let server: Server
let told: Told[]

beforeEach(async () => {
  product = await Product.create()
  told = []
  server = createServer((request, response) => {
    let text = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    request.on('end', () => {
      told.push({ at: performance.now(), ...(JSON.parse(text) as Omit<Told, 'at'>) })
      response.end()
    })
  })
  server.listen(product.ports.spare, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(async () => {
  server.closeAllConnections()
  server.close()
  expect(await product.end()).toEqual([])
})

const heard = (name: string, status = 'firing'): Told['alerts'][number] | undefined =>
  told.flatMap(({ alerts }) => alerts).find((alert) => alert.labels.alertname === name && alert.status === status)

const alerting = (rules: readonly object[] = []): Readonly<Record<string, unknown>> => ({
  receivers: { ops: { webhook: `http://127.0.0.1:${product.ports.spare}/` } },
  receiver: 'ops',
  rules,
})

it('tells of what is killed within seconds, goes on over a death of the control process, and refuses a bad rule', { timeout: 120_000 }, async () => {
  const always = { name: 'Always', when: 'ready(web) >= 1', labels: { team: 'web' }, annotations: { summary: '{{service}} has {{value}}' } }
  product.configure({ web: { instances: 2 } }, { alerting: alerting([always]) })
  const first = await product.up()
  await until('the first alert at the webhook', () => heard('Always'), 20_000)
  expect(heard('Always')).toMatchObject({ labels: { service: 'web', team: 'web', severity: 'warning' }, annotations: { summary: 'web has 2' } })

  const [instance] = (await product.service()).instances
  const killedAt = performance.now()
  process.kill(instance?.pid ?? 0, 'SIGKILL')
  await until('the death at the webhook', () => heard('InstanceDown'), 20_000)
  expect(heard('InstanceDown')?.labels).toMatchObject({ service: 'web', instance: instance?.id, severity: 'warning' })
  const told5s = told.find(({ alerts }) => alerts.some(({ labels }) => labels.alertname === 'InstanceDown'))
  expect((told5s?.at ?? Infinity) - killedAt).toBeLessThan(5_000)

  const rules = (): Promise<readonly RuleReport[]> => product.ask<readonly RuleReport[]>('/alerts/rules')
  const since = (await rules()).find(({ name }) => name === 'Always')?.alerts[0]?.since
  expect(since).toBeGreaterThan(0)
  first.signal('SIGKILL')
  await first.ended
  await product.up()
  const again = async (): Promise<RuleReport | undefined> => (await rules()).find(({ name }) => name === 'Always')
  await until('the rule after the restart', async () => (((await again())?.evaluations ?? 0) > 2 ? true : undefined), 20_000)
  expect((await again())?.alerts[0]?.since).toBe(since)

  const backtest = await product.run('alerts', 'backtest', 'Always', '--since', '1h')
  expect([backtest.code, backtest.stdout]).toEqual([0, expect.stringContaining('would have fired')])
  const coverage = await product.run('alerts', 'coverage', '--missing')
  expect(coverage.stdout).toMatch(/web +latency +nothing warning/)
  const report = await product.run('alerts', 'report')
  expect([report.code, report.stdout]).toEqual([0, expect.stringMatching(/Always +1 +1 +0%/)])
  const listed = await product.run('alerts', 'rules', '--active')
  expect(listed.stdout).toMatch(/Always +firing/)

  product.configure({ web: { instances: 2 } }, { alerting: alerting([{ ...always, when: 'redy(web) >= 1' }]) })
  const refused = await product.run('up')
  expect(refused.code).toBe(2)
  expect(refused.stderr).toContain('"redy" is no series and no function; did you mean "ready"?')
  expect((await again())?.state).toBe('firing')

  product.configure({ web: { instances: 2 } }, { alerting: alerting() })
  expect((await product.run('up')).code).toBe(0)
  await until('the end of the rule', async () => ((await again()) === undefined ? true : undefined), 10_000)
  await product.down()
})
