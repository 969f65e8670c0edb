/** The status page as the public meets it: in a browser, through the balancer, and while the control process is dead. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { until } from '../chaos/wait.ts'
import { axeFindings, launchChromium, looks, overflow, screenshot } from '../support/browser.ts'
import { Product } from '../support/product.ts'

let product: Product

beforeEach(async () => {
  product = await Product.create()
})
afterEach(async () => {
  expect(await product.end()).toEqual([])
})

interface Summary {
  readonly status: { readonly indicator: string; readonly description: string }
  readonly components: readonly { readonly name: string; readonly status: string; readonly group: boolean }[]
}

it('shows what the public may know, to everybody who looks', async () => {
  const { api } = product.ports
  const status = {
    endpoints: [`127.0.0.1:${api}`],
    routes: [{ path: '/status' }, { path: '/status.json' }],
    health: { path: '/health' },
    cache: true,
    compression: true,
  }
  const services = [
    { service: 'web', name: 'Website', group: 'For customers' },
    { service: 'jobs', name: 'Background jobs' },
  ]
  product.configure({ web: { instances: 2 }, jobs: { routes: [] }, status }, { statusPage: { title: 'Example status', services } })
  await product.up()
  const url = `http://127.0.0.1:${api}/status`
  const summary = async (): Promise<Summary> => (await (await fetch(`${url}/api/v2/summary.json`)).json()) as Summary
  expect((await summary()).status).toEqual({ indicator: 'none', description: 'All Systems Operational' })

  await product.must('maintenance', 'jobs', 'on')
  await until('maintenance is told', async () => ((await summary()).status.indicator === 'maintenance' ? true : undefined))
  const { components } = await summary()
  expect(components.map(({ name, status: stands }) => [name, stands])).toEqual([
    ['For customers', 'operational'],
    ['Website', 'operational'],
    ['Background jobs', 'under_maintenance'],
  ])

  const browser = await launchChromium()
  try {
    for (const { theme, width } of looks) {
      const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: theme })
      const complaints: string[] = []
      page.on('console', (message) => complaints.push(message.text()))
      page.on('requestfailed', (request) => complaints.push(request.url()))
      await page.goto(url)
      expect(await page.getByRole('heading', { name: 'Website' }).count()).toBe(1)
      expect(await page.getByRole('status').textContent()).toContain('Service Under Maintenance')
      // Its style came through its own policy.
      expect(await page.evaluate<string>("getComputedStyle(document.querySelector('.bars')).display")).toBe('flex')
      expect([theme, width, await overflow(page)]).toEqual([theme, width, 0])
      expect(await axeFindings(page)).toEqual([])
      await screenshot(page, `status-${theme}-${width}`)
      expect(complaints.filter((text) => !text.includes('favicon'))).toEqual([])
      await page.close()
    }
  } finally {
    await browser.close()
  }

  const text = await (await fetch(`${url}.json`)).text()
  const { pid } = product.control!
  for (const secret of ['127.0.0.1', String(api), String(pid), product.directory, 'service.mjs', 'cli'])
    expect([secret, text.includes(secret)]).toEqual([secret, false])

  // Through the balancer, one stored copy is for all; it is there while nobody is left to make a new one.
  const asPublic = async (encoding: string): Promise<string> => {
    const { status: code, headers } = await product.get('/status', { 'accept-encoding': encoding })
    return `${code} ${headers.get('cache-status') ?? ''}`
  }
  expect(await asPublic('gzip')).toContain('stored')
  expect(await asPublic('br')).toMatch(/^200 holdfast; hit/)
  process.kill(pid, 'SIGKILL')
  await until('the copy is too old', async () => ((await asPublic('gzip')).startsWith('200 holdfast; hit; ttl=-') ? true : undefined), 20_000)
  const next = product.start(['up'])
  await product.serves(next)
  await product.down()
}, 60_000)
