import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseConfig } from '../config/index.ts'
import type { Config } from '../config/types.ts'
import { pageBytesMax, readPages } from './pages.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-pages-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true })
})

const configured = (keys: string): Config => parseConfig(`services: { web: { endpoints: ["h:1"], ${keys} } }`, { baseDir: directory }).config
const write = (name: string, text: string): void => {
  writeFileSync(join(directory, name), text)
}

describe('pages', () => {
  it('are read with the type of their suffix', () => {
    write('sorry.html', '<h1>ä</h1>')
    write('soon.TXT', 'soon')
    const pages = readPages(configured('errorPages: { 5xx: sorry.html, 404: sorry.html }, maintenancePage: soon.TXT'))
    const html = { contentType: 'text/html; charset=utf-8', body: '<h1>ä</h1>' }
    expect(pages.services.get('web')).toEqual({ '404': html, '5xx': html, maintenance: { contentType: 'text/plain; charset=utf-8', body: 'soon' } })
    const without = readPages(configured('balance: {}'))
    expect([without.services.size, without.unrouted]).toEqual([0, undefined])
  })

  it('of requests that no service takes stand at the top', () => {
    write('nobody.html', 'nobody')
    const { config } = parseConfig('errorPages: { 4xx: nobody.html }\nservices: { web: { endpoints: ["h:1"] } }', { baseDir: directory })
    expect(readPages(config).unrouted).toEqual({ '4xx': { contentType: 'text/html; charset=utf-8', body: 'nobody' } })
  })

  it.each([
    ['missing.html', 'services.web.errorPages.503 failed: ENOENT'],
    ['.', 'its suffix is none of'],
    ['large.html', `more than ${pageBytesMax} bytes`],
    ['picture.png', 'its suffix is none of .html'],
  ])('refuse a configuration with %s', (file, why) => {
    write('large.html', 'x'.repeat(pageBytesMax + 1))
    expect(() => readPages(configured(`errorPages: { 503: ${file} }`))).toThrow(
      expect.objectContaining({ code: 'page_unreadable', message: expect.stringContaining(why) as string }),
    )
  })
})
