/** What endpoints are told of a client's connection (`X-Forwarded-*`, `Forwarded`, `Via`), made once per host that it asks for. */
import type { TLSSocket } from 'node:tls'
import { forwardedBlock } from '../http1/request.ts'
import { clientCertificateFields } from '../tls/client-certificate.ts'

export interface ForwardedFrom {
  readonly address: string
  readonly port: number
  readonly pseudonym: string
  /** undefined: plain. */
  readonly tls: TLSSocket | undefined
  /** As `Via` names it; undefined: HTTP/1.x. */
  readonly version: string | undefined
}

export class ForwardedFields {
  readonly #from: ForwardedFrom
  #block: Buffer | undefined
  #host = ''
  #minor = 1

  constructor(from: ForwardedFrom) {
    this.#from = from
  }

  /** Whole lines. */
  lines(host: string, minor: number): Buffer {
    if (this.#block !== undefined && host === this.#host && minor === this.#minor) return this.#block
    const { address, port, pseudonym, tls, version } = this.#from
    this.#host = host
    this.#minor = minor
    this.#block = forwardedBlock({
      address,
      port,
      scheme: tls ? 'https' : 'http',
      host,
      pseudonym,
      version: version ?? `1.${minor}`,
      more: tls ? clientCertificateFields(tls) : '',
    })
    return this.#block
  }
}
