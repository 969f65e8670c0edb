/** A real Prometheus (Debian: prometheus), which scrapes what a test tells it to, once a second. */
import { spawnSync } from 'node:child_process'
import { ConfiguredServer, startConfigured } from './configured-server.ts'

export const hasPrometheus = (): boolean => spawnSync('prometheus', ['--version']).error === undefined

export class Prometheus extends ConfiguredServer {
  /** `targets`: `127.0.0.1:9090`. `more`: lines of its configuration. */
  static async start(targets: readonly string[], more: Readonly<Record<string, unknown>> = {}): Promise<Prometheus> {
    const config = {
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      scrape_configs: [{ job_name: 'holdfast', static_configs: [{ targets }] }],
      ...more,
    }
    return new Prometheus(await startConfigured('prometheus', config, (data) => [`--storage.tsdb.path=${data}`, '--log.level=error']))
  }
}
