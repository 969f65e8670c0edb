/** An heir that comes too late: the last worker of a dead primary starts it, and in the same moment everything is shut down. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { RawClient, eventually } from '../support/balancer-harness.ts'

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
