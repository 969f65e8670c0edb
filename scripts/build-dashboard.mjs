/**
 * Makes dist/dashboard/ from dashboard/: vite bundles, then each file is compressed once, as small as it gets. Does nothing when the sources are what they were at the
 * last build. Without vite (no development dependencies) the product works and has a sign-in page in place of the dashboard.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const sources = join(root, 'dashboard')
const output = join(root, 'dist', 'dashboard')
const stamp = join(output, '.built')

/** Of all that the output is made of: the sources, what of the product they use (`used`: files of src/), and the versions of what is bundled. */
function fingerprint(used) {
  const hash = createHash('sha256')
  const add = (file) => hash.update(file).update(readFileSync(join(root, file)))
  const files = readdirSync(sources, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .filter((file) => !file.includes('node_modules'))
  for (const file of files.sort()) add(file)
  for (const file of used) hash.update(file).update(existsSync(join(root, file)) ? readFileSync(join(root, file)) : 'gone')
  add('package-lock.json')
  return hash.digest('hex')
}

/** Files of src/ that have gone into a build. */
function usedOf({ output: chunks }) {
  const prefix = join(root, 'src') + sep
  const modules = chunks.flatMap(({ moduleIds = [] }) => moduleIds)
  return modules
    .filter((module) => module.startsWith(prefix))
    .map((module) => module.slice(root.length + 1))
    .sort()
}

function viteModule() {
  try {
    return createRequire(join(sources, 'package.json')).resolve('vite')
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
}

/** Resolves with an exit code. */
export async function buildDashboard() {
  if (!existsSync(join(sources, 'index.html'))) return 0
  if (existsSync(stamp)) {
    const [made, ...used] = readFileSync(stamp, 'utf8').split('\n')
    if (made === fingerprint(used)) return 0
  }
  const vite = viteModule()
  if (vite === undefined) {
    console.error('the dashboard is not built, since vite is not installed; run `npm ci` (with development dependencies), then `npm run build`')
    return 0
  }
  const { build } = await import(pathToFileURL(vite).href)
  let used
  try {
    used = usedOf(await build({ configFile: join(sources, 'vite.config.ts'), logLevel: 'warn' }))
  } catch (error) {
    console.error(`building the dashboard failed: ${error.message}`)
    return 1
  }
  compress()
  writeFileSync(stamp, [fingerprint(used), ...used].join('\n'))
  return 0
}

function compress() {
  for (const name of readdirSync(output)) {
    const body = readFileSync(join(output, name))
    const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: body.length }
    writeFileSync(join(output, `${name}.br`), brotliCompressSync(body, { params }))
    writeFileSync(join(output, `${name}.gz`), gzipSync(body, { level: 9 }))
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await buildDashboard()
