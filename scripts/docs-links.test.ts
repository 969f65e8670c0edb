/**
 * Every relative link of the Markdown pages leads to a file that is there and, with `#…`, to a heading of it. Addresses elsewhere
 * are not asked: a test that needs the network fails for reasons that are not ours.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const notOurs = new Set(['node_modules', 'dist', 'coverage'])

function pagesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name.startsWith('.') || notOurs.has(entry.name)) return []
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return pagesIn(path)
    return entry.name.endsWith('.md') ? [path] : []
  })
}

/** Without what stands in code, where brackets and `#` mean other things. */
const proseOf = (page: string): string =>
  readFileSync(page, 'utf8')
    .replace(/^```[\s\S]*?^```/gm, '')
    .replace(/`[^`\n]*`/g, (code) => code.replace(/[[\]()]/g, ' '))

const linksOf = (page: string): string[] =>
  [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target ?? '').filter((target) => !/^[a-z]+:/.test(target))

/** As GitHub makes them: lower case, no punctuation, a hyphen for each space. */
const anchorsOf = (page: string): Set<string> =>
  new Set(
    [...proseOf(page).matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
      (title ?? '')
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )

function objectionTo(page: string, link: string): string | undefined {
  const [path = '', anchor] = link.split('#')
  const target = path === '' ? page : join(dirname(page), path)
  if (statSync(target, { throwIfNoEntry: false }) === undefined) return 'no such file'
  return anchor === undefined || anchorsOf(target).has(anchor) ? undefined : 'no such heading'
}

const pages = pagesIn(root)

describe('the Markdown pages', () => {
  it('are found, and have links', () => {
    expect(pages.map((page) => relative(root, page))).toEqual(expect.arrayContaining(['README.md', join('docs', 'index.md')]))
    expect(pages.flatMap(linksOf).length).toBeGreaterThan(20)
  })

  it.each(pages.map((page) => [relative(root, page), page]))('%s links to what is there', (_name, page) => {
    const broken = linksOf(page)
      .map((link) => [link, objectionTo(page, link)])
      .filter(([, objection]) => objection !== undefined)
    expect(broken).toEqual([])
  })
})
