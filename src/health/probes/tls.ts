/** Looks at the certificate that is served: who signed it, for whom, and how long it is still valid. */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { checkServerIdentity, connect, type TLSSocket } from 'node:tls'
import type { CheckSpec } from '../../config/types.ts'
import type { Probe, ProbeResult } from '../types.ts'

const dayMs = 86_400_000

export const tlsProbe = ({ host, port, serverName, ca, verify }: Extract<CheckSpec, { kind: 'tls' }>, wallTime: () => number): Probe => ({
  run: (signal) =>
    new Promise((resolve, reject) => {
      const name = serverName ?? host
      const socket = connect({
        host,
        port,
        ...(isIP(name) === 0 && { servername: name }),
        rejectUnauthorized: false,
        ...(ca !== undefined && { ca: readFileSync(ca) }),
      })
      const cut = (): void => {
        socket.destroy()
      }
      signal.addEventListener('abort', cut, { once: true })
      socket.once('secureConnect', () => {
        const certificate = socket.getPeerCertificate()
        const validTo = certificate.valid_to
        const left = Date.parse(validTo) - wallTime()
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
  return checkServerIdentity(name, socket.getPeerCertificate())?.message ?? (error instanceof Error ? error.message : error)
}

function judge(left: number, validTo: string, distrust: string | undefined): ProbeResult {
  if (Number.isNaN(left)) return { outcome: 'fail', message: 'no certificate is served' }
  if (left <= 0) return { outcome: 'fail', message: `the certificate expired on ${validTo}`, value: left, unit: 'ms' }
  const days = Math.floor(left / dayMs)
  if (distrust !== undefined) return { outcome: 'fail', message: `the certificate is not to be trusted: ${distrust}`, value: left, unit: 'ms' }
  return {
    outcome: 'pass',
    message: `the certificate is valid for ${days} more ${days === 1 ? 'day' : 'days'}, until ${validTo}`,
    value: left,
    unit: 'ms',
  }
}
