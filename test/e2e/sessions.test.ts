/** Sessions and splits from the configuration file to the client: what an operator sets, and what outlives the death of the control process. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Product } from '../support/product.ts'

let product: Product
let origins: Server[]

beforeEach(async () => {
  product = await Product.create()
  origins = await Promise.all(
    ['v1', 'v2'].map(async (name) => {
      const server = createServer((request, response) => {
        response.end(`${name} ${request.headers.cookie ?? ''}`)
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
})
afterEach(async () => {
  for (const each of origins) each.close()
  expect(await product.end()).toEqual([])
})

it('a split set by hand moves clients and their sessions, and outlives the control process', async () => {
  const endpoints = origins.map((each, i) => ({ address: `127.0.0.1:${(each.address() as AddressInfo).port}`, version: `v${i + 1}` }))
  const config = { web: { endpoints, routes: ['/'], balance: { sticky: 'hf_web' }, split: { v1: '100%', v2: '0%' } } }
  product.configure(config)
  await product.up()
  const first = await product.get('/')
  expect(first.text).toBe('v1 ')
  const cookie = first.headers.get('set-cookie')!.split(';')[0]!
  const again = await product.get('/', { cookie: `a=1; ${cookie}` })
  expect([again.text, again.headers.get('set-cookie')]).toEqual(['v1 a=1', null])

  const split = async (method: string, body?: object): Promise<{ status: number; body: unknown }> => {
    const { url = '', token = '' } = product.control ?? {}
    const answer = await fetch(`${url}/api/infrastructure/services/web/split`, {
      method,
      headers: { Authorization: `Bearer ${token}`, ...(body && { 'Content-Type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })
    return { status: answer.status, body: await answer.json() }
  }
  expect(await split('PUT', { shares: { v1: 0.5, v3: 0.5 } })).toMatchObject({ status: 400, body: { error: { code: 'invalid_input' } } })
  expect(await split('PUT', { shares: { v1: 0, v2: 1 } })).toMatchObject({
    status: 200,
    body: { data: { source: 'hand', versions: { v1: 1, v2: 1 } } },
  })
  const moved = await product.get('/', { cookie })
  expect(moved.text).toBe('v2 ')
  const cookieNow = moved.headers.get('set-cookie')!.split(';')[0]!

  const shown = await product.must('split', 'web')
  expect(shown.stdout).toMatch(/web is divided by hand/)
  expect(shown.stdout).toMatch(/v1 +0% +1 /)
  expect(shown.stdout).toMatch(/v2 +100% +1 /)
  expect((await product.must('status')).stdout).toMatch(/127\.0\.0\.1:\d+ +web +v2 /)

  process.kill(product.control!.pid, 'SIGKILL')
  expect((await product.get('/', { cookie: cookieNow })).headers.get('set-cookie')).toBeNull()
  await product.up()
  expect((await product.get('/', { cookie: cookieNow })).text).toBe('v2 ')
  await product.must('split', 'web', 'v1=50', 'v2=50')
  expect((await product.run('split', 'web', 'v1=50', 'v9=50')).stderr).toContain('no endpoint has the version v9')
  expect((await product.must('split', 'web', '--reset')).stdout).toMatch(/web is divided as configured/)
  await split('PUT', { shares: { v1: 0, v2: 1 } })
  expect(await split('DELETE')).toMatchObject({ status: 200, body: { data: { source: 'configuration', shares: { v1: 1, v2: 0 } } } })
  expect((await product.get('/', { cookie: cookieNow })).text).toBe('v1 ')
  await product.down()
})
