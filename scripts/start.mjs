/**
 * `npm start`: the quickstart. Builds first when dist/ is missing or older than src/, then becomes
 * `holdfast up` itself – in this process, so that there is one pid and a signal arrives once.
 * Further arguments are passed on: `npm start -- --detach`.
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from './build.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const bin = join(root, 'dist', 'bin.js')

function newestSource() {
  const sources = ['src', 'dashboard/src'].flatMap((folder) => readdirSync(join(root, folder), { recursive: true }).map((file) => join(folder, file)))
  const files = sources.filter((file) => /\.(tsx?|css|svg)$/.test(file) && !file.endsWith('.test.ts'))
  return Math.max(...files.map((file) => statSync(join(root, file)).mtimeMs))
}

/** What the compiler touches at every build, even when no output changes. */
function builtAt() {
  const info = join(root, 'dist', '.tsbuildinfo')
  return existsSync(bin) && existsSync(info) ? statSync(info).mtimeMs : undefined
}

function reasonToBuild() {
  if (!existsSync(join(root, 'src')) || !existsSync(join(root, 'dashboard'))) return undefined
  const at = builtAt()
  if (at === undefined) return 'first start'
  return newestSource() > at ? 'the sources have changed' : undefined
}

const reason = reasonToBuild()
if (reason !== undefined) {
  console.error(`building holdfast (${reason}) …`)
  const code = await build()
  if (code !== 0) process.exit(code)
}
process.chdir(root)
process.argv = [process.argv[0], bin, 'up', '--config', 'examples/quickstart/holdfast.yml', ...process.argv.slice(2)]
await import(pathToFileURL(bin).href)
