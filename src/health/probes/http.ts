/** Asks a URL on a connection of its own, so that connecting is part of what is checked. */
import { request as askPlain, type IncomingMessage } from 'node:http'
import { request as askSecurely } from 'node:https'
import { TLSSocket } from 'node:tls'
import type { HttpSpec } from '../../config/types.ts'
import { writeDuration } from '../../config/core/units.ts'
import { isEqual, valueAt } from '../core/json-path.ts'
import { levelOf } from '../core/thresholds.ts'
import { lookup } from '../../kernel/lookup.ts'
import type { Note, Probe, ProbeResult } from '../types.ts'
import { atFirst } from './failures.ts'
import { authorities, leftOf, leftWords } from './certificate.ts'

/** Of an answer this much is looked at. */
export const bodyMax = 1_048_576

export const httpProbe = (spec: HttpSpec, wallTime: () => number): Probe => ({
  async run(signal, note = () => undefined) {
    const answer = await head(spec, signal, note)
    try {
      // Read first: a socket that has ended has no certificate any more.
      const left = answer.socket instanceof TLSSocket ? leftOf(answer.socket.getPeerCertificate(), wallTime()) : undefined
      note('reading its answer')
      return withCertificate(await judge(spec, answer), left, spec)
    } finally {
      answer.destroy()
    }
  },
})

function head({ url, method, headers, ca, verify }: HttpSpec, signal: AbortSignal, note: Note): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = {
      ...{ method, signal, lookup, agent: false, rejectUnauthorized: verify },
      headers: { 'user-agent': 'holdfast-check', accept: '*/*', ...headers },
      ...(ca !== undefined && { ca: authorities(ca) }),
    }
    const secure = url.startsWith('https:')
    const request = (secure ? askSecurely : askPlain)(url, options, resolve)
    note(atFirst(new URL(url).hostname))
    request.once('socket', (socket) => {
      socket.once('lookup', () => {
        note('connecting')
      })
      socket.once('connect', () => {
        note(secure ? 'connected, and waiting for TLS' : 'connected, and waiting for its answer')
      })
      socket.once('secureConnect', () => {
        note('connected, and waiting for its answer')
      })
    })
    // Whoever changes the protocol has answered.
    request.once('upgrade', (answer: IncomingMessage) => {
      resolve(answer)
    })
    request.once('error', reject)
    request.end()
  })
}

async function judge({ expect, method }: HttpSpec, answer: IncomingMessage): Promise<ProbeResult> {
  const { statusCode = 0 } = answer
  const range = expect.statusMin === expect.statusMax ? String(expect.statusMin) : `${expect.statusMin}-${expect.statusMax}`
  if (statusCode < expect.statusMin || statusCode > expect.statusMax)
    return { outcome: 'fail', message: `expected status ${range}, got ${statusCode}` }
  const passed: ProbeResult = { outcome: 'pass', message: `status ${statusCode}` }
  if ((expect.body === undefined && expect.json === undefined) || method === 'HEAD') return passed
  const body = await textOf(answer)
  if (expect.body !== undefined && !body.includes(expect.body)) {
    return { outcome: 'fail', message: `status ${statusCode}, and the answer does not contain ${JSON.stringify(expect.body)}` }
  }
  return expect.json === undefined ? passed : jsonSays(body, expect.json, statusCode)
}

/** What the answer says, and beside it how long the certificate is still valid: a warning as long as the answer is as it should be. */
function withCertificate(result: ProbeResult, left: number | undefined, { certificate }: HttpSpec): ProbeResult {
  if (left === undefined) return result
  const { warnAt, criticalAt } = certificate
  const level = levelOf(left, 'ok', { warnAt, criticalAt, falling: true, hysteresis: 0 })
  if (result.outcome !== 'pass' || level === 'ok') return { ...result, certificateMs: left }
  const bound = level === 'critical' ? criticalAt : warnAt
  const said = `${leftWords(left)}, ${level} from ${bound === undefined ? '' : writeDuration(bound)}`
  return { ...result, certificateMs: left, level, message: `${result.message}, and the certificate ${said}` }
}

function jsonSays(body: string, { path, equals }: NonNullable<HttpSpec['expect']['json']>, status: number): ProbeResult {
  let parsed: unknown
  try {
    parsed = JSON.parse(body)
  } catch {
    return { outcome: 'fail', message: `status ${status}, and the answer is not JSON` }
  }
  const value = valueAt(parsed, path)
  if (value === undefined) return { outcome: 'fail', message: `status ${status}, and there is no ${path} in the answer` }
  const shown = JSON.stringify(value)
  if (equals !== undefined && !isEqual(value, equals)) return { outcome: 'fail', message: `expected ${path} to be ${equals}, got ${shown}` }
  const number = equals === undefined && typeof value === 'number' ? { value, unit: 'count' as const } : {}
  return { outcome: 'pass', message: `${path} is ${shown}`, ...number }
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of answer as AsyncIterable<Buffer>) {
    parts.push(part)
    bytes += part.length
    if (bytes >= bodyMax) break
  }
  return Buffer.concat(parts).subarray(0, bodyMax).toString('utf8')
}
