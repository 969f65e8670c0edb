/**
 * First attempts that have no answer yet, in the order in which they were sent. All of a service wait for the same delay, so whoever was sent first is due first:
 * one timer for the oldest is enough, where a timer for each request would cost more than the request. Links lie in the members: joining and leaving
 * allocate nothing.
 */

export interface InLine<T> {
  /** When it was sent. */
  readonly sentAt: number
  /** Of the line only. */
  lineBefore: T | undefined
  lineAfter: T | undefined
  /** In which it is; undefined: in none. */
  line: { leave(member: T): void } | undefined
}

export class HedgeLine<T extends InLine<T>> {
  #first: T | undefined
  #last: T | undefined

  /** Sent longest ago. */
  get oldest(): T | undefined {
    return this.#first
  }

  /** Sent just now. */
  join(member: T): void {
    const last = this.#last
    member.line = this
    member.lineBefore = last
    member.lineAfter = undefined
    if (last === undefined) this.#first = member
    else last.lineAfter = member
    this.#last = member
  }

  /** Answered, failed, or given up; also when it is not in this line. */
  leave(member: T): void {
    if (member.line !== this) return
    const { lineBefore: before, lineAfter: after } = member
    if (before === undefined) this.#first = after
    else before.lineAfter = after
    if (after === undefined) this.#last = before
    else after.lineBefore = before
    member.line = undefined
    member.lineBefore = undefined
    member.lineAfter = undefined
  }
}
