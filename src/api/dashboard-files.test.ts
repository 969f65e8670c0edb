/** The files of the dashboard as a browser gets them. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { FastifyInstance } from 'fastify'
import { buildApi } from './app.ts'
import type { DashboardFiles } from './dashboard-files.ts'
import { ask, harness } from './testing/harness.ts'

const file = (type: string, text: string) => ({
  type,
  etag: `"${text.length}"`,
  body: Buffer.from(text),
  br: Buffer.from(`br ${text}`),
  gzip: undefined,
})
const files: DashboardFiles = new Map([
  ['index.html', file('text/html; charset=utf-8', '<p>page</p>')],
  ['index-abc.js', file('text/javascript; charset=utf-8', 'let x')],
])

let app: FastifyInstance
beforeEach(async () => {
  const { deps } = await harness()
  app = buildApi({ ...deps, dashboard: files })
})
afterEach(() => app.close())

it('the page is asked for each time, and answered shortly when it is the same', async () => {
  const { status, headers, body } = await ask(app, { url: '/' })
  expect([status, headers['cache-control'], headers.etag, body.data]).toEqual([200, 'no-cache', '"11"', '<p>page</p>'])
  expect((await ask(app, { url: '/', headers: { 'if-none-match': '"11"' } })).status).toBe(304)
})

it('assets are kept for good, and come compressed to whoever understands it', async () => {
  const { headers } = await ask(app, { url: '/dashboard/index-abc.js', headers: { 'accept-encoding': 'gzip, deflate, br' } })
  expect(headers).toMatchObject({ 'cache-control': 'public, max-age=31536000, immutable', 'content-encoding': 'br', vary: 'accept-encoding' })
  expect((await ask(app, { url: '/dashboard/index-abc.js', headers: { 'accept-encoding': 'gzip' } })).headers['content-encoding']).toBeUndefined()
})

it('the policy lets nothing in from elsewhere, nothing inline, and no text become markup', async () => {
  const { headers } = await ask(app, { url: '/' })
  const policy = String(headers['content-security-policy'])
  expect(policy).not.toMatch(/https?:|\*|unsafe|'none' 'self'/)
  expect(policy).toContain("require-trusted-types-for 'script'")
})

it.each(['/dashboard/x.js', '/dashboard/index.html', '/dashboard/..%2f..%2fpackage.json', '/dashboard/'])('%s is not there', async (url) => {
  expect(await ask(app, { url })).toMatchObject({ status: 404, body: { error: { code: 'not_found' } } })
})
