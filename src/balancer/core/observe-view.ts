/** What the workers are told about watching requests. A part that is undefined is off, and costs nothing. */
import type { AccessField } from '../../config/types.ts'

export interface AccessLogView {
  /** Absolute path. */
  readonly directory: string
  /** Share of the requests that get a line, 0 to 1; those that failed always do. */
  readonly sample: number
  readonly fields: readonly AccessField[]
  /** Names of query parameters whose values are not written, lower case. */
  readonly mask: readonly string[]
}

export interface TracingView {
  /** URL that takes `ExportTraceServiceRequest` as JSON; undefined: contexts are passed on, spans are not kept. */
  readonly endpoint?: string | undefined
  /** Sent along with the spans. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** `service.name` of the spans. */
  readonly name: string
  /** Share of the traces begun here that are sampled, 0 to 1; who comes with a context has decided already. */
  readonly sample: number
}

export interface ExplainView {
  /** Trails kept per worker. */
  readonly keep: number
  /** An answer that takes longer than this leaves a trail. */
  readonly slowMs: number
  /** Share of the plain requests that leave a trail all the same, 0 to 1. */
  readonly sample: number
  /** Name of the request field that asks for a trail, lower case; undefined: nobody can ask. */
  readonly header?: string | undefined
}

export interface ObserveView {
  readonly access?: AccessLogView | undefined
  readonly tracing?: TracingView | undefined
  readonly explain?: ExplainView | undefined
  /** `asked`: for those requests whose field asks for a trail. */
  readonly serverTiming: 'off' | 'asked' | 'always'
}

/** What was written and lost since the last report. */
export interface ObserverCounts {
  readonly accessLines: number
  readonly accessDropped: number
  readonly spans: number
  readonly spansDropped: number
}

/** Nothing of it is on. */
export const watchesNothing = ({ access, tracing, explain, serverTiming }: ObserveView): boolean =>
  access === undefined && tracing === undefined && explain === undefined && serverTiming === 'off'
