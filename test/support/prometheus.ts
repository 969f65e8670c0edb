/** A real Prometheus (Debian: prometheus) in a temporary folder, which scrapes what a test tells it to, once a second. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listens } from './databases.ts'
import { freePort } from './balancer-harness.ts'

export const hasPrometheus = (): boolean => spawnSync('prometheus', ['--version']).error === undefined

export class Prometheus {
  readonly url: string
  readonly #child: ChildProcess
  readonly #folder: string

  private constructor(url: string, child: ChildProcess, folder: string) {
    this.url = url
    this.#child = child
    this.#folder = folder
  }

  /** `targets`: `127.0.0.1:9090`. `more`: lines of its configuration, as JSON. */
  static async start(targets: readonly string[], more: Readonly<Record<string, unknown>> = {}): Promise<Prometheus> {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-prometheus-'))
    const config = {
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      scrape_configs: [{ job_name: 'holdfast', static_configs: [{ targets }] }],
      ...more,
    }
    const file = join(folder, 'prometheus.yml')
    writeFileSync(file, JSON.stringify(config))
    const port = await freePort()
    const args = [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ]
    const child = spawn('prometheus', args, { stdio: 'ignore' })
    await listens(port, child)
    return new Prometheus(`http://127.0.0.1:${port}`, child, folder)
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
