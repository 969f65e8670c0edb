/**
 * Spans of sampled requests, and their way to a collector: OTLP over HTTP as JSON, in batches, off the hot path. The queue is bounded; what a
 * collector does not take is dropped and counted.
 *
 * The road not taken: the OpenTelemetry SDK. It brings thirty packages and an object graph per span for what is one document and one POST.
 */
import { request } from 'undici'
import { messageOf } from '../../../kernel/errors.ts'

export type SpanValue = string | number

export interface Span {
  readonly id: string
  readonly name: string
  /** On the worker's clock. */
  readonly startedAt: number
  endedAt: number
  error: string | undefined
  readonly attributes: [string, SpanValue][]
}

/** The trace that a request belongs to. */
export interface TraceState {
  readonly traceId: string
  /** Of the span of this request; attempts hang below it. */
  readonly spanId: string
  /** Who asked; undefined: the trace begins here. */
  readonly parentId: string | undefined
  readonly sampled: boolean
  /** Finished spans below that of the request. */
  readonly spans: Span[]
}

/** Spans that wait for the collector. */
const queueMax = 4_096
const batchMax = 512
const answerTimeoutMs = 5_000

/** OTLP's numbers for kinds and states (opentelemetry/proto/trace/v1/trace.proto). */
const kinds = { internal: 1, server: 2, client: 3 } as const
const statusError = 2

interface Queued {
  readonly span: Span
  readonly traceId: string
  readonly parentId: string | undefined
  readonly kind: keyof typeof kinds
}

export interface ExporterOptions {
  readonly endpoint: string
  /** `service.name`. */
  readonly name: string
  /** Sent along: credentials. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** What turns the worker's clock into wall time in milliseconds. */
  readonly wallOffset: () => number
  /** A run of failures has begun. */
  readonly onFailure: (message: string) => void
}

export class SpanExporter {
  readonly #options: ExporterOptions
  #queue: Queued[] = []
  #sending = false
  #failing = false
  #sent = 0
  #dropped = 0

  constructor(options: ExporterOptions) {
    this.#options = options
  }

  /** The span of a request with those below it. */
  add(root: Span, { traceId, spanId, parentId, spans }: TraceState): void {
    if (this.#queue.length + spans.length >= queueMax) {
      this.#dropped += spans.length + 1
      return
    }
    this.#queue.push({ span: root, traceId, parentId, kind: 'server' })
    for (const span of spans) this.#queue.push({ span, traceId, parentId: spanId, kind: span.name === 'parked' ? 'internal' : 'client' })
  }

  /** Sends one batch, unless one is under way. */
  async flush(): Promise<void> {
    if (this.#sending || this.#queue.length === 0) return
    this.#sending = true
    const batch = this.#queue.splice(0, batchMax)
    try {
      await this.#post(batch)
      this.#sent += batch.length
      this.#failing = false
    } catch (error) {
      this.#dropped += batch.length
      if (!this.#failing) this.#options.onFailure(messageOf(error))
      this.#failing = true
    }
    this.#sending = false
  }

  takeCounts(): { readonly sent: number; readonly dropped: number } {
    const counts = { sent: this.#sent, dropped: this.#dropped }
    this.#sent = 0
    this.#dropped = 0
    return counts
  }

  async #post(batch: readonly Queued[]): Promise<void> {
    const { endpoint, name, headers, wallOffset } = this.#options
    const { statusCode, body } = await request(endpoint, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(exportRequest(batch, name, wallOffset())),
      headersTimeout: answerTimeoutMs,
      bodyTimeout: answerTimeoutMs,
    })
    await body.dump()
    if (statusCode >= 300) throw new Error(`sending spans to ${endpoint} failed: it answered ${statusCode}`)
  }
}

const nanos = (ms: number): string => `${Math.round(ms * 1_000)}000`

const attribute = ([key, value]: readonly [string, SpanValue]): object => ({
  key,
  value: typeof value === 'string' ? { stringValue: value } : { intValue: String(value) },
})

/** `ExportTraceServiceRequest` in the JSON form of OTLP. */
function exportRequest(batch: readonly Queued[], name: string, wallOffset: number): object {
  const spans = batch.map(({ span, traceId, parentId, kind }) => ({
    traceId,
    spanId: span.id,
    ...(parentId !== undefined && { parentSpanId: parentId }),
    name: span.name,
    kind: kinds[kind],
    startTimeUnixNano: nanos(wallOffset + span.startedAt),
    endTimeUnixNano: nanos(wallOffset + span.endedAt),
    attributes: span.attributes.map(attribute),
    status: span.error === undefined ? {} : { code: statusError, message: span.error },
  }))
  return {
    resourceSpans: [{ resource: { attributes: [attribute(['service.name', name])] }, scopeSpans: [{ scope: { name: 'holdfast' }, spans }] }],
  }
}
