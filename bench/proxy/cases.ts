/** What is measured of every proxy. */
import { bodies } from '../origin.ts'

export interface BenchCase {
  readonly name: string
  readonly title: string
  readonly path: string
  readonly method: 'GET' | 'POST'
  readonly bodyBytes: number
  /** A new connection for each request. */
  readonly close: boolean
}

const get = (name: string, title: string, path: string): BenchCase => ({ name, title, path, method: 'GET', bodyBytes: 0, close: false })

export const cases: readonly BenchCase[] = [
  get('get-100b', `GET ${bodies.small} B, keep-alive`, '/small'),
  get('get-10k', 'GET 10 KiB, keep-alive', '/medium'),
  get('get-1m', 'GET 1 MiB, keep-alive', '/large'),
  { name: 'post-64k', title: 'POST 64 KiB, keep-alive', path: '/sink', method: 'POST', bodyBytes: 64 * 1024, close: false },
  { ...get('close', `GET ${bodies.small} B, a new connection each`, '/small'), close: true },
]

/** Not a load but a weight: connections that wait. */
export const idleCase = { name: 'idle', connections: 1_000 } as const
