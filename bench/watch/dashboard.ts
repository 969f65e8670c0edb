/**
 * The dashboard with 200 instances that all change every second: what goes over the line, when the first paint comes, and whether the page keeps 60 frames a second while its
 * table and its charts follow. Nothing is made up: the built product, 200 static endpoints (addresses of 127.0.1.0/24 on which one server answers), real requests through the
 * balancer to each of them, the real API, Debian's Chromium.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CDPSession, Page } from 'playwright-core'
import { launchChromium } from '../../test/support/browser.ts'
import { Product } from '../../test/support/product.ts'
import type { Measurement, WatchRow } from './row.ts'

const endpoints = 200
const frameSeconds = 10
const paints = 5

export const measureDashboard: Measurement = async () => {
  const origin = createServer((_, response) => response.end('ok'))
  await new Promise<void>((resolve) => origin.listen(0, '0.0.0.0', resolve))
  const { port } = origin.address() as AddressInfo
  const product = await Product.create()
  const browser = await launchChromium()
  try {
    const many = Array.from({ length: endpoints }, (_, i) => `127.0.1.${i + 1}:${port}`)
    product.configure(
      { many: { endpoints: many, balance: { algorithm: 'round-robin' } } },
      { cluster: { workers: 1, gracefulShutdownTimeout: '1s' } },
    )
    const up = await product.up()
    const link = /dashboard\s+(\S+#login=\S+)/.exec(up.stdout)?.[1] ?? ''
    const stop = new AbortController()
    const load = request(product, stop.signal)
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } })
    const page = await context.newPage()
    await page.goto(link)
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    const first = await firstPaint(page, `http://127.0.0.1:${product.ports.api}/`)
    await page.goto(`http://127.0.0.1:${product.ports.api}/#/services/many`)
    await page.getByRole('table', { name: 'Endpoints of many' }).waitFor()
    // At the table, where every row that is drawn changes.
    await page.getByRole('table', { name: 'Endpoints of many' }).scrollIntoViewIfNeeded()
    await sleep(3_000)
    const frames = await watchFrames(page, await context.newCDPSession(page))
    stop.abort()
    await load
    return [...first, ...frames]
  } finally {
    await browser.close()
    await product.run('down')
    await product.end()
    origin.close()
  }
}

/** Each endpoint gets about two requests a second, so that each changes every second. */
async function request(product: Product, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    const begun = performance.now()
    await Promise.all(
      Array.from({ length: 2 }, async () => {
        for (let i = 0; i < endpoints / 10; i++) await product.get('/').catch(() => undefined)
      }),
    )
    await sleep(Math.max(0, 100 - (performance.now() - begun)))
  }
}

async function firstPaint(page: Page, url: string): Promise<readonly WatchRow[]> {
  const times: number[] = []
  for (let i = 0; i < paints; i++) {
    await page.goto('about:blank')
    await page.goto(url)
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    times.push(await page.evaluate<number>('performance.getEntriesByName("first-contentful-paint")[0].startTime'))
  }
  const cold = await coldBytes(page, url)
  const worst = Math.max(...times)
  return [
    {
      what: 'dashboard: first contentful paint',
      measured: `${worst.toFixed(0)} ms`,
      target: 'under 1 s',
      holds: worst < 1_000,
      how: `the slowest of ${paints} loads of the page with ${endpoints} endpoints`,
    },
    {
      what: 'dashboard: bytes of the whole app, compressed',
      measured: `${(cold / 1_024).toFixed(1)} KiB`,
      target: 'under 300 KiB',
      holds: cold > 0 && cold < 300 * 1_024,
      how: 'page, script, style and icon with brotli, as their Content-Length says, nothing cached',
    },
  ]
}

async function coldBytes(page: Page, url: string): Promise<number> {
  const context = await page.context().browser()?.newContext()
  if (!context) return 0
  const fresh = await context.newPage()
  let bytes = 0
  fresh.on('response', (response) => {
    if (!response.url().includes('/api/')) bytes += Number(response.headers()['content-length'] ?? 0)
  })
  await fresh.goto(url)
  await fresh.getByRole('button', { name: 'Sign in' }).waitFor()
  await context.close()
  return bytes
}

interface Frames {
  readonly frames: number
  readonly longestGapMs: number
  readonly longTasks: readonly number[]
  readonly changes: number
}

const countFrames = `new Promise((resolve) => {
  const longTasks = []
  const observer = new PerformanceObserver((list) => longTasks.push(...list.getEntries().map(({ duration }) => duration)))
  observer.observe({ type: 'longtask' })
  let changes = 0
  const watch = new MutationObserver((records) => { changes += records.length })
  watch.observe(document.querySelector('main'), { subtree: true, characterData: true, childList: true })
  const begun = performance.now()
  let frames = 0, last = begun, longestGapMs = 0
  const frame = (now) => {
    frames++
    longestGapMs = Math.max(longestGapMs, now - last)
    last = now
    if (now - begun < ${frameSeconds * 1_000}) requestAnimationFrame(frame)
    else { watch.disconnect(); resolve({ frames, longestGapMs, longTasks, changes }) }
  }
  requestAnimationFrame(frame)
})`

async function watchFrames(page: Page, session: CDPSession): Promise<readonly WatchRow[]> {
  await session.send('Performance.enable')
  const busy = async (): Promise<number> =>
    (await session.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0
  const before = await busy()
  const { frames, longestGapMs, longTasks, changes } = await page.evaluate<Frames>(countFrames)
  const share = ((await busy()) - before) / frameSeconds
  const rate = frames / frameSeconds
  return [
    {
      what: `dashboard: frames a second while ${endpoints} endpoints change each second`,
      measured: `${rate.toFixed(1)}, longest gap ${longestGapMs.toFixed(0)} ms`,
      target: '60 (58 at least)',
      holds: rate >= 58 && changes > 0,
      how: `requestAnimationFrame over ${frameSeconds} s; ${(changes / frameSeconds).toFixed(0)} changes of the document a second`,
    },
    {
      what: 'dashboard: how busy the page is meanwhile',
      measured: `${(share * 100).toFixed(1)} %, ${longTasks.length} tasks over 50 ms`,
      target: 'under 30 %',
      holds: share < 0.3,
      how: 'the share of time that its main thread is in tasks, over the same time',
    },
  ]
}
