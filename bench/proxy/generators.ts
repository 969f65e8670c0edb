/** The generators besides wrk: each gives what wrk gives, as far as its tool tells. */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Child } from '../lib/process.ts'
import type { BenchCase, Generator } from './cases.ts'
import { connections, runWrk, type LoadResult } from './wrk.ts'

export type Load = (port: number, benchCase: BenchCase, seconds: number, core: number) => Promise<LoadResult>

const here = dirname(fileURLToPath(import.meta.url))
/** `openssl s_time` makes one connection after the other; so many of them run beside each other. */
const handshakers = 8

/** Full handshakes only: `-new` never offers a session (wrk does when it connects again). */
const sTime: Load = async (port, { path }, seconds, core) => {
  const command = ['openssl', 's_time', '-connect', `127.0.0.1:${port}`, '-new', '-time', String(seconds), '-www', path, '-tls1_3']
  const from = performance.now()
  const runs = await Promise.all(
    Array.from({ length: handshakers }, async () => {
      const child = Child.start('openssl s_time', command, { core })
      await child.exited
      const made = /^(\d+) connections in \d+ real seconds/m.exec(child.output)?.[1]
      if (made === undefined) throw new Error(`openssl s_time on port ${port} gave no result:\n${child.output}`)
      return Number(made)
    }),
  )
  const micros = (performance.now() - from) * 1_000
  return { requests: runs.reduce((sum, made) => sum + made, 0), micros, p50: NaN, p99: NaN, max: NaN, errors: 0 }
}

/** It is told a duration; with one it counts nothing of the warm-up that it does not have. */
const h2load: Load = async (port, { path }, seconds, core) => {
  const options = ['-c', '16', '-m', '32', '-t', '1', '-D', String(seconds), `https://127.0.0.1:${port}${path}`]
  const child = Child.start('h2load', ['h2load', ...options], { core })
  await child.exited
  const rate = /finished in ([\d.]+)s/.exec(child.output)?.[1]
  const counts = /(\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored/.exec(child.output)
  if (rate === undefined || counts === null) throw new Error(`h2load on port ${port} gave no result:\n${child.output}`)
  const [done = 0, succeeded = 0] = counts.slice(1).map(Number)
  return { requests: succeeded, micros: seconds * 1e6, p50: NaN, p99: NaN, max: NaN, errors: done - succeeded }
}

const websocket: Load = async (port, _benchCase, seconds, core) => {
  const command = [process.execPath, join(here, 'websocket-load.mjs'), String(port), String(connections), String(seconds)]
  const child = Child.start('websocket load', command, { core })
  await child.exited
  const line = /^RESULT (\{.*\})$/m.exec(child.output)?.[1]
  if (line === undefined) throw new Error(`the WebSocket load on port ${port} gave no result:\n${child.output}`)
  return JSON.parse(line) as LoadResult
}

export const generators: Readonly<Record<Generator, Load>> = { wrk: runWrk, s_time: sTime, h2load, websocket }
