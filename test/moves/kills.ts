/** Kills instances as fast as they come back. */
import { setTimeout as sleep } from 'node:timers/promises'
import { killIfThere, type Product } from '../support/product.ts'

/** Killed sooner after it was ready, an instance counts as one that cannot live, and its restarts are put off. */
const readyForMs = 260
const pollMs = 100

export interface Killing {
  readonly enough: (killed: number) => boolean
  readonly signal: AbortSignal
  /** So many others must be ready, so that the whole service is not away. */
  readonly others?: number
  /** Between two. */
  readonly pauseMs?: number
}

/** Resolves with how many were killed. */
export async function killAsTheyCome(product: Product, { enough, signal, others = 0, pauseMs = pollMs }: Killing): Promise<number> {
  const killed = new Set<number>()
  while (!enough(killed.size) && !signal.aborted) {
    const ready = (await product.service()).instances.filter(({ pid, phase }) => phase === 'ready' && pid !== undefined && !killed.has(pid))
    const [ripe] = ready.filter(({ readyAt }) => readyAt !== undefined && Date.now() - readyAt > readyForMs)
    if (ripe?.pid !== undefined && ready.length > others) {
      killed.add(ripe.pid)
      killIfThere(ripe.pid)
    }
    await sleep(pauseMs)
  }
  return killed.size
}
