/** Asks a URL on a connection of its own, so that connecting is part of what is checked. */
import { request as askPlain, type IncomingMessage } from 'node:http'
import { request as askSecurely } from 'node:https'
import { readFileSync } from 'node:fs'
import type { HttpSpec } from '../../config/types.ts'
import { isEqual, valueAt } from '../core/json-path.ts'
import type { Probe, ProbeResult } from '../types.ts'

/** Of an answer this much is looked at. */
export const bodyMax = 1_048_576

export const httpProbe = (spec: HttpSpec): Probe => ({
  async run(signal) {
    const answer = await head(spec, signal)
    try {
      return await judge(spec, answer)
    } finally {
      answer.destroy()
    }
  },
})

function head({ url, method, headers, ca, verify }: HttpSpec, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = {
      method,
      headers: { 'user-agent': 'holdfast-check', accept: '*/*', ...headers },
      agent: false,
      signal,
      rejectUnauthorized: verify,
      ...(ca !== undefined && { ca: readFileSync(ca) }),
    }
    const ask = url.startsWith('https:') ? askSecurely : askPlain
    const request = ask(url, options, resolve)
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
