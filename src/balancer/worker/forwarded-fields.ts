/** What endpoints are told of a client's connection (`X-Forwarded-*`, `Forwarded`, `Via`), made once per host that it asks for. */
import type { TLSSocket } from 'node:tls'
import { forwardedBlock, type ForwardedChain } from '../http1/request.ts'
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

/** Of a chain that is longer, the part next to us is passed on. */
const hopsMax = 32
const forwardedCharactersMax = 2_048
const hop = /^[\w.:[\]-]{1,100}$/

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
    this.#host = host
    this.#minor = minor
    this.#block = this.#made(host, minor, undefined)
    return this.#block
  }

  /** The same behind a proxy that is trusted: what it says of the client is passed on, and its own address is added. */
  chained(host: string, minor: number, field: (name: string) => string | undefined): Buffer {
    return this.#made(host, minor, chainOf(field))
  }

  #made(host: string, minor: number, said: ForwardedChain | undefined): Buffer {
    const { address, port, pseudonym, tls, version } = this.#from
    return forwardedBlock({
      address,
      port,
      scheme: tls ? 'https' : 'http',
      host,
      pseudonym,
      version: version ?? `1.${minor}`,
      more: tls ? clientCertificateFields(tls) : '',
      said,
    })
  }
}

/** Only what has the form of it: a trusted proxy may itself pass on what somebody made up. */
function chainOf(field: (name: string) => string | undefined): ForwardedChain {
  const hops = (field('x-forwarded-for') ?? '')
    .split(',')
    .map((each) => each.trim())
    .filter((each) => hop.test(each))
    .slice(-hopsMax)
  const proto = field('x-forwarded-proto')?.toLowerCase()
  const host = field('x-forwarded-host')
  const port = field('x-forwarded-port')
  const forwarded = field('forwarded')
  return {
    for: hops.length === 0 ? undefined : hops.join(', '),
    proto: proto === 'http' || proto === 'https' ? proto : undefined,
    host: host !== undefined && /^[\w.:[\]-]{1,255}$/.test(host) ? host : undefined,
    port: port !== undefined && /^\d{1,5}$/.test(port) ? port : undefined,
    forwarded: forwarded !== undefined && /^[\x20-\x7e]+$/.test(forwarded) && forwarded.length <= forwardedCharactersMax ? forwarded : undefined,
  }
}
