/** What is measured of every proxy that can do it, with what, and the targets that we have set ourselves. */
import { bodies } from '../origin.ts'
import type { Feature } from '../targets/target.ts'

/** What makes the load. */
export type Generator = 'wrk' | 's_time' | 'h2load' | 'websocket'

/** A figure of ours beside that of a peer, in the same run. */
export interface CaseTarget {
  readonly figure: 'cpu' | 'cpuPerByte' | 'perCpuSecond' | 'rate'
  readonly peer: 'haproxy' | 'nginx'
  /** The most that our CPU may be, the least that our rate must be, as a share of the peer's. */
  readonly limit: number
}

export interface BenchCase {
  readonly name: string
  readonly title: string
  readonly path: string
  readonly method: 'GET' | 'POST'
  readonly bodyBytes: number
  /** So many different queries, in turn; undefined: none. */
  readonly keys?: number
  /** Further fields of the request. */
  readonly fields?: Readonly<Record<string, string>>
  /** A new connection for each request. */
  readonly close: boolean
  readonly generator: Generator
  /** What the proxy must be able to do; undefined: plain HTTP/1.1. */
  readonly feature?: Feature
  readonly target?: CaseTarget
}

const get = (name: string, title: string, path: string): BenchCase => ({
  name,
  title,
  path,
  method: 'GET',
  bodyBytes: 0,
  close: false,
  generator: 'wrk',
})
const cpu = (peer: CaseTarget['peer'], limit: number): CaseTarget => ({ figure: 'cpu', peer, limit })
const small = `GET ${bodies.small} B`

export const cases: readonly BenchCase[] = [
  { ...get('get-100b', `${small}, keep-alive, all features off`, '/small'), target: cpu('haproxy', 1.25) },
  get('get-10k', 'GET 10 KiB, keep-alive', '/medium'),
  { ...get('get-1m', 'GET 1 MiB, keep-alive', '/large'), target: { figure: 'cpuPerByte', peer: 'nginx', limit: 1.2 } },
  { ...get('post-64k', 'POST 64 KiB, keep-alive', '/sink'), method: 'POST', bodyBytes: 64 * 1024 },
  { ...get('close', `${small}, a new connection each`, '/small'), close: true },
  {
    ...get('features-on', `${small}, keep-alive, with breaker, budget, ejection, rate limit, access log, metrics`, '/small'),
    feature: 'features',
    target: cpu('haproxy', 1.6),
  },
  { ...get('tls-get', `${small}, TLS 1.3, keep-alive`, '/small'), feature: 'tls', target: cpu('haproxy', 1.5) },
  {
    ...get('tls-new', `${small}, a new TLS 1.3 connection each, full handshakes (P-256)`, '/small'),
    close: true,
    feature: 'tls',
    generator: 's_time',
    target: { figure: 'perCpuSecond', peer: 'nginx', limit: 0.6 },
  },
  { ...get('http2', `${small}, HTTP/2 over TLS, 16 connections of 32 streams`, '/small'), feature: 'http2', generator: 'h2load' },
  { ...get('cache-hit', `${small}, cached, keep-alive`, '/cached/small'), feature: 'cache', target: cpu('nginx', 0.8) },
  { ...get('cache-hit-10k', 'GET 10 KiB, cached, keep-alive', '/cached/medium'), feature: 'cache', target: cpu('nginx', 0.8) },
  {
    ...get('cache-keys', `${small}, cached, 1,000 different ones in turn`, '/cached/small'),
    feature: 'cache',
    keys: 1_000,
    target: cpu('nginx', 0.8),
  },
  {
    ...get('cache-vary', `${small}, cached, by Accept-Encoding`, '/cached/vary'),
    feature: 'cache',
    fields: { 'Accept-Encoding': 'gzip, deflate, br' },
    target: cpu('nginx', 0.8),
  },
  {
    ...get('cache-http2', `${small}, cached, HTTP/2 over TLS, 16 connections of 32 streams`, '/cached/small'),
    feature: 'cache-http2',
    generator: 'h2load',
  },
  {
    ...get('websocket', 'WebSocket echo of 64 B, 64 connections, one message under way on each', '/ws'),
    feature: 'websocket',
    generator: 'websocket',
    target: { figure: 'rate', peer: 'haproxy', limit: 0.8 },
  },
]

/** Not a load but a weight: connections that wait. */
export const idleCase = { name: 'idle', connections: 1_000 } as const
