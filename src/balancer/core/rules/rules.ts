/**
 * What a route does to its requests and answers besides carrying them, made once per view:
 *
 *   request ──guard──▶ answered by rule │ ──requestEdit──▶ origin ──answer──▶ edited, perhaps compressed ──▶ client
 *
 * A stage that has nothing to do is undefined, and a route without rules has no object at all: what is off costs one comparison.
 * Whatever else hangs on a route (a cookie, a trace) adds its stage here.
 */
import type { ContentCoding, HttpRules } from '../../../config/types.ts'
import { AddressRules, TrustedProxies } from './addresses.ts'
import { compileCors, corsFields, type Cors } from './cors.ts'
import { chooseCoding, isCompressible, typeMatcher, usualTypes, type AnswerReading } from './encoding.ts'
import { compileEdit, HeadEdit, ownLines } from './head-edit.ts'
import type { Guard, RequestReading, RuleAnswer } from './reading.ts'
import { redirectGuard } from './redirect.ts'
import { withPreset } from './security.ts'
import type { PageView, RulesView } from './view.ts'

export interface RouteRules {
  /** Asked before an endpoint is looked for. */
  readonly guard: Guard | undefined
  /** Of the head that the origin gets. */
  readonly requestEdit: HeadEdit | undefined
  /** More bytes of a request body than this are refused; Infinity: any number. */
  readonly bodyMax: number
  /** Begun with each request, asked when the head of its answer is there. */
  readonly answer: ((request: RequestReading) => AnswerRules) | undefined
  /** Who may say for whom a request is; undefined: nobody. */
  readonly trusted?: TrustedProxies | undefined
  /** In place of the plain bodies of our own answers. */
  readonly pages: Readonly<Record<string, PageView>> | undefined
}

/** What one request asks of its answer. */
export interface AnswerRules {
  readonly edit: HeadEdit | undefined
  /** Lines for this answer alone, whoever gives it. */
  readonly lines: string
  /** Further lines for answers of our own. */
  readonly ownLines: string
  readonly compression: AnswerCompression | undefined
}

export interface AnswerCompression {
  /** The client wants it; undefined: it wants the plain bytes. */
  readonly coding: ContentCoding | undefined
  /** Whether an answer with this head may be compressed. */
  readonly fits: (answer: AnswerReading) => boolean
}

/** undefined: the route has no rules. `path`: the prefix of the route. */
export function compileRules(view: RulesView | undefined, path: string): RouteRules | undefined {
  if (view === undefined) return undefined
  const cors = view.cors && compileCors(view.cors)
  const trusted = view.trustedProxies === undefined ? undefined : new TrustedProxies(view.trustedProxies)
  const made: RouteRules = {
    guard: compileGuard(view, path, cors, trusted),
    requestEdit: compileEdit(view.headers?.request),
    bodyMax: view.limits?.body ?? Infinity,
    answer: compileAnswer(view, cors),
    trusted,
    pages: view.pages,
  }
  const idle = made.guard === undefined && made.requestEdit === undefined && made.bodyMax === Infinity && made.answer === undefined
  return idle && made.pages === undefined && trusted === undefined ? undefined : made
}

/** The first that has an answer gives it: who may not come learns nothing else. */
function compileGuard(view: RulesView, path: string, cors: Cors | undefined, trusted: TrustedProxies | undefined): Guard | undefined {
  const guards: Guard[] = []
  if ((view.allow ?? view.deny) !== undefined) guards.push(addressGuard(new AddressRules(view.allow ?? [], view.deny ?? []), trusted))
  if (view.redirect) {
    const isSecure = (request: RequestReading): boolean =>
      request.secure || (trusted?.has(request.address) === true && request.field('x-forwarded-proto')?.toLowerCase() === 'https')
    guards.push(redirectGuard(view.redirect, path, isSecure))
  }
  if (view.limits) guards.push(limitGuard(view.limits))
  if (cors) guards.push(cors.preflight)
  const [first, ...more] = guards
  if (first === undefined || more.length === 0) return first
  return (request) => {
    for (const guard of guards) {
      const answer = guard(request)
      if (answer) return answer
    }
    return undefined
  }
}

const forbidden: RuleAnswer = { status: 403, error: 'http_request_denied', message: 'this address may not use this service', details: 'address' }

const addressGuard =
  (rules: AddressRules, trusted: TrustedProxies | undefined): Guard =>
  (request) => {
    const client = trusted === undefined ? request.address : trusted.clientOf(request.address, request.field('x-forwarded-for'))
    return rules.allows(client) ? undefined : forbidden
  }

const tooLong = (status: number, message: string): RuleAnswer => ({ status, error: 'http_request_denied', message })

export const bodyTooLarge = (bytes: number): RuleAnswer => tooLong(413, `a request body may have at most ${bytes} bytes here`)

function limitGuard({ body, head, target }: NonNullable<HttpRules['limits']>): Guard {
  return (request) => {
    if (target !== undefined && request.target.length > target) return tooLong(414, `a request target may have at most ${target} bytes here`)
    if (head !== undefined && request.headBytes > head) return tooLong(431, `the head of a request may have at most ${head} bytes here`)
    return body !== undefined && request.bodyLength > body ? bodyTooLarge(body) : undefined
  }
}

function compileAnswer(view: RulesView, cors: Cors | undefined): RouteRules['answer'] {
  const rules = withPreset(view.headers?.security, view.headers?.response)
  const own = ownLines(rules)
  const changed = compileEdit(rules)
  const edit = cors ? new HeadEdit([...corsFields, ...(changed?.names ?? [])], changed?.block.toString('latin1') ?? '') : changed
  const compress = compileCompression(view)
  if (edit === undefined && compress === undefined) return undefined
  if (cors === undefined && compress === undefined) {
    const always: AnswerRules = { edit, lines: '', ownLines: own, compression: undefined }
    return () => always
  }
  return (request) => ({ edit, lines: cors?.lines(request) ?? '', ownLines: own, compression: compress?.(request) })
}

function compileCompression({ compression }: RulesView): ((request: RequestReading) => AnswerCompression) | undefined {
  if (compression?.enabled !== true) return undefined
  const matches = typeMatcher(compression.types ?? usualTypes)
  const fits = (answer: AnswerReading): boolean => isCompressible(compression, matches, answer)
  return (request) => ({ coding: chooseCoding(request.field('accept-encoding'), compression.encodings), fits })
}
