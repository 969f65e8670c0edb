/** HTTP rules from the configuration file to the client, and pages that are read when it is applied. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Product } from '../support/product.ts'

let product: Product
let origin: Server

beforeEach(async () => {
  product = await Product.create()
  origin = createServer((request, response) => {
    response.setHeader('content-type', 'text/plain')
    response.end(`${String(request.headers['x-region'])} `.repeat(1_000))
  })
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve))
})
afterEach(async () => {
  origin.close()
  expect(await product.end()).toEqual([])
})

it('rules of a service and its routes reach the client, and a page that is missing changes nothing', async () => {
  const endpoints = [`127.0.0.1:${(origin.address() as AddressInfo).port}`]
  const service = (more: object) => ({
    web: {
      endpoints,
      routes: [{ path: '/' }, { path: '/private', deny: ['127.0.0.0/8'] }],
      compression: true,
      headers: { request: { set: { 'x-region': 'eu' } } },
      ...more,
    },
  })
  product.write('sorry.html', '<h1>sorry</h1>')
  product.configure(service({ errorPages: { '4xx': 'sorry.html' } }))
  await product.up()
  const answer = await product.get('/', { 'accept-encoding': 'gzip' })
  expect([answer.status, answer.headers.get('content-encoding'), answer.headers.get('vary')]).toEqual([200, 'gzip', 'Accept-Encoding'])
  expect(answer.text).toBe('eu '.repeat(1_000))
  const denied = await product.get('/private')
  expect([denied.status, denied.text]).toEqual([403, '<h1>sorry</h1>'])

  const { url = '', token = '' } = product.control ?? {}
  product.configure(service({ errorPages: { '4xx': 'missing.html' } }))
  const refused = await fetch(`${url}/api/infrastructure/config/reload`, { method: 'POST', headers: { Authorization: `Bearer ${token}` } })
  expect(await refused.json()).toMatchObject({ success: false, error: { code: 'page_unreadable' } })
  expect((await product.get('/private')).text).toBe('<h1>sorry</h1>')
  product.configure(service({ errorPages: { '4xx': 'sorry.html' } }))
  await product.down()
})
