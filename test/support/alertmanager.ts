/** A real Alertmanager (Debian: prometheus-alertmanager), its amtool, and a server that keeps what webhooks bring. */
import { spawnSync } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ConfiguredServer, startConfigured } from './configured-server.ts'

export const hasAlertmanager = (): boolean =>
  spawnSync('prometheus-alertmanager', ['--version']).error === undefined && spawnSync('amtool', ['--version']).error === undefined

export class Alertmanager extends ConfiguredServer {
  static async start(config: unknown): Promise<Alertmanager> {
    return new Alertmanager(
      await startConfigured('prometheus-alertmanager', config, (data) => [`--storage.path=${data}`, '--cluster.listen-address=']),
    )
  }

  async alerts(): Promise<readonly { readonly labels: Readonly<Record<string, string>>; readonly endsAt: string }[]> {
    return (await (await fetch(`${this.url}/api/v2/alerts`)).json()) as { labels: Record<string, string>; endsAt: string }[]
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
