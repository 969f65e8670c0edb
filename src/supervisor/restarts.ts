/** Restarts ordered by hand: who waits for which, and what they are told when it is over. */
import { HoldfastError } from '../kernel/errors.ts'
import type { RestartOrder } from './core/fleet-state.ts'
import type { Fact } from './core/fleet-types.ts'
import { withLastWords } from './core/last-words.ts'
import type { InstanceBook } from './instance-book.ts'

interface Waiting {
  readonly resolve: (replaced: RestartOrder['replaced']) => void
  readonly reject: (error: HoldfastError) => void
}

export class Restarts {
  readonly #book: InstanceBook
  readonly #waiting = new Map<string, Waiting>()

  constructor(book: InstanceBook) {
    this.#book = book
  }

  /** Resolves or rejects with the end of the restart that `order` begins. */
  wait(service: string, order: () => void): Promise<RestartOrder['replaced']> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(service, { resolve, reject })
      order()
    })
  }

  done({ service, order, error }: Extract<Fact, { type: 'restarted' }>): void {
    const waiting = this.#waiting.get(service)
    this.#waiting.delete(service)
    if (error === undefined) waiting?.resolve(order.replaced)
    else waiting?.reject(this.#failure(service, order, error))
  }

  abandon(): void {
    for (const { reject } of this.#waiting.values())
      reject(new HoldfastError('unavailable', 'the control process stopped before the restart was done'))
    this.#waiting.clear()
  }

  #failure(service: string, order: RestartOrder, error: string): HoldfastError {
    const ends = [...order.pending.keys()].map((slot) => this.#book.lastExit(service, slot))
    const end = ends.find((each) => each?.report.reason === error)
    const who = end === undefined ? 'a new instance' : `its new instance ${end.id}`
    return new HoldfastError('restart_failed', `could not restart ${service}: ${who} ${withLastWords(error, end?.report)}`, {
      hint: `the instances that were not replaced go on; see more with: holdfast logs ${service}`,
      details: { replaced: order.replaced, stderrTail: end?.report.stderrTail ?? [] },
    })
  }
}
