/** HAProxy: one thread, shared pool of idle connections, active health check every 2 s, no log. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { firstLine } from '../lib/machine.ts'
import { Child, processTree, waitForPort } from '../lib/process.ts'
import type { Target, TargetContext } from './target.ts'

const configuration = ({ port, originPort }: TargetContext): string => `
global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 2s
  timeout client 120s
  timeout server 30s
  timeout http-keep-alive 120s
  option forwardfor
  http-reuse always
frontend web
  bind 127.0.0.1:${port} backlog 4096
  default_backend origin
backend origin
  option httpchk GET /health
  server one 127.0.0.1:${originPort} check inter 2s fall 3 rise 2 pool-max-conn 512
`

export const haproxy: Target = {
  name: 'haproxy',
  version: () => /version ([\d.]+)/.exec(firstLine('haproxy', ['-v']) ?? '')?.[1],
  async start(context) {
    const file = join(context.directory, 'haproxy.cfg')
    writeFileSync(file, configuration(context))
    const child = Child.start('haproxy', ['haproxy', '-f', file, '-db'], { core: context.core })
    await waitForPort(context.port, child)
    return { child, pids: () => processTree(child.pid) }
  },
}
