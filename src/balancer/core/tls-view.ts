/** What a worker must know to terminate TLS on a listener. Contents, not paths: a file that changes or vanishes meanwhile changes nothing. */
export interface TlsView {
  /** The first one serves whoever names no host, or one that no certificate has. */
  readonly certificates: readonly CertificateView[]
  readonly minVersion: TlsVersion
  /** PEM of the authorities whose clients are believed; undefined: clients are not asked for a certificate. */
  readonly clientCa?: string | undefined
  readonly requireClientCert: boolean
}

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3'

export interface CertificateView {
  /** PEM, the certificate itself first, then those between it and the root. */
  readonly cert: string
  /** PEM. */
  readonly key: string
  /** Lower case; `*.example.com` for any name of one label below it. */
  readonly hosts: readonly string[]
}
