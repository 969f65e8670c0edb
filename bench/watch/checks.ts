/** 1,000 checks at 10 s: what they cost of one core, and how late the latest began. The engine runs alone in a process on one core; what it asks lives in this one. */
import { fork } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Measurement } from './row.ts'

/** What the child is told by its environment, and tells when it is done. */
export interface ChecksReport {
  readonly cpuPercent: number
  readonly worstLatenessMs: number
  readonly runs: number
  readonly seconds: number
}

const child = fileURLToPath(new URL('./checks-engine.ts', import.meta.url))
/** Of the 1,000. */
const hanging = 50
const pin = '/usr/bin/taskset'

export const measureChecks: Measurement = async ({ seconds }) => {
  const answering = createServer((_request, response) => response.end('{"status":"ok"}'))
  const held = new Set<Socket>()
  // Every one that hangs has an address of its own, as in life.
  const silent = Array.from({ length: hanging }, () =>
    createTcpServer((socket) => {
      held.add(socket)
      socket.on('error', () => undefined).on('close', () => held.delete(socket))
    }),
  )
  const ports = [await listen(answering), ...(await Promise.all(silent.map(listen)))]
  try {
    const { cpuPercent, worstLatenessMs, runs, seconds: measured } = await report(ports, seconds)
    const how = `450 HTTP, 450 TCP, 50 of this machine, 50 that hang until their timeout of 2 s; ${runs} runs in ${measured.toFixed(0)} s, after 15 s; the engine alone in a process${existsSync(pin) ? ' on one core' : ''}`
    return [
      { what: '1,000 checks at 10 s: CPU of one core', measured: `${cpuPercent.toFixed(1)} %`, target: 'under 20 %', holds: cpuPercent < 20, how },
      {
        what: '1,000 checks at 10 s: latest beginning',
        measured: `${worstLatenessMs.toFixed(0)} ms`,
        target: 'at most 500 ms',
        holds: worstLatenessMs <= 500,
        how,
      },
    ]
  } finally {
    for (const socket of held) socket.destroy()
    answering.closeAllConnections()
    answering.close()
    for (const server of silent) server.close()
  }
}

async function listen(server: Server | ReturnType<typeof createTcpServer>): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function report(ports: readonly number[], seconds: number): Promise<ChecksReport> {
  const engine = fork(child, [seconds, ...ports].map(String), {
    execArgv: ['--import', 'tsx'],
    ...(existsSync(pin) && { execPath: pin, execArgv: ['-c', '0', process.execPath, '--import', 'tsx'] }),
  })
  const [message] = (await Promise.race([
    once(engine, 'message'),
    once(engine, 'exit').then(([code]) => Promise.reject(new Error(`the engine ended with code ${String(code)}`))),
  ])) as [ChecksReport]
  return message
}
