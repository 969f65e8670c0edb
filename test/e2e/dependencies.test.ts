/**
 * What is learned of twelve services that call each other: real processes, through the balancer by path and by host, past it, with connections kept and not kept.
 */
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { until } from '../chaos/wait.ts'
import { Product } from '../support/product.ts'
import type { DependencyReport, Impact } from '../../src/app/dependency-operations.ts'
import { freePorts } from '../../bench/lib/process.ts'

const script = fileURLToPath(new URL('../fixtures/caller.mjs', import.meta.url))
let product: Product

beforeEach(async () => {
  product = await Product.create()
})
afterEach(async () => {
  expect(await product.end()).toEqual([])
})

interface Bed {
  /** By name: calls a second through the balancer. */
  readonly calls?: Readonly<Record<string, number>>
  /** Past the balancer, with connections that stay. */
  readonly direct?: Readonly<Record<string, number>>
  readonly holds?: readonly string[]
  readonly keep?: boolean
}

const bed: Readonly<Record<string, Bed>> = {
  gateway: { calls: { shop: 20, catalog: 10, account: 5 } },
  shop: { calls: { cart: 10, payment: 2, catalog: 5 } },
  catalog: { calls: { search: 8, images: 4 } },
  account: { calls: { auth: 10, mail: 1 } },
  cart: { calls: { stock: 5 }, holds: ['store'] },
  payment: { calls: { auth: 2, mail: 1 }, direct: { ledger: 2 } },
  search: { calls: {}, holds: ['store'] },
  images: {},
  auth: { holds: ['store'] },
  mail: {},
  stock: { calls: { mail: 5 }, keep: false, holds: ['store'] },
  ledger: { holds: ['store'] },
}
const expected = Object.entries(bed).flatMap(([from, { calls = {}, direct = {}, holds = [] }]) =>
  [...Object.keys(calls), ...Object.keys(direct), ...holds].map((to) => `${from} → ${to}`),
)

it('of twelve services that call each other, what needs what is learned; strangers are none of them', async () => {
  const [ledger = 0, store = 0] = await freePorts(2)
  const ports: Readonly<Record<string, number>> = { ledger, store }
  const { web } = product.ports
  const services = Object.entries(bed).map(([name, { calls = {}, direct = {}, holds = [], keep = true }]) => {
    const through = Object.entries(calls).map(([to, rate]) => [`http://127.0.0.1:${web}/${to}`, rate] as const)
    const past = Object.entries(direct).map(([to, rate]) => [`http://127.0.0.1:${ports[to]}/`, rate] as const)
    const env = {
      // In one word, so that it is no address to whoever reads the environment.
      CALLS: JSON.stringify(Object.fromEntries([...through, ...past])),
      HOLD: JSON.stringify(holds.map((to) => `127.0.0.1:${ports[to]}`)),
      KEEP: String(keep),
    }
    return [
      name,
      { command: `${process.execPath} ${script}`, env, routes: [{ path: `/${name}` }], ...(name === 'ledger' && { port: ledger }) },
    ] as const
  })
  product.configure({ ...Object.fromEntries(services), store: { endpoints: [`127.0.0.1:${store}`], routes: [{ path: '/store' }] } })
  const { createServer } = await import('node:net')
  const database = createServer((socket) => socket.on('error', () => undefined)).listen(store, '127.0.0.1')
  try {
    await product.up()
    // Somebody else on this machine, who is no service.
    const stranger = setInterval(() => void product.get('/mail').catch(() => undefined), 20)
    let report: DependencyReport | undefined
    const edges = (): string[] => (report?.edges ?? []).map(({ from, to }) => `${from} → ${to}`)
    await until(
      'nine of ten are learned',
      async () => {
        report = await product.ask<DependencyReport>('/dependencies')
        return edges().filter((edge) => expected.includes(edge)).length >= expected.length * 0.9 || undefined
      },
      45_000,
    )
    clearInterval(stranger)
    const wrong = edges().filter((edge) => !expected.includes(edge))
    const missing = expected.filter((edge) => !edges().includes(edge))
    console.log(`learned ${edges().length} of ${expected.length}; wrong: ${wrong.join(', ') || 'none'}; missing: ${missing.join(', ') || 'none'}`)
    expect(wrong.length / edges().length).toBeLessThanOrEqual(0.05)
    const shop = report!.edges.find(({ from, to }) => from === 'gateway' && to === 'shop')!
    expect(shop.why).toMatch(/^learned from [\d,]+ calls \(\d+% of what it calls\), last \d+ s ago$/)
    const impact = await product.ask<Impact>('/dependencies/auth/impact')
    expect(impact.affected.map(({ name }) => name)).toEqual(expect.arrayContaining(['account', 'payment', 'gateway', 'shop']))
    const { stdout } = await product.must('impact', 'auth')
    expect(stdout).toMatch(/^auth down: affects /)
    await product.down()
  } finally {
    database.close()
  }
})
