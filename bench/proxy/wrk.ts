/** Drives one case with wrk and reads its result. */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Child } from '../lib/process.ts'
import type { BenchCase } from './cases.ts'

export interface LoadResult {
  readonly requests: number
  /** How long it really took, in microseconds. */
  readonly micros: number
  /** In microseconds. */
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** Answers outside 2xx and 3xx, sockets that failed, requests that timed out. */
  readonly errors: number
}

interface WrkSummary extends Omit<LoadResult, 'errors'> {
  readonly connect: number
  readonly read: number
  readonly write: number
  readonly status: number
  readonly timeout: number
}

export const connections = 64

const script = join(dirname(fileURLToPath(import.meta.url)), 'load.lua')

export async function runWrk(
  port: number,
  { path, method, bodyBytes, close, feature, keys = 0, fields = {} }: BenchCase,
  seconds: number,
  core: number,
): Promise<LoadResult> {
  const url = `${feature === 'tls' ? 'https' : 'http'}://127.0.0.1:${port}${path}`
  const options = ['-t', '1', '-c', String(connections), '-d', `${seconds}s`, '--timeout', '5s', '-s', script]
  const headers = Object.entries(fields).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const args = [method, String(bodyBytes), close ? 'close' : 'keep-alive', String(keys)]
  const wrk = Child.start('wrk', ['wrk', ...options, ...headers, url, '--', ...args], { core })
  await wrk.exited
  const line = /^RESULT (\{.*\})$/m.exec(wrk.output)?.[1]
  if (line === undefined) throw new Error(`wrk on ${url} gave no result:\n${wrk.output}`)
  const { connect, read, write, status, timeout, ...result } = JSON.parse(line) as WrkSummary
  return { ...result, errors: connect + read + write + status + timeout }
}
