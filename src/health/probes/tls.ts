/** Looks at the certificate that is served: who signed it, for whom, and how long it is still valid. */
import { isIP } from 'node:net'
import { checkServerIdentity, connect, type TLSSocket } from 'node:tls'
import type { CheckSpec } from '../../config/types.ts'
import { lookup } from '../../kernel/lookup.ts'
import type { Probe, ProbeResult } from '../types.ts'
import { atFirst, wordsOf } from './failures.ts'
import { authorities, leftOf, leftWords } from './certificate.ts'

export const tlsProbe = ({ host, port, serverName, ca, verify }: Extract<CheckSpec, { kind: 'tls' }>, wallTime: () => number): Probe => ({
  run: (signal, note) =>
    new Promise((resolve, reject) => {
      const name = serverName ?? host
      const socket = connect({
        ...{ host, port, lookup },
        ...(isIP(name) === 0 && { servername: name }),
        rejectUnauthorized: false,
        ...(ca !== undefined && { ca: authorities(ca) }),
      })
      note?.(atFirst(host))
      socket.once('lookup', () => note?.('connecting'))
      socket.once('connect', () => note?.('connected, and waiting for TLS'))
      const cut = (): void => {
        socket.destroy()
      }
      signal.addEventListener('abort', cut, { once: true })
      socket.once('secureConnect', () => {
        const certificate = socket.getPeerCertificate()
        const validTo = certificate.valid_to
        const left = leftOf(certificate, wallTime()) ?? NaN
        // What has run out says so by the time that is left; that it is not trusted besides would only hide it.
        const distrust = verify && left > 0 ? distrustOf(socket, name) : undefined
        socket.destroy()
        resolve(judge(left, validTo, distrust))
      })
      socket.once('error', reject)
      socket.once('close', () => {
        signal.removeEventListener('abort', cut)
        reject(new Error('the connection was closed'))
      })
    }),
})

/** Why it is not believed; undefined: it is. Who it is for is said in more words than a code has. */
function distrustOf(socket: TLSSocket, name: string): string | undefined {
  const error = socket.authorizationError as Error | string | null | undefined
  if (!error) return undefined
  const other = checkServerIdentity(name, socket.getPeerCertificate())?.message
  return other ?? wordsOf(error instanceof Error ? error : Object.assign(new Error(error), { code: error }))
}

function judge(left: number, validTo: string, distrust: string | undefined): ProbeResult {
  if (Number.isNaN(left)) return { outcome: 'fail', message: 'no certificate is served' }
  const measured = { value: left, unit: 'ms', certificateMs: left } as const
  if (left <= 0) return { ...measured, outcome: 'fail', message: `the certificate expired on ${validTo}` }
  if (distrust !== undefined) return { ...measured, outcome: 'fail', message: `the certificate is not to be trusted: ${distrust}` }
  return { ...measured, outcome: 'pass', message: `the certificate ${leftWords(left)}, until ${validTo}` }
}
