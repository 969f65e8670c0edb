/**
 * The web app as it was built, held in memory: a page, a script, a style, an icon. The names of the assets carry a hash of what is in them, so a browser keeps them for good;
 * the page itself is asked for each time and answered 304. Both are compressed when they are built, never here.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { codeOf, HoldfastError } from '../kernel/errors.ts'
import { openPolicy } from './route.ts'

interface DashboardFile {
  readonly type: string
  readonly etag: string
  readonly body: Buffer
  readonly br: Buffer | undefined
  readonly gzip: Buffer | undefined
}

/** By name; `index.html` is the page. */
export type DashboardFiles = ReadonlyMap<string, DashboardFile>

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}
const isCompressed = /\.(br|gz)$/

/** Beside this file in the package; in dist/ when it runs from the sources. */
const places = ['../dashboard', '../../dist/dashboard'].map((path) => fileURLToPath(new URL(path, import.meta.url)))

/** Undefined: it has not been built. */
export async function readDashboard(): Promise<DashboardFiles | undefined> {
  for (const place of places) {
    const files = await readAll(place)
    if (files.has('index.html')) return files
  }
  return undefined
}

async function readAll(directory: string): Promise<DashboardFiles> {
  const names = await namesIn(directory)
  const files = new Map<string, DashboardFile>()
  for (const name of names) {
    const type = types[extname(name)]
    if (type === undefined || isCompressed.test(name)) continue
    const optional = async (suffix: string) => (names.includes(name + suffix) ? readFile(join(directory, name + suffix)) : undefined)
    const [body, br, gzip] = await Promise.all([readFile(join(directory, name)), optional('.br'), optional('.gz')])
    files.set(name, { type, body, br, gzip, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` })
  }
  return files
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

// Nothing from elsewhere, no inline script or style, and no text that becomes markup.
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

const assetBase = '/dashboard/'

export function addDashboard(app: FastifyInstance, files: DashboardFiles): void {
  const get = (url: string, nameOf: (request: FastifyRequest) => string): void => {
    app.route({
      method: 'GET',
      url,
      config: { policy: { ...openPolicy, unlimited: true } },
      schema: { hide: true },
      handler: (request, reply) => answer(request, reply, files, nameOf(request)),
    })
  }
  get('/', () => 'index.html')
  get(`${assetBase}:file`, (request) => (request.params as { file: string }).file)
}

function answer(request: FastifyRequest, reply: FastifyReply, files: DashboardFiles, name: string): FastifyReply {
  const file = files.get(name)
  if (!file || (name === 'index.html' && request.url.startsWith(assetBase))) {
    throw new HoldfastError('not_found', `the dashboard has no file ${JSON.stringify(name)}`, {
      hint: 'load the page again: it may be of another version',
    })
  }
  const [encoding, body] = encoded(file, request.headers['accept-encoding'] ?? '')
  reply
    .header('content-security-policy', policy)
    .header('cache-control', name === 'index.html' ? 'no-cache' : 'public, max-age=31536000, immutable')
    .header('etag', file.etag)
    .header('vary', 'accept-encoding')
    .type(file.type)
  if (request.headers['if-none-match']?.includes(file.etag)) return reply.code(304).send()
  if (encoding !== undefined) reply.header('content-encoding', encoding)
  return reply.send(body)
}

/** The smallest form that the client understands. */
function encoded({ body, br, gzip }: DashboardFile, accepted: string): readonly [string | undefined, Buffer] {
  if (br && /\bbr\b/.test(accepted)) return ['br', br]
  if (gzip && /\bgzip\b/.test(accepted)) return ['gzip', gzip]
  return [undefined, body]
}
