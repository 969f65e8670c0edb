/**
 * Commits of one tick share one write to disk: they wait here until the running code gives way, then go to
 * the backend as one batch, in order. A hundred commits cost one fsync instead of a hundred.
 *
 *     idle ──push──▶ scheduled ──microtask──▶ flushing ──more? setImmediate──▶ flushing ──▶ idle
 */
import { codeOf, HoldfastError } from '../kernel/errors.ts'
import type { PreparedTransaction } from './core/transaction.ts'
import type { TransactionResult } from './port.ts'

/** Transactions per write: a batch must not hold the process up for long. */
export const batchMax = 64
/** Transactions that wait at once; more is a loop that never gives way. */
export const pendingMax = 10_000

interface Pending {
  readonly transaction: PreparedTransaction
  readonly resolve: (result: TransactionResult) => void
  readonly reject: (error: unknown) => void
}

export class CommitQueue {
  readonly #apply: (batch: readonly PreparedTransaction[]) => readonly TransactionResult[]
  #pending: Pending[] = []
  #scheduled = false
  #onIdle: (() => void)[] = []

  /** `apply` carries a batch out as a whole or throws. */
  constructor(apply: (batch: readonly PreparedTransaction[]) => readonly TransactionResult[]) {
    this.#apply = apply
  }

  /** Rejects with `store_limit` when too many wait, else with what `apply` throws. */
  push(transaction: PreparedTransaction): Promise<TransactionResult> {
    return new Promise((resolve, reject) => {
      if (this.#pending.length >= pendingMax) {
        reject(new HoldfastError('store_limit', `${pendingMax} commits are waiting already`, { hint: 'Await a commit before you make the next.' }))
        return
      }
      this.#pending.push({ transaction, resolve, reject })
      if (this.#scheduled) return
      this.#scheduled = true
      queueMicrotask(() => this.#flush())
    })
  }

  /** Resolves when nothing waits any more. */
  idle(): Promise<void> {
    if (!this.#scheduled) return Promise.resolve()
    return new Promise((resolve) => this.#onIdle.push(resolve))
  }

  #flush(): void {
    this.#carryOut(this.#pending.splice(0, batchMax))
    if (this.#pending.length > 0) {
      setImmediate(() => this.#flush())
      return
    }
    this.#scheduled = false
    for (const resolve of this.#onIdle.splice(0)) resolve()
  }

  #carryOut(batch: readonly Pending[]): void {
    try {
      const results = this.#apply(batch.map(({ transaction }) => transaction))
      results.forEach((result, i) => batch[i]?.resolve(result))
    } catch (error) {
      // The small ones may still fit where all of them together do not.
      if (codeOf(error) === 'disk_full' && batch.length > 1) for (const one of batch) this.#carryOut([one])
      else for (const { reject } of batch) reject(error)
    }
  }
}
