/**
 * A request at a service that caches: whether it is answered from the store, waits for somebody who asks for the same already, or goes to the origin; and
 * what becomes of the origin's answer.
 *
 *   off ──GET, HEAD──▶ found, fresh ──▶ answered
 *    │                 found, stale, may be used ──▶ answered, and validated in the background
 *    │                 found, stale ──▶ asking (with conditions) ──304──▶ answered · ──200──▶ passed on and stored · ──fails──▶ stale, or the failure
 *    │                 nothing, somebody asks ──▶ waiting ──▶ looks again
 *    │                 nothing ──▶ asking ──▶ passed on, and stored if it may be
 *    └──unsafe──▶ changing ──2xx, 3xx──▶ what is stored is forgotten
 */
import type { CacheStatus } from '../../../cache/core/http/cache-status.ts'
import { cacheStatusOf } from '../../../cache/core/http/cache-status.ts'
import { ifRangeHolds, isForOrigin, notModified, validatedBy, validationLines } from '../../../cache/core/http/conditional.ts'
import type { RequestDirectives } from '../../../cache/core/http/directives.ts'
import { single, type Fields } from '../../../cache/core/http/fields.ts'
import type { Exchanged } from '../../../cache/core/http/freshness.ts'
import { groupsChangedBy, groupsOf, originOf } from '../../../cache/core/http/groups.ts'
import { invalidatedBy, isSafe } from '../../../cache/core/http/invalidation.ts'
import { keyOf } from '../../../cache/core/http/key.ts'
import { rangeOf } from '../../../cache/core/http/range.ts'
import { isFailure, mayUse, mayUseOnError, wishesOf } from '../../../cache/core/http/serving.ts'
import { mayStore, type Storing, type StoredFacts } from '../../../cache/core/http/storing.ts'
import { headConfirms, updated } from '../../../cache/core/http/update.ts'
import { secondaryKey } from '../../../cache/core/http/vary.ts'
import { newCacheCounts, type CacheCounters } from '../../core/cache/counts.ts'
import { groupName, tagName, urlName } from '../../core/cache/purge.ts'
import { fromField } from '../../core/cache/request-fields.ts'
import type { CacheView } from '../../core/routing-view.ts'
import { latin1, text } from '../../http1/bytes.ts'
import type { Head } from '../../http1/head.ts'
import type { AnswerRelay, Interception } from '../answer-relay.ts'
import type { Answer } from '../answers.ts'
import type { ClientSide } from '../client-side.ts'
import type { RequestWatch } from '../observe/watch.ts'
import type { RequestSender } from '../request-sender.ts'
import { Collector } from './collector.ts'
import { Fetch, waitMaxMs, type FetchWaiter } from './fetch.ts'
import { hit, whyAsked } from './decisions.ts'
import { HeadFields, withNews } from './head-fields.ts'
import { isPlain, overrides, withoutConditions } from './request-kinds.ts'
import type { ResponseStore } from './store.ts'
import { dated, linesToKeep, notModifiedHead, partHead, tagsOf, unsatisfiableHead, wholeHead, type StoredResponse } from './stored-response.ts'

type Phase = 'off' | 'waiting' | 'asking' | 'changing'

/** So often the store of the node is asked for one request. */
const seeksMax = 3

export interface CachedHost {
  /** Nothing stored answers it: it goes to the service. */
  askOrigin(): void
  answer(answer: Answer): void
  /** The service's answer, with this status, is not wanted any more; its connection is fit for another request, or not. */
  answerTaken(status: number, keep: boolean): void
  /** A stored answer is about to go out in place of a failure with this status. */
  stoodIn(status: number, why: string): void
  /** The answer of the service is of no use: it is asked once more. */
  askAgain(): void
  /** Notes what is decided; undefined: nobody watches. */
  readonly watch: RequestWatch | undefined
  /** Names of what comes from the endpoint that is asked (`core/cache/purge.ts`). */
  originNames(): readonly string[]
}

const onlyIfCached: Answer = {
  status: 504,
  error: 'http_request_denied',
  message: 'it is not stored, and the request asks for no more',
  details: 'only-if-cached',
}

export class CachedRequest implements FetchWaiter {
  readonly #client: ClientSide
  readonly #sender: RequestSender
  readonly #relay: AnswerRelay
  readonly #host: CachedHost
  readonly #store: ResponseStore
  #view: CacheView | undefined
  #phase: Phase = 'off'
  #key = ''
  /** Of which service it is, and by which conditions: others may answer the same URL. */
  #from = ''
  /** What is asked about. */
  #validating: readonly StoredResponse[] = []
  #stored: StoredResponse | undefined
  #fetch: Fetch | undefined
  #leads = false
  #arrivedAt = 0
  /** By the wall clock, and by the worker's. */
  #askedAt = 0
  #askedAtMonotonic = 0
  #mark = 0
  #waitsUntil = Infinity
  /** How often the store of the node was asked. */
  #sought = 0
  #counts = newCacheCounts()
  #status: CacheStatus = {}
  /** Further fields for the service. */
  lines: Buffer | undefined
  /** The client's own conditions are not for the service. */
  dropsConditions = false

  constructor(client: ClientSide, sender: RequestSender, relay: AnswerRelay, store: ResponseStore, host: CachedHost) {
    this.#client = client
    this.#sender = sender
    this.#relay = relay
    this.#store = store
    this.#host = host
  }

  get intercepts(): boolean {
    return this.#phase === 'asking' || this.#phase === 'changing'
  }

  /** Returns whether it is answered from the store, now or later: then it does not go to the service, or `askOrigin` is called. */
  begin(view: CacheView, from: string, counts: CacheCounters): boolean {
    const { facts } = this.#client
    this.#view = view
    this.#from = from
    this.#counts = counts
    this.#sought = 0
    this.#arrivedAt = this.#client.worker.now
    this.#phase = 'off'
    this.lines = undefined
    this.dropsConditions = false
    this.#validating = []
    this.#stored = undefined
    this.#status = {}
    // Without a host there is nothing that it could be kept under.
    if (facts.upgrade !== undefined || this.#client.longLived || facts.hostValue === '') return false
    this.#key = keyOf(this.#client.secure ? 'https' : 'http', facts.hostValue, this.#sender.target())
    if (facts.method !== 'GET' && facts.method !== 'HEAD') {
      if (!isSafe(facts.method)) this.#phase = 'changing'
      return false
    }
    return facts.bodyLength === 0 && this.#look()
  }

  #request(): Fields {
    return this.#sender.selecting(this.#from)
  }

  get #now(): number {
    return this.#client.worker.wallTime
  }

  #look(): boolean {
    const view = this.#view!
    const request = this.#request()
    const now = this.#now
    if (isForOrigin(request)) return this.#ask('bypass', false)
    const variants = this.#store.variants(this.#key)
    const stored = this.#store.select(variants, request)
    const wishes = wishesOf(request)
    if (stored !== undefined && this.#isFor(request, stored.facts)) {
      const verdict = mayUse(stored.facts, wishes, now, view)
      const ttl = verdict.ttlMs / 1_000
      if (this.#mayTrust(stored) && (verdict.use === 'now' || (verdict.use === 'now-and-validate' && !this.#client.refreshes))) {
        if (verdict.use === 'now-and-validate') this.#refresh()
        else this.#client.hitFound({ key: this.#key, target: this.#sender.target(), request, variants, stored, view })
        this.#host.watch?.cached(
          ttl > 0 ? 'hit' : 'stale',
          verdict.use === 'now' ? hit(ttl) : 'it is validated meanwhile (RFC 5861, 3)',
          ttl,
          this.#client.worker.now,
        )
        return this.#serve(stored, request, { hit: true, ttl })
      }
      this.#stored = stored
      const collapses = this.#collapses(request, wishes)
      if ((verdict.use !== 'validated' || verdict.why === 'stale') && this.#seek(stored.facts.bornAt, collapses)) return true
      const asks = verdict.use === 'validated' ? verdict.why : 'stale'
      this.#host.watch?.cached('miss', whyAsked[asks], ttl, this.#client.worker.now)
      return this.#refuse(wishes) || this.#validate(request, [stored], asks, collapses)
    }
    const collapses = this.#collapses(request, wishes)
    if (this.#seek(undefined, collapses) || this.#refuse(wishes)) return true
    // Variants of other requests may be what the origin chooses for this one.
    const mine = secondaryKey([fromField], request)
    const others = variants.filter(({ facts, variant }) => facts.etag !== undefined && (variant === mine || variant.startsWith(`${mine}\n`)))
    if (others.length > 0) return this.#validate(request, others, 'vary-miss', false)
    return this.#ask('uri-miss', collapses)
  }

  /** What was asked for after the request came is no older than what the origin would say, whatever may have been invalidated unheard. */
  #mayTrust({ askedAt }: StoredResponse): boolean {
    return this.#store.trusted || askedAt >= this.#arrivedAt
  }

  /** A response to somebody with credentials is for him, but where it says that it is for all. */
  #isFor(request: Fields, facts: StoredFacts): boolean {
    return facts.forAll || request.all('authorization').length === 0
  }

  #refuse(wishes: RequestDirectives): boolean {
    if (!wishes.onlyIfCached) return false
    this.#host.answer(onlyIfCached)
    return true
  }

  #collapses(request: Fields, wishes: RequestDirectives): boolean {
    if (this.#client.facts.method !== 'GET' || wishes.noStore || overrides(request) || this.#store.passes(this.#key, this.#client.worker.now))
      return false
    return ['authorization', 'range', 'if-none-match', 'if-modified-since'].every((name) => request.all(name).length === 0)
  }

  // --- asking -----------------------------------------------------------------------------------------------------

  #validate(request: Fields, variants: readonly StoredResponse[], fwd: 'stale' | 'request' | 'vary-miss', collapses: boolean): boolean {
    const lines = this.#client.facts.method === 'GET' && request.all('range').length === 0 ? validationLines(variants.map(({ facts }) => facts)) : ''
    if (lines !== '') {
      this.#validating = variants
      this.lines = latin1(lines)
      this.dropsConditions = true
    }
    return this.#ask(fwd, collapses)
  }

  /** Returns true when somebody else's answer is waited for. */
  #ask(fwd: NonNullable<CacheStatus['fwd']>, collapses: boolean): boolean {
    this.#status = { fwd }
    const { now } = this.#client.worker
    if (overrides(this.#request())) {
      this.#askForItself()
      return false
    }
    if (fwd !== 'stale' && fwd !== 'request') this.#host.watch?.cached(fwd === 'bypass' ? 'bypass' : 'miss', whyAsked[fwd], undefined, now)
    if (collapses && !this.#leads) {
      const under = this.#store.fetches.get(this.#key)
      if (under?.join(this) === true) {
        this.#fetch = under
        this.#phase = 'waiting'
        this.#waitsUntil = now + waitMaxMs
        this.#host.watch?.cached(undefined, 'somebody asks for it already: it waits for that answer', undefined, now)
        return true
      }
      if (under === undefined) {
        this.#fetch = this.#newFetch()
        this.#leads = true
      }
    }
    if (fwd === 'bypass') this.#counts.bypass++
    else if (fwd !== 'stale' && fwd !== 'request') this.#counts.miss++
    this.#phase = 'asking'
    this.#nowAsked()
    return false
  }

  #nowAsked(): void {
    this.#askedAt = this.#now
    this.#askedAtMonotonic = this.#client.worker.now
    this.#mark = this.#store.mark
  }

  /** It may be answered as if it were another request: what comes of it is for its client alone. */
  #askForItself(): void {
    this.#counts.bypass++
    this.#host.watch?.cached('bypass', 'it may ask for something else than its URL: nothing is kept of it', undefined, this.#client.worker.now)
    this.#phase = 'off'
    this.lines = undefined
    this.dropsConditions = false
    this.#validating = []
  }

  /** Whether the store of the node is asked: then it is answered later. */
  #seek(born: number | undefined, leads: boolean): boolean {
    const { link, fetches } = this.#store
    if (link === undefined || this.#leads || this.#sought >= seeksMax || (leads && fetches.has(this.#key))) return false
    const fetch = leads ? this.#newFetch() : new Fetch(this.#store, this.#key)
    if (!fetch.seek(this, { from: this.#request().all(fromField)[0] ?? '', leads, born }, this.#sender.copyOfHead())) {
      if (leads) fetches.delete(this.#key)
      return false
    }
    this.#sought++
    this.#fetch = fetch
    this.#phase = 'waiting'
    this.#waitsUntil = this.#client.worker.now + waitMaxMs
    return true
  }

  #newFetch(): Fetch {
    const fetch = new Fetch(this.#store, this.#key)
    this.#store.fetches.set(this.#key, fetch)
    return fetch
  }

  lead(fetch: Fetch): void {
    this.#fetch = fetch
    this.#leads = true
    this.#lookAgain()
  }

  wake(waited: boolean): void {
    this.#fetch = undefined
    if (this.#lookAgain() && waited) this.#counts.collapsed++
  }

  #lookAgain(): boolean {
    this.#phase = 'off'
    this.#waitsUntil = Infinity
    this.lines = undefined
    this.dropsConditions = false
    this.#validating = []
    this.#client.worker.tick()
    if (this.#look()) return this.#waitsUntil === Infinity
    this.#host.askOrigin()
    return false
  }

  /** In the background, for those who come later. */
  #refresh(): void {
    if (!this.#store.fetches.has(this.#key)) this.#client.refresh(withoutConditions(this.#sender.copyOfHead()))
  }

  // --- the answer of the service ----------------------------------------------------------------------------------

  /** The head of the service's final answer has come; nothing of it is out. Returns true when the client gets something else. */
  takes(head: Head, buffer: Buffer): Interception {
    const response = new HeadFields(head, buffer)
    if (this.#phase === 'changing') return this.#forget(head.status, response) ? 'pass' : 'hold'
    const exchanged = { requestTime: this.#askedAt, responseTime: this.#now }
    if (head.status === 304 && this.#validating.length > 0) {
      if (!this.#confirmed(response, exchanged)) this.#askWithout()
      return 'taken'
    }
    if (isFailure(head.status) && this.standsIn(head.status, `${head.status}`)) return 'taken'
    if (this.#status.fwd === 'stale' || this.#status.fwd === 'request') this.#counts.miss++
    this.#keep(head, buffer, response, exchanged)
    return 'pass'
  }

  /** A 304 that is about nothing we have asked about (RFC 9111, 4.3.3): our conditions were of no use. */
  #askWithout(): void {
    this.#validating = []
    this.lines = undefined
    this.dropsConditions = false
    this.#host.watch?.cached(
      undefined,
      'the service says 304 of something that is not stored: it is asked without conditions',
      undefined,
      this.#client.worker.now,
    )
    this.#host.answerTaken(304, true)
    this.#host.askAgain()
  }

  /** Returns false when the answer has to wait until all workers know of it. */
  #forget(status: number, response: Fields): boolean {
    const urls = invalidatedBy(this.#client.facts.method, status, this.#key, response)
    const names = [...urls.map(urlName), ...this.#groupNames(groupsChangedBy(response))]
    if (names.length === 0) return true
    this.#host.watch?.cached(undefined, `what is stored of it is forgotten (RFC 9111, 4.4): ${names.join(', ')}`, undefined, this.#client.worker.now)
    return this.#store.invalidate({ soft: false, all: false, names }, this.#relay.holds())
  }

  #groupNames(groups: readonly string[]): readonly string[] {
    const origin = originOf(this.#key)
    return groups.map((group) => groupName(origin, group))
  }

  #confirmed(response: HeadFields, exchanged: Exchanged): boolean {
    const request = this.#request()
    const about =
      validatedBy(
        response,
        this.#validating.map(({ facts }) => facts),
      ) ??
      // Of one that names no tag it must be what was asked about; a tag that is not ours is of something else (RFC 9111, 4.3.4).
      (this.#validating.length === 1 && single(response, 'etag') === undefined ? this.#validating[0]?.facts : undefined)
    const before = this.#validating.find(({ facts }) => facts === about)
    if (before === undefined) return false
    const lines = updated(before.lines, dated(linesToKeep(response.lines()), exchanged.responseTime))
    const storing = this.#mayStore(request, before.facts.status, withNews(lines, response), exchanged)
    const variant = storing.store ? secondaryKey(storing.facts.vary, request) : before.variant
    const after: StoredResponse = {
      ...before,
      lines,
      facts: storing.store ? { ...storing.facts, etag: before.facts.etag ?? storing.facts.etag } : before.facts,
      variant,
      // The one who confirms has a part in it.
      names: [...new Set([...before.names, ...this.#host.originNames(), ...tagsOf(response).map(tagName), ...this.#groupNames(groupsOf(response))])],
      mark: this.#mark,
      askedAt: this.#askedAtMonotonic,
    }
    if (storing.store) {
      if (variant === before.variant) this.#store.replace(this.#key, before, after)
      else this.#store.put(this.#key, after)
    } else if (isPlain(request, 200)) this.#store.drop(this.#key)
    this.#host.watch?.cached('revalidated', 'the service says that it is right (RFC 9111, 4.3.3)', this.#ttlOf(after), this.#client.worker.now)
    this.#host.answerTaken(304, true)
    this.#serve(after, request, { ...this.#status, fwdStatus: 304, stored: storing.store })
    return true
  }

  /** A HEAD is judged as the GET whose answer it is about. */
  #mayStore(request: Fields, status: number, response: Fields, exchanged: Exchanged): Storing {
    const storing = mayStore({ all: (name) => request.all(name), method: 'GET' }, status, response, exchanged, this.#view!)
    return storing.store ? { store: true, facts: { ...storing.facts, vary: [fromField, ...storing.facts.vary] } } : storing
  }

  /** A stored response instead of a failure with this status, where it may stand in. */
  standsIn(status: number, detail: string): boolean {
    const stored = this.#stored
    if (stored === undefined || this.#phase === 'off' || !mayUseOnError(stored.facts, this.#now, this.#view!)) return false
    this.#host.answerTaken(status, false)
    this.#host.stoodIn(status, detail)
    const ttl = this.#ttlOf(stored)
    this.#host.watch?.cached('stale', `it stands in for a failure (${detail}; RFC 9111, 4.2.4)`, ttl, this.#client.worker.now)
    return this.#serve(stored, this.#request(), { hit: true, ttl, detail: `stale-if-error ${detail}` })
  }

  #ttlOf({ facts }: StoredResponse): number {
    return (facts.lifetimeMs - (this.#now - facts.bornAt)) / 1_000
  }

  #keep(head: Head, buffer: Buffer, response: HeadFields, exchanged: Exchanged): void {
    const view = this.#view!
    const request = this.#request()
    const key = this.#key
    if (this.#client.facts.method === 'HEAD') {
      this.#learnFromHead(head, response, exchanged, request)
      this.#say(this.#status)
      return
    }
    const storing = this.#mayStore(request, head.status, response, exchanged)
    if (!storing.store || head.contentLength > view.maxBodyBytes) {
      const plain = isPlain(request, head.status)
      if (storing.store || plain) this.#store.pass(key)
      // An older one is not what the origin says now.
      if (!storing.store && plain && head.status < 500) this.#store.drop(key)
      this.#host.watch?.cached(
        undefined,
        storing.store ? `not kept: longer than ${view.maxBodyBytes} bytes` : `not kept: ${storing.why}`,
        undefined,
        this.#client.worker.now,
      )
      this.#say({ ...this.#status, fwdStatus: head.status, ...(storing.store ? {} : { detail: storing.why }) })
      this.#done()
      return
    }
    const { facts } = storing
    const reason = text(buffer, head.reasonStart, head.reasonEnd)
    const lines = dated(linesToKeep(response.lines()), exchanged.responseTime)
    const names = [...this.#host.originNames(), ...tagsOf(response).map(tagName), ...this.#groupNames(groupsOf(response))]
    const variant = secondaryKey(facts.vary, request)
    const fetch = this.#leads ? this.#fetch : undefined
    const mark = this.#mark
    const askedAt = this.#askedAtMonotonic
    const store = this.#store
    const counts = this.#counts
    this.#leads = false
    this.#fetch = undefined
    this.#host.watch?.cached(undefined, 'it is kept (RFC 9111, 3)', (facts.lifetimeMs - (this.#now - facts.bornAt)) / 1_000, this.#client.worker.now)
    this.#say({ ...this.#status, fwdStatus: head.status, stored: true })
    this.#relay.collector = new Collector(head, view.maxBodyBytes, store.collecting, (body) => {
      if (body === undefined) store.pass(key)
      else if (store.put(key, { facts, reason, lines, names, variant, body, mark, askedAt, checkedAt: -1 })) counts.stored++
      else counts.fenced++
      fetch?.over(true)
    })
  }

  #learnFromHead(head: Head, response: HeadFields, exchanged: Exchanged, request: Fields): void {
    const stored = this.#stored ?? this.#store.select(this.#store.variants(this.#key), request)
    if (stored === undefined) return
    const news = {
      etag: single(response, 'etag'),
      lastModified: single(response, 'last-modified'),
      length: head.contentLength < 0 ? undefined : head.contentLength,
    }
    if (
      head.status !== 200 ||
      !headConfirms({ etag: stored.facts.etag, lastModified: stored.facts.lastModified, length: stored.body.length }, news)
    ) {
      if (isPlain(request, head.status) && head.status < 500) this.#store.drop(this.#key)
      return
    }
    const lines = updated(stored.lines, dated(linesToKeep(response.lines()), exchanged.responseTime))
    const storing = this.#mayStore(request, 200, withNews(lines, response), exchanged)
    if (storing.store) this.#store.replace(this.#key, stored, { ...stored, lines, facts: storing.facts })
  }

  #say(status: CacheStatus): void {
    this.#relay.cacheLine = latin1(`Cache-Status: ${cacheStatusOf(status)}\r\n`)
  }

  // --- answering --------------------------------------------------------------------------------------------------

  #serve(stored: StoredResponse, request: Fields, status: CacheStatus): boolean {
    const now = this.#now
    this.#done()
    this.#phase = 'off'
    if (status.fwdStatus !== undefined) this.#counts.revalidated++
    else if ((status.ttl ?? 0) <= 0) this.#counts.stale++
    else this.#counts.hit++
    if (notModified(request, stored.facts, now)) {
      this.#relay.passStored(notModifiedHead(stored, now, status), undefined)
      return true
    }
    const asked = this.#client.facts.method === 'GET' && stored.facts.status === 200 ? single(request, 'range') : undefined
    const range = asked === undefined || !ifRangeHolds(request, stored.facts) ? undefined : rangeOf(asked, stored.body.length)
    if (range?.kind === 'part') {
      this.#relay.passStored(partHead(stored, range.from, range.to, now, status), stored.body.subarray(range.from, range.to + 1))
    } else if (range?.kind === 'unsatisfiable') this.#relay.passStored(unsatisfiableHead(stored, now, status), undefined)
    else this.#relay.passStored(wholeHead(stored, now, status), stored.body)
    return true
  }

  #done(): void {
    const fetch = this.#fetch
    this.#fetch = undefined
    if (fetch === undefined) return
    if (this.#leads) fetch.over()
    else fetch.leave(this)
    this.#leads = false
  }

  /** The request is over, or another service is asked. */
  end(): void {
    this.#phase = 'off'
    this.lines = undefined
    this.dropsConditions = false
    this.#stored = undefined
    this.#validating = []
    this.#waitsUntil = Infinity
    this.#done()
  }

  sweep(now: number): void {
    if (this.#phase !== 'waiting' || now < this.#waitsUntil) return
    // Whoever asks has no answer either: what may stand in for a failure does so now.
    if (this.standsIn(504, 'no answer')) return
    this.#done()
    this.#phase = 'asking'
    this.#nowAsked()
    this.#status = { ...this.#status, collapsed: false }
    this.#host.askOrigin()
  }
}
