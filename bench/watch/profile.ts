/** What a CPU profile costs a busy instance: its CPU time for each request with and without, in turns, so that whatever else the machine does falls on both. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ProfileOrder } from '../../src/profiling/types.ts'
import type { Measurement } from './row.ts'

const child = fileURLToPath(new URL('./profile-instance.ts', import.meta.url))
const connections = 8
const turns = 5
const turnMs = 3_000
const overheadMax = 0.1

export const measureProfile: Measurement = async () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
  const socket = join(directory, 'profiles.sock')
  let bytes = 0
  const receiver = createServer((connection) => connection.on('error', () => undefined).on('data', (chunk) => (bytes += chunk.length))).listen(socket)
  const instance = fork(child, { execArgv: [...process.execArgv, '--import', 'tsx'] })
  try {
    const [port] = (await once(instance, 'message')) as [number]
    const costOfTurn = async (): Promise<number> => {
      const before = await cpuOf(instance)
      const answered = await load(port, turnMs)
      return ((await cpuOf(instance)) - before) / answered
    }
    await load(port, turnMs)
    const plain: number[] = []
    const profiled: number[] = []
    for (let turn = 0; turn < turns; turn++) {
      plain.push(await costOfTurn())
      const order: ProfileOrder = { profile: 'cpu', id: `turn-${turn}`, durationMs: turnMs, socket }
      instance.send(JSON.stringify(order))
      profiled.push(await costOfTurn())
      // The recording is written out: that is not part of either.
      await load(port, 1_000)
    }
    if (bytes === 0) throw new Error('nothing was recorded')
    const overhead = median(profiled) / median(plain) - 1
    return [
      {
        what: 'CPU profile: more CPU for each request of a busy instance while it is recorded',
        measured: `${(overhead * 100).toFixed(1)} %`,
        target: `under ${overheadMax * 100} %`,
        holds: overhead < overheadMax,
        how: `${connections} connections, ${turns} turns of ${turnMs / 1_000} s each with and without; medians ${Math.round(median(plain))} and ${Math.round(median(profiled))} µs a request`,
      },
    ]
  } finally {
    instance.disconnect()
    receiver.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function cpuOf(instance: ChildProcess): Promise<number> {
  instance.send('cpu')
  const [us] = (await once(instance, 'message')) as [number]
  return us
}

/** How many requests were answered. */
async function load(port: number, forMs: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const startedAt = performance.now()
  let answered = 0
  const ask = (): Promise<void> =>
    new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port, agent }, (response) => response.resume().on('end', resolve)).on('error', reject)
    })
  const client = async (): Promise<void> => {
    while (performance.now() - startedAt < forMs) {
      await ask()
      answered++
    }
  }
  await Promise.all(Array.from({ length: connections }, client))
  agent.destroy()
  return answered
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
