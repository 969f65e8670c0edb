/**
 * How the cache is set for the suite: as an operator can. The suite builds what it requires of stale answers on a cache that gives them when the origin is
 * gone (`graceMs`), what is optimal on one that guesses (`heuristic`), and takes cookies for fields like all others (`storesCookies`).
 */
import type { CacheView } from '../../../src/balancer/core/routing-view.ts'
import { endpoint, service, startProxy } from '../../support/balancer-harness.ts'
import { runSuite, type Suite } from './suite.ts'

const cache: CacheView = { maxBodyBytes: 1_048_576, graceMs: 60_000, obeyClients: true, heuristic: 0.1, storesCookies: true }

export const said = 'cache: { grace: 1m, heuristic: 10%, storeCookies: true }'

/** The suite through the built proxy. */
export async function runHere(workers: number, only?: string): Promise<Suite> {
  const proxy = await startProxy(workers)
  try {
    return await runSuite(async (originPort) => {
      await proxy.route(service([endpoint(originPort)], { cache }))
      return `http://127.0.0.1:${proxy.port}`
    }, only)
  } finally {
    await proxy.stop()
  }
}
