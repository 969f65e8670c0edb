import { describe, expect, it } from 'vitest'
import { parseConfig } from '../config/index.ts'
import { exampleUrl } from './example-url.ts'

const listeners = [{ name: 'web', url: 'http://127.0.0.1:8080' }]
const urlFor = (routes: string): string | undefined =>
  exampleUrl(parseConfig(`services: { shop: { command: node server.js, routes: ${routes} } }`).config, listeners)

describe('exampleUrl', () => {
  it.each([
    ['[{ path: / }]', 'http://127.0.0.1:8080/'],
    ['[{ path: /orders }, { path: /api }]', 'http://127.0.0.1:8080/api'],
    ['[{ path: /, host: shop.example }, { path: /health }]', 'http://127.0.0.1:8080/health'],
    ['[{ path: /, methods: [POST] }]', undefined],
  ])('of %s', (routes, url) => {
    expect(urlFor(routes)).toBe(url)
  })

  it('needs the listener', () => {
    expect(exampleUrl(parseConfig('services: { shop: { command: x, routes: [{ path: / }] } }').config, [])).toBeUndefined()
  })
})
