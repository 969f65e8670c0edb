/** Load beside an acceptance run, and what became of it. */
import { quantileOf } from '../../bench/lib/statistics.ts'
import { Load, type Exchange } from '../chaos/load.ts'
import type { Product } from '../support/product.ts'

export interface Traffic {
  readonly requests: number
  readonly failedGet: number
  readonly failedPost: number
  /** What the failures looked like: `GET 502`, `POST ECONNRESET`. */
  readonly failures: string
  readonly p50Ms: number
  readonly p99Ms: number
}

const connections = 100

/** Runs `work` under load. Rejects as `work` does. */
export async function underLoad(product: Product, requestsPerSecond: number, work: () => Promise<void>): Promise<Traffic> {
  const load = new Load({ port: product.ports.web, connections, requestsPerSecond, seed: 1 })
  load.start()
  let exchanges: readonly Exchange[]
  try {
    await work()
  } finally {
    exchanges = await load.stop()
  }
  return summarize(exchanges)
}

function summarize(exchanges: readonly Exchange[]): Traffic {
  const failed = exchanges.filter(({ outcome }) => outcome.type !== 'ok')
  const latencies = exchanges.filter(({ outcome }) => outcome.type === 'ok').map(({ startedAt, endedAt }) => endedAt - startedAt)
  return {
    requests: exchanges.length,
    failedGet: failed.filter(({ method }) => method === 'GET').length,
    failedPost: failed.filter(({ method }) => method === 'POST').length,
    failures: [...new Set(failed.map(seenAs))].join(', '),
    p50Ms: quantileOf(latencies, 0.5),
    p99Ms: quantileOf(latencies, 0.99),
  }
}

function seenAs({ method, outcome }: Exchange): string {
  if (outcome.type === 'status') return `${method} ${outcome.status} ${outcome.reason ?? ''}`.trim()
  return `${method} ${outcome.type === 'connection' ? outcome.code : outcome.type}`
}
