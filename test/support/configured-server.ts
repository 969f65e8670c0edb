/** A real server in a temporary folder, with its configuration in a file and its API on a free port. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './balancer-harness.ts'
import { killed, listens } from './databases.ts'

export interface Started {
  readonly url: string
  readonly child: ChildProcess
  readonly folder: string
}

/** `config` as JSON, which is YAML; `args`: those that say where it keeps things. */
export async function startConfigured(program: string, config: unknown, args: (data: string) => readonly string[]): Promise<Started> {
  const folder = mkdtempSync(join(tmpdir(), `holdfast-${program}-`))
  const file = join(folder, 'config.yml')
  writeFileSync(file, JSON.stringify(config))
  const port = await freePort()
  const all = [`--config.file=${file}`, `--web.listen-address=127.0.0.1:${port}`, ...args(join(folder, 'data'))]
  const child = spawn(program, all, { stdio: 'ignore' })
  await listens(port, child)
  return { url: `http://127.0.0.1:${port}`, child, folder }
}

export class ConfiguredServer {
  readonly url: string
  readonly #started: Started

  constructor(started: Started) {
    this.url = started.url
    this.#started = started
  }

  async stop(): Promise<void> {
    await killed(this.#started.child, 'SIGKILL')
    rmSync(this.#started.folder, { recursive: true, force: true })
  }
}
