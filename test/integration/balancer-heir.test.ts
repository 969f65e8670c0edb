/** Heirs that nobody needs: one that comes when everything has just been shut down, and one of a primary that never had a view. */
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { ask, eventually, get, Origin, pause, plain, RawClient, service, startProxy } from '../support/balancer-harness.ts'

const primary = join(import.meta.dirname, '..', '..', 'dist', 'balancer', 'primary', 'main.js')
let heir: ChildProcess | undefined
let directory: string | undefined

afterEach(() => {
  heir?.kill('SIGKILL')
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
})

it('ends by itself and lets go of the listening sockets when there is no view and nobody who speaks to it', async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-heir-'))
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle
  const inherited = [{ name: 'web', host: '127.0.0.1', port, fd: 3 }]
  heir = spawn(process.execPath, [primary], {
    stdio: ['ignore', 'ignore', 'ignore', fd],
    env: { ...process.env, HOLDFAST_PROXY: JSON.stringify({ directory, workers: 0, inherited }) },
  })
  server.close()
  // It holds the socket as long as it lives.
  const client = await RawClient.to(port)
  const ended = heir
  await eventually('it has ended', () => ended.exitCode === 0, 15_000)
  client.destroy()
  await expect(RawClient.to(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})

/** Processes that were started with this directory in their environment. */
function processesOf(directory: string): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      if (!(pid > 0)) return false
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(directory)
      } catch {
        return false // it has ended meanwhile
      }
    })
}

const childrenOf = (pid: number): readonly number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)

/** Primaries with their workers, at once: a worker that is left begins anew. */
function killAll(directory: string, worker: number | undefined): void {
  const primaries = processesOf(directory)
  for (const pid of new Set([...(worker === undefined ? [] : [worker]), ...primaries.flatMap(childrenOf), ...primaries])) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

it.each([0, 250])('is not left over, nor its worker, when the primary dies %i ms after it has started its first worker', async (delay) => {
  const proxy = await startProxy(1)
  directory = proxy.directory
  const applied = proxy.route(service([])).catch(() => undefined)
  const [worker] = await eventually('a worker was started', () => {
    const children = childrenOf(proxy.pid)
    return children.length > 0 && children
  })
  await pause(delay)
  proxy.client.disconnect()
  process.kill(proxy.pid, 'SIGKILL')
  await applied
  const saved = existsSync(join(directory, 'run', 'proxy-view.json'))
  try {
    // With a saved view the service goes on, as it should; without one nothing may stay.
    if (saved) await eventually('an heir serves', () => processesOf(proxy.directory).some((pid) => pid !== worker), 15_000)
    else await eventually('all have ended', () => !existsSync(`/proc/${worker}`) && processesOf(proxy.directory).length === 0, 25_000)
  } finally {
    killAll(proxy.directory, worker)
  }
})

it('is not started by a worker that was between two attempts while everything was shut down', async () => {
  const proxy = await startProxy(1)
  directory = proxy.directory
  await proxy.route(service([]))
  const [worker] = childrenOf(proxy.pid)
  try {
    process.kill(worker!, 'SIGSTOP')
    proxy.client.disconnect()
    process.kill(proxy.pid, 'SIGKILL')
    // What a shutdown leaves.
    rmSync(join(directory, 'run'), { recursive: true })
    process.kill(worker!, 'SIGCONT')
    await eventually('all have ended', () => !existsSync(`/proc/${worker}`) && processesOf(proxy.directory).length === 0, 15_000)
    await expect(RawClient.to(proxy.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  } finally {
    killAll(proxy.directory, worker)
  }
})

it('is not needed where the disk is full: nothing can be kept, not even words of it, and the primary goes on', async () => {
  const full = mkdtempSync(join(tmpdir(), 'holdfast-full-'))
  mkdirSync(join(full, 'logs'))
  symlinkSync('/dev/full', join(full, 'logs', 'proxy.log'))
  // Nothing can be written in the place of a folder, as nothing can where there is no room.
  const inTheWay = join(full, 'run', 'proxy-view.json')
  mkdirSync(join(inTheWay, 'in the way'), { recursive: true })
  const proxy = await startProxy(1, full)
  const origin = await Origin.start(({ socket }) => socket.write(plain('ok')))
  try {
    for (let view = 0; view < 3; view++) {
      await proxy.route(service([origin]))
      expect((await ask(proxy.port, get())).status).toBe(200)
      await pause(100)
    }
    expect(childrenOf(proxy.pid)).toHaveLength(1)
  } finally {
    rmSync(inTheWay, { recursive: true })
    await origin.stop()
    await proxy.stop()
  }
})
