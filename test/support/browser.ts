/**
 * Debian's Chromium, driven without a window: pages at two widths and in two themes, screenshots into `test/artifacts/screens/` (kept by CI, not by git), and axe
 * over the page.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import axe from 'axe-core'
import { chromium, type Browser, type Page } from 'playwright-core'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const screens = fileURLToPath(new URL('../artifacts/screens/', import.meta.url))

export const launchChromium = (): Promise<Browser> =>
  chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })

export const looks = (['light', 'dark'] as const).flatMap((theme) => ([390, 1280] as const).map((width) => ({ theme, width })))

export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(screens, { recursive: true })
  await page.screenshot({ path: join(screens, `${name}.png`), fullPage: true })
}

/** Serious and critical findings, a sentence each. Evaluated, not added as a script: the policy of the page need not allow it. */
export async function axeFindings(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  return page.evaluate(async () => {
    interface Finding {
      readonly id: string
      readonly impact: string | null
      readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[]
    }
    const { axe: loaded } = globalThis as unknown as { readonly axe: { run: () => Promise<{ readonly violations: readonly Finding[] }> } }
    const { violations } = await loaded.run()
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary = '' }) => `${html.slice(0, 200)} ${failureSummary}`).join(' | ')}`)
  })
}

/** How far the page is wider than its window, in pixels. */
export const overflow = (page: Page): Promise<number> => page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
