/**
 * The whole product for the suite, as an operator sets it. The suite builds what it requires of stale answers on a cache that gives them when the origin is
 * gone (`grace`), what is optimal on one that guesses (`heuristic`), and takes cookies for fields like all others (`storeCookies`).
 */
import { isBuilt, Product } from '../../support/product.ts'
import { runSuite, type Suite } from './suite.ts'

export const workers = 2

const cache = { grace: '1m', heuristic: '10%', storeCookies: true }

export const said = `${workers} workers, cache: ${JSON.stringify(cache)}`

/** The suite through the built product, with a service whose endpoint is the suite's server. */
export async function runHere(only?: string): Promise<Suite> {
  if (!isBuilt()) throw new Error('dist/ is not built; run: npm run build')
  const product = await Product.create()
  try {
    return await runSuite(async (originPort) => {
      product.configure({ origin: { endpoints: [`127.0.0.1:${originPort}`], cache } }, { cluster: { workers, gracefulShutdownTimeout: '1s' } })
      await product.up()
      return product.url
    }, only)
  } finally {
    if (product.control !== undefined) await product.down()
    await product.end()
  }
}
