/** A real Alertmanager (Debian: prometheus-alertmanager) in a temporary folder, its amtool, and a server that keeps what webhooks bring. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listens } from './databases.ts'
import { freePort } from './balancer-harness.ts'

export const hasAlertmanager = (): boolean =>
  spawnSync('prometheus-alertmanager', ['--version']).error === undefined && spawnSync('amtool', ['--version']).error === undefined

export class Alertmanager {
  readonly url: string
  readonly #child: ChildProcess
  readonly #folder: string

  private constructor(url: string, child: ChildProcess, folder: string) {
    this.url = url
    this.#child = child
    this.#folder = folder
  }

  /** `config` as JSON, which is YAML. */
  static async start(config: unknown): Promise<Alertmanager> {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-alertmanager-'))
    const file = join(folder, 'alertmanager.yml')
    writeFileSync(file, JSON.stringify(config))
    const port = await freePort()
    const args = [
      `--config.file=${file}`,
      `--storage.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
    ]
    const child = spawn('prometheus-alertmanager', args, { stdio: 'ignore' })
    await listens(port, child)
    return new Alertmanager(`http://127.0.0.1:${port}`, child, folder)
  }

  async alerts(): Promise<readonly { readonly labels: Readonly<Record<string, string>>; readonly endsAt: string }[]> {
    return (await (await fetch(`${this.url}/api/v2/alerts`)).json()) as { labels: Record<string, string>; endsAt: string }[]
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve))
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL')
      await gone
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

export interface Hooked {
  readonly at: number
  readonly status: string
  readonly alerts: readonly { readonly status: string; readonly labels: Readonly<Record<string, string>> }[]
}

export class HookServer {
  readonly hooked: Hooked[] = []
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(): Promise<HookServer> {
    const hooks = new HookServer(
      createServer((request, response) => {
        const at = performance.now()
        let text = ''
        request.setEncoding('utf8').on('data', (part: string) => (text += part))
        request.on('end', () => {
          hooks.hooked.push({ at, ...(JSON.parse(text) as Omit<Hooked, 'at'>) })
          response.end('ok')
        })
      }),
    )
    await new Promise<void>((resolve) => hooks.#server.listen(0, '127.0.0.1', resolve))
    return hooks
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
