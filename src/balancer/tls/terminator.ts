/**
 * TLS on a listener's connections. It is given raw connections and gives back those whose handshake is done; one for each set of
 * certificates, so that a new set takes over with the next connection, and handshakes under way end with the set they began with.
 *
 *   raw ──accept──▶ handshake ──▶ established (a connection like any other)
 *                       └──▶ failed, counted
 */
import { constants, createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { createSecureContext, createServer, type SecureContext, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls'
import { ByHost } from './by-host.ts'
import type { CertificateView, TlsView } from '../core/tls-view.ts'

/** Mozilla's "intermediate" of version 5.7. Its curves are those below. */
const ciphers = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')
const curves = 'X25519:P-256:P-384'
/** From the first byte of a connection to the end of its handshake. */
const handshakeMs = 10_000
/** A session may be taken up again for this long. */
const sessionSeconds = 24 * 60 * 60

export interface TerminatorOptions {
  readonly listener: string
  readonly view: TlsView
  /** Offered by ALPN. */
  readonly http2: boolean
  /** 48 bytes that every worker has, so that a session begun at one is taken up by any other; undefined: each for itself. */
  readonly ticketKeys: Buffer | undefined
  readonly onEstablished: (socket: TLSSocket) => void
  readonly onFailed: (code: string | undefined) => void
}

export class Terminator {
  readonly view: TlsView
  readonly http2: boolean
  readonly #server: Server
  readonly #contexts: readonly SecureContext[]

  constructor(options: TerminatorOptions) {
    const { view, listener, ticketKeys } = options
    this.view = view
    this.http2 = options.http2
    const shared: SecureContextOptions = {
      minVersion: view.minVersion,
      ciphers,
      ecdhCurve: curves,
      // A client may not renegotiate: it costs us more than it.
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
      sessionTimeout: sessionSeconds,
      sessionIdContext: sessionContext(listener, view),
      ...(view.clientCa !== undefined && { ca: view.clientCa }),
      ...(ticketKeys && { ticketKeys }),
    }
    const entries = view.certificates.map((certificate) => ({ hosts: certificate.hosts, value: contextOf(certificate, shared) }))
    this.#contexts = entries.map(({ value }) => value)
    const byHost = new ByHost(entries)
    const [first] = view.certificates
    this.#server = createServer({
      ...shared,
      cert: first?.cert,
      key: first?.key,
      ALPNProtocols: options.http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
      handshakeTimeout: handshakeMs,
      requestCert: view.clientCa !== undefined,
      rejectUnauthorized: view.requireClientCert,
      allowHalfOpen: true,
      // With a single certificate there is nothing to choose, and asking costs.
      ...(entries.length > 1 && {
        SNICallback: (name: string, done: (error: Error | null, context?: SecureContext) => void) => {
          done(null, byHost.find(name))
        },
      }),
    })
    this.#server.on('secureConnection', options.onEstablished)
    this.#server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      socket.destroy()
      options.onFailed(error.code)
    })
  }

  accept(socket: Socket): void {
    this.#server.emit('connection', socket)
  }

  setTicketKeys(keys: Buffer): void {
    this.#server.setTicketKeys(keys)
    for (const { context } of this.#contexts) (context as { setTicketKeys(keys: Buffer): void }).setTicketKeys(keys)
  }
}

function contextOf({ cert, key }: CertificateView, shared: SecureContextOptions): SecureContext {
  return createSecureContext({ ...shared, cert, key })
}

/** A session is taken up only where the same clients are believed: it says who the client is. */
function sessionContext(listener: string, { clientCa, requireClientCert }: TlsView): string {
  return createHash('sha256')
    .update(JSON.stringify([listener, clientCa ?? null, requireClientCert]))
    .digest('hex')
    .slice(0, 32)
}
