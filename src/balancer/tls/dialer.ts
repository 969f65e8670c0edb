/**
 * TLS to endpoints: one context for all endpoints of a service, and the last session of each, so that a new connection is spared a full
 * handshake. New files make a new dialer: what it did not open is not used again, and what is under way ends undisturbed.
 */
import { isIP, Socket, type OnReadOpts } from 'node:net'
import { checkServerIdentity, connect, createSecureContext, type ConnectionOptions, type SecureContext, type TLSSocket } from 'node:tls'
import type { OriginTlsView } from '../core/origin-view.ts'

/** An endpoint, and where the session with it is kept. */
export interface Dialed {
  readonly view: { readonly host: string; readonly port: number }
  /** undefined: none yet. */
  session: Buffer | undefined
}

export class TlsDialer {
  readonly #view: OriginTlsView
  readonly #context: SecureContext

  /** Throws what OpenSSL says of the certificates. */
  constructor(view: OriginTlsView) {
    this.#view = view
    this.#context = originContext(view)
  }

  /**
   * A connection whose handshake has begun: `secureConnect` is when it is done. `header` is sent before it, and then what is read comes as
   * `data`: Node reads into buffers of ours only when it makes the socket itself.
   */
  dial(endpoint: Dialed, onread: OnReadOpts | undefined, protocol: 'http/1.1' | 'h2' = 'http/1.1', header?: Uint8Array): TLSSocket {
    const { host, port } = endpoint.view
    const below = header && headed(new Socket({ allowHalfOpen: true }).connect({ host, port, noDelay: true }), header)
    // The types of Node do not know what it takes when it makes the socket itself.
    const options: ConnectionOptions & { readonly onread?: OnReadOpts; readonly allowHalfOpen: boolean } = {
      ...(below ? { socket: below } : { host, port }),
      ...serverNameOf(this.#view, host),
      secureContext: this.#context,
      rejectUnauthorized: this.#view.verify,
      ALPNProtocols: [protocol],
      allowHalfOpen: protocol !== 'h2',
      ...(endpoint.session && { session: endpoint.session }),
      ...(onread && { onread }),
    }
    const socket = connect(options)
    below?.on('error', (error) => socket.destroy(error))
    socket.setNoDelay(true)
    socket.on('session', (session) => {
      endpoint.session = session
    })
    return socket
  }
}

/** `header` leaves before everything else. */
export function headed(socket: Socket, header: Uint8Array): Socket {
  socket.write(header)
  return socket
}

/** Throws what OpenSSL says of the certificates. */
export function originContext({ ca, cert, key }: OriginTlsView): SecureContext {
  return createSecureContext({ minVersion: 'TLSv1.2', ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert, key }) })
}

/** An address is no name to ask for (RFC 6066 §3), but may stand in a certificate. */
export function serverNameOf({ serverName }: Pick<OriginTlsView, 'serverName'>, host: string): { readonly servername?: string } {
  if (serverName !== undefined) return { servername: serverName }
  return isIP(host) === 0 ? { servername: host } : {}
}

/** For a connection of its own, over whatever socket: the name in the certificate is the one that was asked for, whatever a driver calls the host. */
export function secured(tls: OriginTlsView, host: string): ConnectionOptions {
  return {
    ...serverNameOf(tls, host),
    secureContext: originContext(tls),
    rejectUnauthorized: tls.verify,
    checkServerIdentity: (_host, certificate) => checkServerIdentity(tls.serverName ?? host, certificate),
  }
}
