/**
 * Whether somebody is to be told that something is down, or only of what it is down because of.
 *
 *   asked ──nothing that it needs, or all of that was looked at since and is up──▶ tell
 *     │──something that it needs is down──▶ suppressed, until that is up and two intervals more
 *     └──something may be down and is not known to be: is looked at now──▶ wait ──known, or the time is over──▶ asked again
 *
 * The wait ends with the answer: a check that passes costs milliseconds. Only who does not answer costs more, and that is a reason to wait.
 */
import type { Need } from '../types.ts'
import { explainAll, type Explained } from './causes.ts'
import type { DependencyGraph } from './graph.ts'
import type { NodeStates } from './states.ts'

/** How long an alert waits for what it needs to be known. Source: handbook of alerting, `max(30 s, interval of the parent)`. */
export const waitMsMin = 30_000
/** Needs, also of needs, that are looked at for one alert. */
const lookedAtMax = 32
/** Who has come back gives its dependants so many of their intervals to follow. */
const graceIntervals = 2
/** Questions that are remembered; the oldest go. */
const questionsMax = 10_000
/** A question that is not asked again is over. */
const questionMs = 10 * 60_000

export type Verdict =
  | { readonly type: 'tell' }
  | { readonly type: 'suppressed'; readonly cause: string; readonly path: readonly string[]; readonly recovered: boolean }
  | { readonly type: 'wait'; readonly for: readonly string[]; readonly until: number }

const tell: Verdict = { type: 'tell' }

interface Question {
  readonly askedAt: number
}

export class Suppressing {
  readonly #states: NodeStates
  readonly #questions = new Map<string, Question>()
  /** Of the last question: thousands are asked at a time, and mostly of the same things that are down. */
  #last: { readonly graph: DependencyGraph; readonly key: string; readonly explained: ReadonlyMap<string, Explained> } | undefined

  constructor(states: NodeStates) {
    this.#states = states
  }

  /** `failedAt`: since when, wall time in milliseconds. */
  ask(graph: DependencyGraph, name: string, failedAt: number, now: number): Verdict {
    const needed = hardNeedsOf(graph, name)
    if (needed.length === 0) return tell
    const intervalMs = this.#states.get(name)?.intervalMs ?? 10_000
    const since = Math.min(failedAt, this.#failingSince(name) ?? failedAt)
    const cause = this.#causeOf(graph, name, since, now - graceIntervals * intervalMs)
    if (cause && this.#states.get(cause.cause)?.state !== 'suspect')
      return { type: 'suppressed', ...cause, recovered: this.#states.get(cause.cause)?.state !== 'down' }
    return this.#wait(name, failedAt, needed, now)
  }

  #failingSince(name: string): number | undefined {
    const standing = this.#states.get(name)
    return standing?.state === 'down' || standing?.state === 'suspect' ? standing.failedAt : undefined
  }

  /** Of all that fails now, or did until a moment ago. */
  #causeOf(graph: DependencyGraph, name: string, since: number, recoveredAfter: number): Explained | undefined {
    const failing = new Map<string, number>()
    for (const standing of this.#states.all()) {
      const { state, failedAt, recoveredAt } = standing
      const recent = recoveredAt !== undefined && recoveredAt > recoveredAfter
      if (failedAt !== undefined && (state === 'down' || state === 'suspect' || recent)) failing.set(standing.name, failedAt)
    }
    failing.set(name, since)
    const key = JSON.stringify([...failing])
    if (this.#last?.graph !== graph || this.#last.key !== key) this.#last = { graph, key, explained: explainAll(graph, failing) }
    return this.#last.explained.get(name)
  }

  /** What it needs that has not been looked at since it was first asked is to be looked at; who is suspected is waited for. */
  #wait(name: string, failedAt: number, needed: readonly string[], now: number): Verdict {
    const question = this.#question(`${name}\n${failedAt}`, now)
    const open = needed.filter((each) => {
      const standing = this.#states.get(each)
      return standing !== undefined && standing.state !== 'down' && (standing.state === 'suspect' || standing.checkedAt < question.askedAt)
    })
    const until = question.askedAt + Math.max(waitMsMin, ...open.map((each) => this.#states.get(each)?.intervalMs ?? 0))
    return open.length === 0 || now >= until ? tell : { type: 'wait', for: open, until }
  }

  #question(key: string, now: number): Question {
    const known = this.#questions.get(key)
    if (known && now - known.askedAt <= questionMs) return known
    for (const [old, { askedAt }] of this.#questions) {
      if (now - askedAt <= questionMs && this.#questions.size < questionsMax) break
      this.#questions.delete(old)
    }
    const question = { askedAt: now }
    this.#questions.delete(key)
    this.#questions.set(key, question)
    return question
  }
}

/** What it cannot work without, also by others, nearest first. Of several that are enough each is one. */
export function hardNeedsOf(graph: DependencyGraph, name: string): readonly string[] {
  const found = new Set<string>([name])
  for (const each of found) {
    const needs: readonly Need[] = graph.needsOf(each)
    for (const { hard, anyOf } of needs) if (hard) for (const one of anyOf) if (found.size <= lookedAtMax) found.add(one)
  }
  found.delete(name)
  return [...found]
}
