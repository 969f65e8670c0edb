/** Caddy: keep-alive to the origin, active health check every 2 s, no access log (its default), no admin endpoint. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { firstLine } from '../lib/machine.ts'
import { Child, processTree, waitForPort } from '../lib/process.ts'
import type { Target, TargetContext } from './target.ts'

const configuration = ({ port, originPort }: TargetContext): string => `{
  admin off
  auto_https off
  log {
    level ERROR
  }
  servers {
    timeouts {
      idle 120s
    }
  }
}
http://127.0.0.1:${port} {
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:${originPort} {
    health_uri /health
    health_interval 2s
    transport http {
      keepalive 120s
      keepalive_idle_conns 512
      keepalive_idle_conns_per_host 512
      compression off
    }
  }
}
`

export const caddy: Target = {
  name: 'caddy',
  features: [],
  version: () => firstLine('caddy', ['version'])?.split(' ')[0],
  async start(context) {
    const { directory, core, port } = context
    const file = join(directory, 'Caddyfile')
    writeFileSync(file, configuration(context))
    const env = { XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory, GOMAXPROCS: '1' }
    const child = Child.start('caddy', ['caddy', 'run', '--config', file, '--adapter', 'caddyfile'], { core, env })
    await waitForPort(port, child)
    return { child, pids: () => processTree(child.pid) }
  },
}
