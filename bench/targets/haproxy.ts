/**
 * HAProxy: one thread, shared pool of idle connections, active health check every 2 s, no log. With features: its HTTP log to a file, a
 * stick-table that counts each client's rate and could refuse it, and passive checks.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { firstLine } from '../lib/machine.ts'
import { Child, processTree, waitForPort } from '../lib/process.ts'
import type { Target, TargetContext } from './target.ts'

const bindOptions = ({ feature, certificate }: TargetContext): string => {
  if (feature !== 'tls' && feature !== 'http2') return ''
  return ` ssl crt ${certificate.certFile}.pem ssl-min-ver TLSv1.3 alpn ${feature === 'http2' ? 'h2,http/1.1' : 'http/1.1'}`
}

const features = {
  global: '  log stdout format raw local0\n',
  defaults: '  log global\n  option httplog\n  retries 1\n  retry-on conn-failure empty-response response-timeout 502 503 504\n  option redispatch\n',
  frontend: `  stick-table type ip size 100k expire 60s store http_req_rate(10s)
  http-request track-sc0 src
  http-request deny deny_status 429 if { sc_http_req_rate(0) gt 1000000000 }
`,
  server: ' observe layer7 error-limit 10 on-error mark-down',
} as const
const none = { global: '', defaults: '', frontend: '', server: '' } as const

const configuration = (context: TargetContext): string => {
  const { port, originPort, echoPort, feature } = context
  const on = feature === 'features' ? features : none
  return `
global
  nbthread 1
  maxconn 8192
${on.global}defaults
  mode http
  timeout connect 2s
  timeout client 120s
  timeout server 30s
  timeout http-keep-alive 120s
  timeout tunnel 1h
  option forwardfor
  http-reuse always
${on.defaults}frontend web
  bind 127.0.0.1:${port} backlog 4096${bindOptions(context)}
${on.frontend}${feature === 'websocket' ? '  use_backend echo if { path /ws }\n' : ''}  default_backend origin
backend origin
  option httpchk GET /health
  server one 127.0.0.1:${originPort} check inter 2s fall 3 rise 2 pool-max-conn 512${on.server}
${feature === 'websocket' ? `backend echo\n  server one 127.0.0.1:${echoPort}\n` : ''}`
}

export const haproxy: Target = {
  name: 'haproxy',
  features: ['tls', 'http2', 'websocket', 'features'],
  version: () => /version ([\d.]+)/.exec(firstLine('haproxy', ['-v']) ?? '')?.[1],
  async start(context) {
    const file = join(context.directory, 'haproxy.cfg')
    writeFileSync(file, configuration(context))
    const { certFile, keyFile } = context.certificate
    writeFileSync(`${certFile}.pem`, readFileSync(certFile, 'utf8') + readFileSync(keyFile, 'utf8'))
    // Its log goes to a file, as ours does: a pipe would make the benchmark read it.
    const log = join(context.directory, 'access.log')
    const child = Child.start('haproxy', ['/bin/sh', '-c', 'exec haproxy -f "$0" -db > "$1"', file, log], { core: context.core })
    await waitForPort(context.port, child)
    return { child, pids: () => processTree(child.pid) }
  },
}
