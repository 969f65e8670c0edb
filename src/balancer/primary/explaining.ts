/** Questions about one request under way: every worker is asked what it remembers, and the answers are put together. Who does not answer in time is left out. */
import { ms, after, type Clock } from '../../kernel/time.ts'
import type { RequestTrail } from '../core/trail.ts'
import type { Peer } from './peer.ts'

/** A worker answers in its next turn; one that is stopped never does. */
const answerTimeoutMs = 1_000

interface Question {
  readonly waiting: Set<Peer>
  readonly found: RequestTrail[]
  readonly answer: (trails: readonly RequestTrail[]) => void
  readonly timer: Disposable
}

export class Explaining {
  readonly #clock: Clock
  readonly #questions = new Map<number, Question>()
  #lastId = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Calls back once. */
  ask(peers: readonly Peer[], request: string, answer: (trails: readonly RequestTrail[]) => void): void {
    const id = ++this.#lastId
    const timer = this.#clock.schedule(after(this.#clock.now(), ms(answerTimeoutMs)), () => {
      this.#end(id)
    })
    this.#questions.set(id, { waiting: new Set(peers), found: [], answer, timer })
    if (peers.length === 0) this.#end(id)
    for (const peer of peers) peer.send({ type: 'explain', id, request })
  }

  answered(peer: Peer, id: number, trails: readonly RequestTrail[]): void {
    const question = this.#questions.get(id)
    if (!question?.waiting.delete(peer)) return
    question.found.push(...trails)
    if (question.waiting.size === 0) this.#end(id)
  }

  left(peer: Peer): void {
    for (const id of [...this.#questions.keys()]) this.answered(peer, id, [])
  }

  #end(id: number): void {
    const question = this.#questions.get(id)
    if (!question) return
    this.#questions.delete(id)
    question.timer[Symbol.dispose]()
    question.answer(question.found.toSorted((a, b) => b.startedAt - a.startedAt))
  }
}
