/** Readings on demand: complete when every worker has reported, or has ended. */
import type { Peer } from './peer.ts'

interface Question {
  readonly waiting: Set<Peer>
  readonly answer: () => void
}

export class Readings {
  readonly #questions = new Map<number, Question>()
  #lastId = 0

  ask(peers: readonly Peer[], answer: () => void): void {
    if (peers.length === 0) {
      answer()
      return
    }
    const id = ++this.#lastId
    this.#questions.set(id, { waiting: new Set(peers), answer })
    for (const peer of peers) peer.send({ type: 'report', id })
  }

  reported(peer: Peer, id: number): void {
    const question = this.#questions.get(id)
    if (!question?.waiting.delete(peer) || question.waiting.size > 0) return
    this.#questions.delete(id)
    question.answer()
  }

  left(peer: Peer): void {
    for (const id of [...this.#questions.keys()]) this.reported(peer, id)
  }
}
