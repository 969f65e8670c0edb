/** The package as others get it: packed, unpacked, imported from a program of their own and checked by the tools that packages are checked with. */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..', '..')
const tool = (name: string): string => join(root, 'node_modules', '.bin', name)
const run = promisify(execFile)

interface Manifest {
  readonly name: string
  readonly exports: Readonly<Record<string, unknown>>
  readonly dependencies: Readonly<Record<string, string>>
}

let directory: string
let tarball: string
let unpacked: string
const manifest = (): Manifest => JSON.parse(readFileSync(join(unpacked, 'package.json'), 'utf8')) as Manifest

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-package-'))
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', directory], { cwd: root })
  tarball = join(directory, readdirSync(directory).find((name) => name.endsWith('.tgz')) ?? '')
  unpacked = join(directory, 'node_modules', 'holdfast')
  mkdirSync(unpacked, { recursive: true })
  await run('tar', ['-xzf', tarball, '-C', unpacked, '--strip-components=1'])
})
afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
})

it('has nothing to complain of for publint', async () => {
  const { messages } = await publint({ pkgDir: unpacked, pack: false, strict: true })
  expect(messages.map((message) => formatMessage(message, manifest()))).toEqual([])
})

it('gives types to programs that import it, however they resolve', async () => {
  const { stdout } = await run(tool('attw'), [tarball, '--profile', 'esm-only', '--format', 'json'], { maxBuffer: 64 * 1024 * 1024 })
  const { problems } = JSON.parse(stdout) as { readonly problems?: Readonly<Record<string, unknown>> }
  // What old resolution and require() meet is known: the package is ESM.
  expect(Object.keys(problems ?? {}).filter((kind) => !['NoResolution', 'CJSResolvesToESM'].includes(kind))).toEqual([])
}, 180_000)

describe('a program of somebody else', () => {
  const write = (name: string, text: string): void => {
    writeFileSync(join(directory, name), text)
  }

  beforeAll(() => {
    // Only what the package says it depends on is there, and Node's own types.
    for (const dependency of [...Object.keys(manifest().dependencies), '@types/node', 'undici-types']) {
      mkdirSync(join(directory, 'node_modules', dependency, '..'), { recursive: true })
      symlinkSync(join(root, 'node_modules', dependency), join(directory, 'node_modules', dependency))
    }
    write('package.json', '{ "type": "module", "private": true }')
    write(
      'tsconfig.json',
      JSON.stringify({
        compilerOptions: { module: 'nodenext', target: 'es2022', lib: ['es2023', 'esnext.disposable'], strict: true, noEmit: true, types: ['node'] },
      }),
    )
  })

  it('compiles against every part, with all declarations checked', async () => {
    write(
      'program.ts',
      `import { CacheService, createHoldfast, LoadBalancerService, HoldfastError } from 'holdfast'
      import { createBalancer, type EndpointStatus } from 'holdfast/balancer'
      import { createCache, type CacheStats } from 'holdfast/cache'
      import { breaker, compose, rateLimit, retry } from 'holdfast/resilience'
      import { joinHoldfast } from 'holdfast/instance'
      const servers = new LoadBalancerService()
      const id: string = servers.addServer('localhost', 3000).id
      const guarded = compose(retry({ attempts: 2 }), breaker({ name: 'db' }))
      const answer: number = await guarded.execute(async ({ signal }) => (signal.aborted ? 0 : 1))
      const endpoints = (): readonly EndpointStatus[] => createBalancer({ services: { web: { endpoints: ['127.0.0.1:1'] } } }).endpoints()
      const user: { name: string } | undefined = await new CacheService({ memory: { maxSize: 10, ttl: 60 } }).get<{ name: string }>('user:1')
      const made: number = await createCache({ redis: { url: 'redis://127.0.0.1:1' }, ttlMs: 5 }).getOrSet('k', ({ signal }) => (signal.aborted ? 0 : 1), { tags: ['t'] })
      const stats: CacheStats = createCache().stats()
      export const all = { user, made, stats, id, answer, endpoints, createHoldfast, HoldfastError, rateLimit, joinHoldfast }
      // @ts-expect-error: a weight is a number
      servers.addServer('localhost', 3000, 'heavy')
      `,
    )
    const { stdout } = await run(tool('tsc'), ['-p', directory]).catch((error: unknown) => error as { readonly stdout: string })
    expect(stdout).toBe('')
  }, 180_000)

  it('imports every part, with its dependencies and nothing else', async () => {
    const parts = Object.keys(manifest().exports).filter((part) => part !== './package.json')
    write('imports.mjs', `${parts.map((part) => `await import('holdfast${part.slice(1)}')`).join('\n')}\nconsole.log('imported')\nprocess.exit()`)
    const { stdout } = await run(process.execPath, [join(directory, 'imports.mjs')], { cwd: directory })
    expect(stdout).toBe('imported\n')
  })
})
