import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildApi } from './app.ts'
import { apiBase } from './deps.ts'
import { answerTypes } from './testing/answer-types.ts'
import { ask, harness, routesOf, type FoundRoute } from './testing/harness.ts'

interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly security?: readonly object[]
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly responses: Readonly<Record<string, unknown>>
}
interface Document {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, unknown>>; readonly securitySchemes: object }
}

let app: FastifyInstance
let routes: readonly FoundRoute[]
let document: Document
beforeAll(async () => {
  app = buildApi((await harness()).deps)
  routes = await routesOf(app)
  document = (await app.inject({ url: '/api/docs/openapi.json' })).json()
})
afterAll(() => app.close())

const operations = (): [string, Operation][] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, one]): [string, Operation] => [`${method.toUpperCase()} ${path}`, one]),
  )

describe('the OpenAPI document', () => {
  it('is of version 3.1 and describes every route there is, and nothing else', () => {
    expect(document.openapi).toBe('3.1.0')
    const wanted = routes
      .filter(({ method, hidden, url }) => !hidden && method !== 'HEAD' && method !== 'OPTIONS' && !url.startsWith('/api/docs/static/'))
      .map(({ method, url }) => `${method} ${url.replace(/:(\w+)/g, '{$1}')}`)
    expect(
      operations()
        .map(([name]) => name)
        .toSorted(),
    ).toEqual(wanted.toSorted())
    expect(wanted.length).toBeGreaterThan(30)
  })

  it('shows what trails and splits look like', () => {
    const { RequestTrail, Split } = document.components.schemas as Record<string, { readonly examples?: readonly Record<string, unknown>[] }>
    expect(Object.keys(RequestTrail?.examples?.[0] ?? {})).toContain('steps')
    expect(Object.keys(Split?.examples?.[0] ?? {})).toContain('traffic')
    expect(JSON.stringify(document.paths[`${apiBase}/loadbalancer/servers`])).toContain('"example":"v2"')
  })

  it('leaves out what is not built yet', () => {
    expect(Object.keys(document.paths).filter((path) => path.includes('/backups'))).toEqual([])
  })

  it('every operation has a name of its own, a summary, answers and its path parameters', () => {
    const ids = operations().map(([, { operationId }]) => operationId)
    expect(new Set(ids).size).toBe(ids.length)
    for (const [name, operation] of operations()) {
      expect(operation.summary.length).toBeGreaterThan(3)
      expect(Object.keys(operation.responses).length).toBe(3)
      const named = [...name.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter)
      expect((operation.parameters ?? []).filter((one) => one.in === 'path').map((one) => one.name)).toEqual(named)
    }
  })

  it('says which operations need a credential', () => {
    for (const [name, { security }] of operations()) {
      const open = /^GET \/(status\b|-\/)|\/(health|ready|metrics)$/.test(name) && !name.includes('{name}')
      expect([name, (security ?? []).length > 0]).toEqual([name, !open])
    }
  })

  it('every reference leads somewhere', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name ?? '')
    expect(references.length).toBeGreaterThan(20)
    expect(references.filter((name) => !(name in document.components.schemas))).toEqual([])
  })

  it('the pages bear our name and icon, and fit a phone', async () => {
    const page = String((await ask(app, { url: '/api/docs' })).body.data)
    expect(page).toContain('<title>Holdfast API</title>')
    expect(page.match(/rel="icon"[^>]*href="[^"]*holdfast\.svg"/g)).toHaveLength(1)
    expect((await app.inject({ url: '/api/docs/static/theme/holdfast.js' })).body).toContain("viewport.content = 'width=device-width")
  })

  it('the pages load nothing from elsewhere', async () => {
    const page = String((await ask(app, { url: '/api/docs' })).body.data)
    const assets = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url ?? '')
    expect(assets.length).toBeGreaterThan(3)
    for (const url of assets) expect([url, (await ask(app, { url })).status]).toEqual([url, 200])
  })
})

describe('docs/api.md', () => {
  it('names every route', async () => {
    const page = await readFile(new URL('../../docs/api.md', import.meta.url), 'utf8')
    const missing = routes
      .filter(({ method, url, hidden }) => !hidden && method !== 'HEAD' && method !== 'OPTIONS' && !url.startsWith('/api/docs'))
      .map(({ method, url }) => `${method} ${url.replace(apiBase, '')}`)
      .filter((name) => !page.includes(`\`${name}\``))
    expect(missing).toEqual([])
  })
})

it('the types that the dashboard and the command line read by are those of the document', async () => {
  const written = readFileSync(new URL('./types.ts', import.meta.url), 'utf8')
  expect(written, 'npx tsx scripts/api-types.ts writes them anew').toBe(await answerTypes())
})
