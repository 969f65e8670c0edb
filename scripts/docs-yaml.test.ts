/**
 * Every block of YAML in the Markdown pages is a configuration that can be used as it stands; where it has no services, beside some. What it names
 * (secrets, variables) is there.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parse } from 'yaml'
import { parseConfig, problemLine, problemsOf } from '../src/config/index.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const pages = [join(root, 'README.md'), ...readdirSync(join(root, 'docs')).map((name) => join(root, 'docs', name))].filter((file) =>
  file.endsWith('.md'),
)

const blocks = pages.flatMap((page) => {
  const text = readFileSync(page, 'utf8')
  return [...text.matchAll(/^```yaml\n([\s\S]*?)^```/gm)].map((match) => {
    const line = text.slice(0, match.index).split('\n').length + 1
    return [`${relative(root, page)}:${line}`, match[1] ?? ''] as const
  })
})

const services = 'services:\n  shop:\n    command: node shop.mjs\n    routes: [/]\n'
const completed = (block: string): string => (Object.hasOwn((parse(block) ?? {}) as object, 'services') ? block : `${block}\n${services}`)

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-docs-'))
})
afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
})

it.each(blocks)('%s', (_where, block) => {
  for (const [, file = ''] of block.matchAll(/\$\{file:([^}]+)\}/g)) {
    mkdirSync(dirname(join(directory, file)), { recursive: true })
    writeFileSync(join(directory, file), 'secret')
  }
  const env = Object.fromEntries([...block.matchAll(/\$\{([A-Z_]+)\}/g)].map(([, name = '']) => [name, 'value']))
  let problems: readonly string[] = []
  try {
    parseConfig(completed(block), { baseDir: directory, env })
  } catch (error) {
    problems = problemsOf(error).map((problem) => problemLine(problem))
  }
  expect(problems).toEqual([])
})

it('finds them', () => {
  expect(blocks.length).toBeGreaterThan(30)
})
