/**
 * Connections that come through a proxy in front which says by the PROXY protocol whose they are. The header comes before everything else,
 * TLS included; when it is read the socket has the address that it tells, and what follows is left in it.
 *
 *   accepted ──not from a trusted address──▶ refused
 *       └──▶ reading ──header──▶ through
 *               └──malformed │ 3 s │ end──▶ refused
 */
import type { Socket } from 'node:net'
import { readProxyHeader, type ProxyAddress } from '../core/proxy-protocol.ts'
import { TrustedProxies } from '../core/rules/addresses.ts'
import { proxyHeaderMs } from './limits.ts'

export type ProxyRefusal = 'proxy_untrusted' | 'proxy_header' | 'proxy_header_timeout'

export interface ProxiedHost {
  through(socket: Socket): void
  refused(reason: ProxyRefusal): void
}

const plainAddress = (address: string | undefined): string => address?.replace(/^::ffff:(?=\d+\.)/, '') ?? 'unknown'
const peerOf = ({ remoteAddress, remotePort, localAddress, localPort }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`

/** From here on the socket comes from there. */
function comesFrom(socket: Socket, { address, port }: ProxyAddress): void {
  Object.defineProperties(socket, { remoteAddress: { value: address }, remotePort: { value: port } })
}

/** Told addresses of connections that are open, by their real ends: TLS makes a new socket on top of the one that was told of. */
const told = new Map<string, ProxyAddress>()

function tell(socket: Socket, source: ProxyAddress): void {
  const peer = peerOf(socket)
  told.set(peer, source)
  socket.once('close', () => told.delete(peer))
  comesFrom(socket, source)
}

/** A socket of TLS: when the one below it has come through a proxy, it comes from where that does. */
export function securedFrom(socket: Socket): void {
  const source = told.size === 0 ? undefined : told.get(peerOf(socket))
  if (source) comesFrom(socket, source)
}

/** Of one listener. */
export class Proxied {
  readonly from: readonly string[]
  readonly #trusted: TrustedProxies

  constructor(from: readonly string[]) {
    this.from = from
    this.#trusted = new TrustedProxies(from)
  }

  /** Exactly one of the host's methods is called. */
  accept(socket: Socket, host: ProxiedHost): void {
    socket.on('error', () => undefined)
    if (this.#trusted.has(plainAddress(socket.remoteAddress))) this.#read(socket, host)
    else {
      socket.destroy()
      host.refused('proxy_untrusted')
    }
  }

  #read(socket: Socket, host: ProxiedHost): void {
    let gathered = Buffer.alloc(0)
    const settle = (): void => {
      clearTimeout(timer)
      socket.off('readable', onReadable).off('end', onEnd).off('close', onEnd)
    }
    const refuse = (reason: ProxyRefusal): void => {
      settle()
      socket.destroy()
      host.refused(reason)
    }
    const onEnd = (): void => {
      refuse('proxy_header')
    }
    const onReadable = (): void => {
      const chunk = socket.read() as Buffer | null
      if (chunk === null) return
      gathered = Buffer.concat([gathered, chunk])
      const read = readProxyHeader(gathered)
      if (read === 'more') return
      if ('refused' in read) {
        refuse('proxy_header')
        return
      }
      settle()
      if (gathered.length > read.length) socket.unshift(gathered.subarray(read.length))
      if (read.source) tell(socket, read.source)
      host.through(socket)
    }
    const timer = setTimeout(() => {
      refuse('proxy_header_timeout')
    }, proxyHeaderMs)
    socket.on('readable', onReadable).on('end', onEnd).on('close', onEnd)
  }
}
