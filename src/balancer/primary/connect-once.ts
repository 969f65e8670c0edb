/** The probe of a TCP service: whether a connection can be had. */
import { connect } from 'node:net'
import { proxyHeader } from '../core/proxy-protocol.ts'
import type { OriginView } from '../core/origin-view.ts'
import { codeOf } from '../../kernel/errors.ts'

/** Why not; undefined: it could. Never throws. */
export function connectOnce(
  { host, port }: { readonly host: string; readonly port: number },
  { timeoutMs }: { readonly timeoutMs: number },
  origin?: OriginView,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    if (origin?.proxyProtocol) socket.write(proxyHeader(origin.proxyProtocol))
    const finish = (failure: string | undefined): void => {
      socket.destroy()
      resolve(failure)
    }
    socket.setTimeout(timeoutMs, () => {
      finish(`connecting took longer than ${timeoutMs} ms`)
    })
    socket.once('connect', () => {
      finish(undefined)
    })
    socket.once('error', (error) => {
      finish(`connecting failed: ${codeOf(error) ?? error.message}`)
    })
  })
}
