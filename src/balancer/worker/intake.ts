/**
 * What a request meets before an endpoint is looked for: the rules of its route, maintenance, the caller's deadline, its session, the rate limit.
 * An exchange has one, filled anew for each request; what a service does not have costs its requests nothing.
 *
 *   check ──▶ refused (with an answer)
 *     └─────▶ admit ──▶ admitted │ rate exceeded
 */
import type { Route } from '../core/routes.ts'
import type { AnswerRules, RouteRules } from '../core/rules/rules.ts'
import type { Head } from '../http1/head.ts'
import { Admission, type AdmissionHost, type Quota } from './admission.ts'
import type { Answer } from './answers.ts'
import type { Attempts } from './attempts.ts'
import { CallTree, callFields, tooLate } from './call-tree.ts'
import type { ClientSide } from './client-side.ts'
import { withLines } from './extra-lines.ts'
import { underMaintenance } from './failure-answers.ts'
import { dressed } from './rules/answer-plan.ts'
import { requestReading } from './rules/reading.ts'
import type { ServiceRate } from './rate-limits.ts'
import type { ServiceRuntime } from './service.ts'
import type { Affinity } from './sessions/affinity.ts'
import { RequestSession } from './sessions/session.ts'

export class Intake {
  readonly #client: ClientSide
  readonly #attempts: Attempts
  readonly #host: AdmissionHost
  /** What the route does besides carrying; undefined: nothing. */
  #rules: RouteRules | undefined
  /** The same for the answer. */
  answerRules: AnswerRules | undefined
  #rateKey: string | undefined
  /** The limit of its route; undefined: it has none. */
  #routeQuota: Quota | undefined
  /** undefined: none of its requests was limited yet. */
  #admission: Admission | undefined
  /** undefined: none of its clients belonged anywhere yet. */
  #session: RequestSession | undefined

  constructor(client: ClientSide, attempts: Attempts, host: AdmissionHost) {
    this.#client = client
    this.#attempts = attempts
    this.#host = host
  }

  /** A request has been read, and has no route yet. */
  open(): void {
    this.#rules = undefined
    this.answerRules = undefined
  }

  /** The worker's head holds the request. Returns what it is answered when it goes no further. */
  check({ service, rules, rateScope }: Route<ServiceRuntime>, source: Buffer): Answer | undefined {
    const { requestHead } = this.#client.worker
    const answer = rules && this.#ruled(rules, requestHead, source)
    if (answer !== undefined) return answer
    if (service.view.maintenance) return underMaintenance
    this.#rateKey = service.rate?.keyOf(requestReading(this.#client, requestHead, source), rules?.trusted)
    this.#routeQuota = rateScope === undefined ? undefined : this.#quotaOf(service.rateOf(rateScope), source, rules)
    this.#attempts.begin(service)
    if (requestHead.inCallTree && this.#comesTooLate(requestHead, source)) return tooLate
    this.#attempts.session = service.affinity && this.#sessionOf(service.affinity, service, source, rules)
    return undefined
  }

  /** The host hears whether it may go on. */
  admit({ rate }: ServiceRuntime): void {
    const route = this.#routeQuota
    if (rate === undefined && route === undefined) {
      this.#host.admitted()
      return
    }
    this.#admission ??= new Admission(this.#host, this.#client, this.#attempts)
    if (route !== undefined) this.#admission.enter(route.rate, route.key, rate && { rate, key: this.#rateKey! })
    else this.#admission.enter(rate!, this.#rateKey!)
  }

  #quotaOf(rate: ServiceRate | undefined, source: Buffer, rules: RouteRules | undefined): Quota | undefined {
    return rate && { rate, key: rate.keyOf(requestReading(this.#client, this.#client.worker.requestHead, source), rules?.trusted) }
  }

  #ruled(rules: RouteRules, head: Head, source: Buffer): Answer | undefined {
    const request = requestReading(this.#client, head, source)
    this.#rules = rules
    this.answerRules = rules.answer?.(request)
    const answer = rules.guard?.(request)
    if (answer?.error !== undefined) this.#client.worker.countRefused('rule')
    return answer
  }

  /** It has no time left. */
  #comesTooLate(head: Head, source: Buffer): boolean {
    const { now, wallTime } = this.#client.worker
    const tree = new CallTree(callFields(head, source), now, wallTime)
    this.#attempts.tree = tree
    return tree.over(now)
  }

  #sessionOf(affinity: Affinity, service: ServiceRuntime, source: Buffer, rules: RouteRules | undefined): RequestSession {
    this.#session ??= new RequestSession(this.#client)
    return this.#session.begin(service, affinity, this.#client.worker.requestHead, source, rules?.trusted)
  }

  /** What the rate limit says of itself in the head of an answer, whole lines. */
  get lines(): Buffer | undefined {
    return this.#admission?.lines
  }

  /** An answer of ours, as the limit and the route's rules have it; `lines`: of others. */
  dressed(answer: Answer, lines: Buffer | undefined): Answer {
    const about = withLines(withLines(answer, this.lines), lines)
    const said = this.#attempts.tree?.dressed(about) ?? about
    return this.#rules === undefined ? said : dressed(said, this.#rules, this.answerRules)
  }

  /** The request is over. */
  end(): void {
    this.#admission?.end()
  }
}
