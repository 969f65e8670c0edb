/** The files of error and maintenance pages, read when a configuration is applied: what is missing or too large refuses it, and no request waits for a disk. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { extname } from 'node:path'
import type { PageView } from '../balancer/core/rules/view.ts'
import type { Config, PagesConfig, ServiceConfig } from '../config/types.ts'
import { codeOf, HoldfastError, messageOf } from '../kernel/errors.ts'

/** Every worker holds every page. */
export const pageBytesMax = 128 * 1_024

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.htm': 'text/html; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.json': 'application/json',
  '.xml': 'application/xml',
  '.svg': 'image/svg+xml',
}

/** By status, class or `maintenance`. */
export type Pages = Readonly<Record<string, PageView>>

export interface AllPages {
  /** For requests that no service takes; undefined: our own. */
  readonly unrouted: Pages | undefined
  /** Of each service that has any. */
  readonly services: ReadonlyMap<string, Pages>
}

/** Throws `page_unreadable`. */
export function readPages({ errorPages, services }: Config): AllPages {
  const pages = new Map<string, Pages>()
  for (const { name, pages: files } of Object.values(services)) if (files) pages.set(name, pagesOf(name, files))
  return { unrouted: errorPages && errorsOf('errorPages', errorPages), services: pages }
}

const errorsOf = (path: string, files: Readonly<Record<string, string>>): Pages =>
  Object.fromEntries(Object.entries(files).map(([status, file]): [string, PageView] => [status, readPage(`${path}.${status}`, file)]))

function pagesOf(service: string, { errors, maintenance }: PagesConfig): Pages {
  const read = errorsOf(`services.${service}.errorPages`, errors)
  return maintenance === undefined ? read : { ...read, maintenance: readPage(`services.${service}.maintenancePage`, maintenance) }
}

/** The body of a service's fallback; undefined: it has none. Throws `page_unreadable`. */
export function readFallback({ name, resilience: { fallback } }: ServiceConfig): PageView | undefined {
  if (fallback?.body === undefined) return undefined
  return readPage(`services.${name}.resilience.fallback.body`, fallback.body, fallback.contentType)
}

function readPage(path: string, file: string, contentType = contentTypes[extname(file).toLowerCase()]): PageView {
  if (contentType === undefined) {
    throw unreadable(path, file, `its suffix is none of ${Object.keys(contentTypes).join(', ')}`, 'the suffix says which type the page has')
  }
  let bytes: Buffer
  try {
    bytes = readUpTo(file, pageBytesMax + 1)
  } catch (error) {
    throw unreadable(path, file, codeOf(error) ?? messageOf(error), 'check that the file is there and may be read')
  }
  if (bytes.length > pageBytesMax)
    throw unreadable(path, file, `it has more than ${pageBytesMax} bytes`, 'make it smaller; it may load what is large from elsewhere')
  return { contentType, body: bytes.toString('utf8') }
}

const unreadable = (path: string, file: string, why: string, hint: string): HoldfastError =>
  new HoldfastError('page_unreadable', `reading the page ${file} of ${path} failed: ${why}`, { hint, details: { path, file } })

/** Only regular files: a pipe could keep us waiting. */
function readUpTo(file: string, bytesMax: number): Buffer {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    if (!fstatSync(fd).isFile()) throw new Error('it is not a regular file')
    const buffer = Buffer.alloc(bytesMax)
    let length = 0
    for (let read = -1; read !== 0 && length < bytesMax; length += read) read = readSync(fd, buffer, length, bytesMax - length, null)
    return buffer.subarray(0, length)
  } finally {
    closeSync(fd)
  }
}
