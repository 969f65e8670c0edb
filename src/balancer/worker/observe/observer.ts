/**
 * Watches the requests of one worker, as its view says: writes the access log, keeps trails to explain, follows traces. Without anything of
 * that there is no observer, and no request is watched. All that takes time (files, a collector) happens outside of the requests.
 */
import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { chance, type Random } from '../../../kernel/random.ts'
import { Ring } from '../../../kernel/ring.ts'
import { maskTarget } from '../../core/mask.ts'
import type { ObserverCounts, ObserveView, TracingView } from '../../core/observe-view.ts'
import { isTracestate, parseTraceparent } from '../../core/trace-context.ts'
import type { RequestTrail } from '../../core/trail.ts'
import { fieldStride, fieldText, findField, nameEnd, nameStart, type Head } from '../../http1/head.ts'
import { text } from '../../http1/bytes.ts'
import type { RequestFacts } from '../../http1/request.ts'
import { accessLine, refusedLine } from './access-line.ts'
import { LineFile } from './line-file.ts'
import { SpanExporter, type Span, type TraceState } from './spans.ts'
import { SharedLooks } from './trail-keeper.ts'
import type { Ending, RequestWatch } from './watch.ts'

export interface ObserverOptions {
  readonly random: Random
  readonly wallTime: () => number
  /** The clock by which requests are timed. */
  readonly now: () => number
  readonly log: (message: string) => void
}

/** Random bytes are drawn for so many ids at once. */
const idPoolBytes = 4_096

export class Observer {
  readonly #options: ObserverOptions
  view: ObserveView
  #mask: ReadonlySet<string> = new Set()
  #file: LineFile | undefined
  #line: ReturnType<typeof accessLine> | undefined
  #refusedLine: ReturnType<typeof refusedLine> | undefined
  #trails: Ring<RequestTrail> | undefined
  #exporter: SpanExporter | undefined
  #pool = Buffer.alloc(0)
  #poolAt = 0
  #lastTime = 0
  #lastText = ''
  wantsUserAgent = false
  wantsReferrer = false
  traces = false
  /** Trails are kept. */
  explains = false
  readonly looks = new SharedLooks()

  constructor(view: ObserveView, options: ObserverOptions) {
    this.view = view
    this.#options = options
    this.apply(view)
  }

  /** Takes a new view; trails that were kept stay. */
  apply(view: ObserveView): void {
    const { wallTime, now, log } = this.#options
    const before = this.view
    this.view = view
    const { access, tracing, explain } = view
    this.#mask = new Set(access?.mask ?? [])
    if (access?.directory !== before.access?.directory || this.#file === undefined) {
      void this.#file?.close()
      this.#file =
        access &&
        new LineFile({ directory: access.directory, name: 'access', wallTime, onFailure: (why) => log(`writing the access log failed: ${why}`) })
    }
    this.#line = access && accessLine(access.fields)
    this.#refusedLine = access && refusedLine(access.fields)
    this.wantsUserAgent = access?.fields.includes('userAgent') ?? false
    this.wantsReferrer = access?.fields.includes('referrer') ?? false
    this.traces = tracing !== undefined
    this.explains = explain !== undefined
    if (this.#exporter === undefined || !isDeepStrictEqual(collectorOf(tracing), collectorOf(before.tracing))) {
      this.#exporter =
        tracing?.endpoint === undefined
          ? undefined
          : new SpanExporter({ ...collectorOf(tracing), endpoint: tracing.endpoint, wallOffset: () => wallTime() - now(), onFailure: log })
    }
    if (explain?.keep !== this.#trails?.capacity) this.#trails = explain && new Ring(explain.keep)
  }

  // --- questions of a watch -----------------------------------------------------------------------------------------

  masked(target: string): string {
    return maskTarget(target, this.#mask)
  }

  isAsked(head: Head, source: Buffer): boolean {
    const header = this.view.explain?.header
    return header !== undefined && findField(head, source, header) !== undefined
  }

  isSampled(): boolean {
    const sample = this.view.explain?.sample ?? 0
    return sample > 0 && chance(this.#options.random, sample)
  }

  showsTiming(watch: RequestWatch): boolean {
    const { serverTiming } = this.view
    return serverTiming === 'always' || (serverTiming === 'asked' && watch.asked)
  }

  /** Follows the trace of the request, or begins one; what it brought of one that is not valid is not passed on. */
  beginTrace(head: Head, source: Buffer, facts: RequestFacts): TraceState {
    const parents = fieldsNamed(head, source, 'traceparent')
    const parent = parents.length === 1 ? parseTraceparent(parents[0]!) : undefined
    const states = fieldsNamed(head, source, 'tracestate')
    if (parents.length > 0 || states.length > 0) {
      const dropped = new Set(facts.dropped).add('traceparent')
      if (parent === undefined || !isTracestate(states.join(','))) dropped.add('tracestate')
      facts.dropped = dropped
    }
    return {
      traceId: parent?.traceId ?? this.#newId(16),
      spanId: this.#newId(8),
      parentId: parent?.parentId,
      sampled: parent?.sampled ?? chance(this.#options.random, this.view.tracing?.sample ?? 0),
      spans: [],
    }
  }

  /** A span below that of the request; with `trace` it is in it already. */
  newSpan(name: string, startedAt: number, trace?: TraceState): Span {
    const span: Span = { id: this.#newId(8), name, startedAt, endedAt: startedAt, error: undefined, attributes: [] }
    trace?.spans.push(span)
    return span
  }

  #newId(bytes: number): string {
    if (this.#poolAt + bytes > this.#pool.length) {
      this.#pool = randomBytes(idPoolBytes)
      this.#poolAt = 0
    }
    this.#poolAt += bytes
    const id = this.#pool.toString('hex', this.#poolAt - bytes, this.#poolAt)
    return /[1-9a-f]/.test(id) ? id : this.#newId(bytes)
  }

  // --- the end of a request -------------------------------------------------------------------------------------------

  ended(watch: RequestWatch, ending: Ending): void {
    const { access, explain } = this.view
    const { status } = ending
    const failed = status >= 500 || status === 0
    if (this.#line !== undefined && (access!.sample >= 1 || failed || chance(this.#options.random, access!.sample))) {
      this.#file!.add(this.#line(watch, ending, this.#time()))
    }
    const slowMs = explain?.slowMs ?? Infinity
    const plain = !failed && watch.tries <= 1 && !watch.wasParked && !watch.asked && !watch.sampled && watch.endedAt - watch.startedAt <= slowMs
    if (!plain) this.#trails?.push(watch.trail(status, watch.reasons(status, slowMs), this.#options.wallTime()))
    if (watch.trace?.sampled) this.#exporter?.add(this.#requestSpan(watch, watch.trace, ending), watch.trace)
  }

  /** There is no request, but whoever sent what should be one: its head was not understood, or did not come. Always has a line. */
  headRefused(id: string, client: string, status: number, why: string): void {
    if (this.#refusedLine !== undefined) this.#file!.add(this.#refusedLine({ id, client, status, why, time: this.#time() }))
  }

  #requestSpan(watch: RequestWatch, trace: TraceState, { status }: Ending): Span {
    const { method } = watch.client.facts
    const attributes: Span['attributes'] = [
      ['http.request.method', method],
      ['url.path', watch.target.split('?', 1)[0]!],
      ['http.response.status_code', status],
      ['client.address', watch.client.address],
      ['holdfast.request_id', watch.client.requestId],
    ]
    if (watch.service) attributes.push(['holdfast.service', watch.service.name])
    if (watch.route !== undefined) attributes.push(['http.route', watch.route])
    const error = status >= 500 ? String(status) : status === 0 ? 'cut, or left by the client' : undefined
    return { id: trace.spanId, name: method, startedAt: watch.startedAt, endedAt: watch.endedAt, error, attributes }
  }

  /** Now, as text; made once per millisecond. */
  #time(): string {
    const now = this.#options.wallTime()
    if (now !== this.#lastTime) {
      this.#lastTime = now
      this.#lastText = new Date(now).toISOString()
    }
    return this.#lastText
  }

  // --- for the worker ---------------------------------------------------------------------------------------------------

  /** Trails of requests with this id; a client may have used it twice. Newest first. */
  trailsOf(id: string): readonly RequestTrail[] {
    return (this.#trails?.toArray() ?? []).filter((trail) => trail.id === id).reverse()
  }

  /** What waits goes out. */
  flush(): void {
    this.#file?.flush()
    void this.#exporter?.flush()
  }

  takeCounts(): ObserverCounts {
    const lines = this.#file?.takeCounts()
    const spans = this.#exporter?.takeCounts()
    return { accessLines: lines?.written ?? 0, accessDropped: lines?.dropped ?? 0, spans: spans?.sent ?? 0, spansDropped: spans?.dropped ?? 0 }
  }

  async close(): Promise<void> {
    // What is still under way ends without a line.
    this.#line = undefined
    this.#refusedLine = undefined
    await Promise.all([this.#file?.close(), this.#exporter?.flush()])
  }
}

/** To whom spans go; what else there is may change while they wait. */
const collectorOf = ({ endpoint, name = '', headers }: Partial<TracingView> = {}) => ({ endpoint, name, headers })

/** The values of all fields of this name (lower case), in order. */
function fieldsNamed(head: Head, source: Buffer, name: string): string[] {
  const values: string[] = []
  for (let i = 0; i < head.fieldCount; i++) {
    const start = head.fields[i * fieldStride + nameStart]!
    const end = head.fields[i * fieldStride + nameEnd]!
    if (end - start === name.length && text(source, start, end).toLowerCase() === name) values.push(fieldText(head, source, i))
  }
  return values
}
