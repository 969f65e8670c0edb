/** The dashboard when something is wrong with what it asks: an API that is slow, fails or is away, two clicks, two pages of one browser, names that nobody expects. */
import type { Browser, Page, Route } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { launchChromium, overflow } from '../support/browser.ts'
import { Product } from '../support/product.ts'

const long = 'a-service-with-a-very-long-name-that-goes-on-and-on-and-on-60ch'

let product: Product
let browser: Browser
let tokens: readonly string[]
const thrown: string[] = []

async function call<T>(path: string, body: unknown): Promise<T> {
  const { url, token } = product.control!
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const answer = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  expect([path, answer.ok]).toEqual([path, true])
  const text = await answer.text()
  return (text === '' ? undefined : JSON.parse(text)) as T
}
const mint = async (): Promise<string> =>
  (await call<{ data: { token: string } }>('/api/infrastructure/auth/token', { role: 'admin', ttl: '1h' })).data.token

beforeAll(async () => {
  product = await Product.create()
  product.configure({ shop: { instances: 1 }, [long]: { instances: 1, routes: [{ path: '/long' }] } })
  await product.up()
  tokens = [await mint(), await mint()]
  await call('/api/v2/alerts', [
    {
      labels: { alertname: '<img src=x onerror=alert(1)>', severity: 'critical', team: '"quoted" & <b>bold</b>' },
      annotations: { summary: `<script>alert(1)</script> \u202e ${'مرحبا '.repeat(20)} ${'a'.repeat(300)}` },
    },
  ])
  browser = await launchChromium()
}, 60_000)

afterAll(async () => {
  await browser.close()
  await product.down()
  expect(await product.end()).toEqual([])
  expect(thrown).toEqual([])
})

async function open(path: string, { width = 1280, before }: { width?: number; before?: (page: Page) => Promise<unknown> } = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: { width, height: 860 } })
  await context.addInitScript(`localStorage.getItem('holdfast.token') ?? localStorage.setItem('holdfast.token', ${JSON.stringify(tokens[0])})`)
  const page = await context.newPage()
  page.on('pageerror', (error) => thrown.push(error.message))
  page.on('dialog', (dialog) => {
    thrown.push(`a text of somebody was run: ${dialog.message()}`)
    void dialog.dismiss()
  })
  await before?.(page)
  await page.goto(`${product.control!.url}/#${path}`)
  return page
}

const later = (ms: number) => async (route: Route) => {
  await new Promise((resolve) => setTimeout(resolve, ms))
  await route.continue().catch(() => undefined)
}

it('an API that answers later than the page asks again is waited for', async () => {
  const page = await open('/checks', { before: (one) => one.route('**/health/checks', later(3_000)) })
  await page.getByRole('table', { name: 'Checks' }).getByRole('link', { name: 'shop' }).waitFor({ timeout: 15_000 })
  await page.context().close()
})

const loading = ['/alerts', '/alerts/silences', '/alerts/receivers', '/incidents', '/checks', '/rules', '/dependencies', '/profiles'] as const
const others = ['/cache', '/scaling', '/events', '/audit', '/settings', '/settings/access', '/services/shop/events'] as const

it('an API that fails is told of on every page, and what is there stays with the word that it is old', async () => {
  const fail = (route: Route) =>
    route.fulfill({ status: 500, contentType: 'application/json', body: '{"success":false,"error":{"code":"internal","message":"it broke inside"}}' })
  const page = await open('/')
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
  await page.route(/\/api\/infrastructure\/(?!live|auth\/self)/, fail)
  for (const path of [...loading, ...others]) {
    await page.evaluate(`location.hash = ${JSON.stringify(path)}`)
    await page.locator('main').getByText('it broke inside').first().waitFor()
    await page.locator('main .skeleton').first().waitFor({ state: 'detached' })
  }
  await page.unroute(/\/api\/infrastructure\/(?!live|auth\/self)/)
  await page.evaluate('location.hash = "/checks"')
  const row = page.getByRole('table', { name: 'Checks' }).getByRole('link', { name: 'shop' })
  await row.waitFor()
  await page.route('**/health/checks', fail)
  await page.getByText(/As it was at .*: it broke inside/).waitFor()
  expect(await row.count()).toBe(1)
  await page.context().close()
})

it('two clicks are one action, and one that is closed while it runs says what came of it and closes no other', async () => {
  const page = await open('/services/shop')
  let asked = 0
  await page.route('**/maintenance', async (route) => {
    asked++
    await later(1_500)(route)
  })
  await page.getByRole('button', { name: 'Maintenance', exact: true }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Switch on' }).dblclick()
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()
  await page.getByRole('button', { name: 'Scale', exact: true }).click()
  await page.getByRole('log', { name: 'What came of actions' }).getByText('shop is in maintenance').waitFor()
  expect(await page.getByRole('dialog', { name: 'Scale shop' }).count()).toBe(1)
  expect(asked).toBe(1)
  await page.context().close()
  await call('/api/infrastructure/auth/token', { role: 'viewer', ttl: '1h' })
})

it('a token that another page renewed is taken over without a word; signing out there is signing out here', async () => {
  const page = await open('/services')
  await page.getByRole('link', { name: 'shop' }).waitFor()
  const second = await page.context().newPage()
  await second.goto(`${product.control!.url}/#/events`)
  await second.getByRole('heading', { level: 1, name: 'Events' }).waitFor()
  await page.getByRole('searchbox').fill('sho')
  await page.evaluate('window.same = true')
  const taken = page.waitForResponse('**/auth/self')
  await second.evaluate(`localStorage.setItem('holdfast.token', ${JSON.stringify(tokens[1])})`)
  await taken
  await page.getByRole('link', { name: 'shop' }).click()
  await page.getByRole('heading', { level: 1, name: 'shop' }).waitFor()
  expect(await page.evaluate('window.same')).toBe(true)
  await second.getByRole('button', { name: /^Account/ }).click()
  await second.getByRole('button', { name: 'Sign out' }).click()
  await page.waitForFunction('window.same === undefined')
  await page.context().close()
})

it('who is signed in stays so when the API does not answer at the beginning', async () => {
  let failing = true
  const page = await open('/services', {
    before: (one) => one.route('**/auth/self', (route) => (failing ? route.fulfill({ status: 503, body: 'the store is away' }) : route.continue())),
  })
  await page.getByText('The control process does not answer').waitFor()
  failing = false
  await page.getByRole('link', { name: 'shop' }).waitFor()
  await page.context().close()
})

it('long names, markup and text from right to left are read as they are, and nothing is wider than the window', async () => {
  const page = await open('/', { width: 390 })
  for (const path of [
    '/',
    '/services',
    `/services/${long}`,
    '/traffic',
    '/alerts',
    '/events',
    '/audit',
    '/checks',
    '/rules',
    '/scaling',
    '/node',
    '/dependencies',
  ]) {
    await page.evaluate(`location.hash = ${JSON.stringify(path)}`)
    await page.locator('main h1').waitFor()
    await page.locator('main .skeleton').first().waitFor({ state: 'detached' })
    expect([path, (await overflow(page)) > 0]).toEqual([path, false])
  }
  // What can be pressed can be reached without pushing the table aside.
  await page.evaluate('location.hash = "/rules"')
  const box = await page.getByRole('button', { name: 'Back-test' }).first().boundingBox()
  expect(box!.x + box!.width).toBeLessThanOrEqual(390)
  await page.evaluate('location.hash = "/alerts"')
  await page.getByRole('link', { name: '<img src=x onerror=alert(1)>' }).click()
  await page.getByText('team="quoted" & <b>bold</b>').waitFor()
  expect(await overflow(page)).toBeLessThanOrEqual(0)
  await page.context().close()
})

it('the control process dies and comes back: what happened meanwhile is told, once', async () => {
  const page = await open('/events')
  const table = page.getByRole('table', { name: 'Events' })
  await table.getByText('shop', { exact: true }).first().waitFor()
  process.kill(product.control!.pid, 'SIGKILL')
  await page.getByText(/Stale since/).waitFor()
  await product.up()
  await page.getByText('Live', { exact: true }).waitFor({ timeout: 20_000 })
  const started = table.getByRole('button', { name: /holdfast .* started/ })
  await started.nth(1).waitFor()
  expect(await started.count()).toBe(2)
  const taken = await table.getByRole('button', { name: /was running already/ }).allTextContents()
  expect([taken.length, new Set(taken).size]).toEqual([2, 2])
  await page.context().close()
})
