/**
 * What a browser shows while a service starts: it says so, and asks again by itself when it should be ready. Without scripts, pictures or anything
 * else that would have to be loaded from somewhere.
 */
import type { PageView } from '../core/rules/view.ts'
import { prefersHtml } from './answers.ts'

/** The reader opens a page (Fetch Metadata, where the browser has it); what a page loads by itself wants a proper error. */
export function isNavigation(field: (name: string) => string | undefined): boolean {
  if (!prefersHtml(field('accept') ?? '')) return false
  return (field('sec-fetch-dest') ?? 'document') === 'document' && (field('sec-fetch-mode') ?? 'navigate') === 'navigate'
}

const style =
  ':root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem}' +
  'p{opacity:.8}i{display:block;height:3px;border-radius:2px;background:currentColor;opacity:.5;animation:b 1.6s ease-in-out infinite alternate}' +
  '@keyframes b{from{width:10%}to{width:100%}}@media(prefers-reduced-motion:reduce){i{animation:none}}'

export const waitingPage = (retryAfterSeconds: number): PageView => ({
  contentType: 'text/html; charset=utf-8',
  body:
    `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="${retryAfterSeconds}">` +
    `<title>Starting</title><style>${style}</style><h1>This service is starting</h1>` +
    `<p>It is not ready yet. This page asks again by itself in ${retryAfterSeconds} s.</p><i></i></html>\n`,
})
