/** Where connections come in, and what is spoken there. */

export interface ListenerConfig {
  readonly port: number
  readonly host: string
  /** undefined: http. */
  readonly protocol?: ListenerProtocol | undefined
  /** undefined: plain. */
  readonly tls?: ListenerTlsConfig | undefined
  /** Speaks HTTP/2 to clients that ask for it. */
  readonly http2: boolean
  /** Proxies in front that say whose each connection is; undefined: clients come by themselves. */
  readonly proxyProtocol?: { readonly from: readonly string[] } | undefined
}

export const listenerProtocols = ['http', 'tcp'] as const
export type ListenerProtocol = (typeof listenerProtocols)[number]

export const tlsVersions = ['TLSv1.2', 'TLSv1.3'] as const

export interface ListenerTlsConfig {
  /** Absolute paths of PEM files. */
  readonly certificates: readonly { readonly cert: string; readonly key: string; readonly hosts: readonly string[] }[]
  readonly minVersion: (typeof tlsVersions)[number]
  readonly clientCa: string | undefined
  readonly requireClientCert: boolean
  /** One more certificate, made here and signed by itself. */
  readonly development: boolean
  readonly acme?: AcmeConfig | undefined
}

/** A certificate that is got and renewed by ACME. */
export interface AcmeConfig {
  readonly hosts: readonly string[]
  readonly email: string | undefined
  /** Of the authority. */
  readonly directory: string
  readonly agreeToTerms: boolean
}
