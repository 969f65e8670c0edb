import type { ProxyProtocolVersion } from '../../config/types.ts'

/** What a worker, and the prober, must know to speak to the endpoints of a service by other means than plain HTTP/1.1. Contents, not paths. */
export interface OriginView {
  /** undefined: plain. */
  readonly tls?: OriginTlsView | undefined
  /** undefined: nothing is sent before a connection. */
  readonly proxyProtocol?: ProxyProtocolVersion | undefined
}

export interface OriginTlsView {
  /** PEM of the authorities that are believed; undefined: those that Node.js knows. */
  readonly ca?: string | undefined
  /** PEM of our own certificate and its key; both or none. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** undefined: the host of the endpoint. */
  readonly serverName?: string | undefined
  /** false: every certificate is believed. */
  readonly verify: boolean
}
