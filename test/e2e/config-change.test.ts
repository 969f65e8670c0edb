/** The configuration changes while the system runs: whole or not at all, and nothing that is switched meanwhile undoes it. */
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../chaos/wait.ts'
import { Product } from '../support/product.ts'

let product: Product
const origins: Server[] = []

beforeEach(async () => {
  product = await Product.create()
})
afterEach(async () => {
  for (const origin of origins.splice(0)) origin.close()
  expect(await product.end()).toEqual([])
})

/** An endpoint that somebody else runs; resolves with its port. */
async function origin(): Promise<number> {
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/sick' ? 500 : 200
    response.end(request.url)
  })
  origins.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

function put(path: string, body: string, type = 'application/json'): Promise<Response> {
  const { url = '', token = '' } = product.control ?? {}
  return fetch(`${url}/api/infrastructure${path}`, { method: 'PUT', body, headers: { Authorization: `Bearer ${token}`, 'Content-Type': type } })
}

const putConfig = (text: string): Promise<Response> => put('/config', text, 'application/yaml')

const routed = async (path: string): Promise<number> => (await product.get(path)).status

/** The text of a configuration with these services, without making it the file. */
function textOf(services: Parameters<Product['configure']>[0]): string {
  const before = readFileSync(product.configFile)
  product.configure(services)
  const text = readFileSync(product.configFile, 'utf8')
  product.write('holdfast.yml', before.toString())
  return text
}

describe('a configuration by the API', () => {
  it('that cannot be written to its file changes nothing', async () => {
    const endpoints = [`127.0.0.1:${await origin()}`]
    const one = { routes: [{ path: '/one' }], endpoints }
    product.configure({ one, old: { routes: [{ path: '/old' }], endpoints } })
    await product.up()
    expect((await put('/maintenance', JSON.stringify({ service: 'old', enabled: true }))).status).toBe(200)
    const next = textOf({ one, two: { routes: [{ path: '/two' }], endpoints } })
    // A directory in its place: nobody, not even root, can write the file.
    rmSync(product.configFile)
    mkdirSync(product.path('holdfast.yml', 'in the way'), { recursive: true })

    const refused = await putConfig(next)
    expect([refused.status, await refused.json()]).toMatchObject([503, { error: { code: 'config_unwritable' } }])
    expect([await routed('/one'), await routed('/old'), await routed('/two')]).toEqual([200, 503, 404])
    const { services } = await product.overview()
    expect(services.map(({ name, maintenance }) => [name, maintenance])).toEqual([
      ['one', false],
      ['old', true],
    ])

    rmSync(product.configFile, { recursive: true })
    expect((await putConfig(next)).status).toBe(200)
    expect([await routed('/one'), await routed('/old'), await routed('/two')]).toEqual([200, 404, 200])
    expect(readFileSync(product.configFile, 'utf8')).toBe(next)
    await product.down()
  })

  it('is not undone by what is switched while it is applied', async () => {
    const endpoints = [`127.0.0.1:${await origin()}`]
    const one = { routes: [{ path: '/one' }], endpoints }
    product.configure({ one })
    await product.up()
    for (let round = 0; round < 10; round++) {
      const path = `/round-${round}`
      const applied = putConfig(textOf({ one, more: { routes: [{ path }], endpoints } }))
      const switched = Array.from({ length: 5 }, (_, i) => put('/maintenance', JSON.stringify({ service: 'one', enabled: i % 2 === 0 })))
      expect((await Promise.all([applied, ...switched])).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200])
      expect(await routed(path)).toBe(200)
    }
    await product.down()
  })
})

describe('one address in two services', () => {
  it('is judged, counted and switched for each by itself', async () => {
    const address = `127.0.0.1:${await origin()}`
    const health = (path: string): object => ({ path, interval: '100ms', fall: 1, rise: 1 })
    product.configure({
      well: { routes: [{ path: '/well' }], endpoints: [address], health: health('/fine') },
      ill: { routes: [{ path: '/ill' }], endpoints: [address], health: health('/sick') },
    })
    await product.up()
    const stateOf = async (name: string): Promise<unknown> => (await product.service(name)).endpoints.map(({ id, health: is }) => [id, is])
    await until('the one is healthy, the other is not', async () => {
      const states = JSON.stringify([await stateOf('well'), await stateOf('ill')])
      return states === JSON.stringify([[[address, 'healthy']], [[address, 'unhealthy']]]) || undefined
    })
    for (let i = 0; i < 5; i++) expect(await routed('/well')).toBe(200)
    await until('its requests are counted', async () => (await product.service('well')).endpoints[0]?.traffic.requests === 5 || undefined)
    expect((await product.service('ill')).endpoints[0]?.traffic.requests).toBe(0)
    const unhealthy = await product.events('endpoint.unhealthy')
    expect(unhealthy.map(({ service, data }) => [service, data.address])).toEqual([['ill', address]])
    const metrics = await (await fetch(`http://127.0.0.1:${product.ports.metrics}/metrics`)).text()
    expect(metrics).toMatch(new RegExp(`^holdfast_endpoint_requests_total\\{[^}]*service="well",endpoint="${address}"[^}]*\\} 5$`, 'm'))
    await product.down()
  })
})
