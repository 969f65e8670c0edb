/**
 * Three origins behind each proxy, configured as well as it can be for origins that fail: what its own documentation offers of second tries,
 * passive and active checks and the choice of the least busy one. None may send a POST again that an origin may have seen (HAProxy would). All give an origin one second to answer and 250 ms to accept.
 */
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Child, waitForPort } from '../lib/process.ts'
import { haproxy } from '../targets/haproxy.ts'
import { holdfast } from '../targets/holdfast.ts'
import { nginx } from '../targets/nginx.ts'

export interface FaultyProxy {
  readonly name: string
  version(): string | undefined
  /** Starts it in an empty folder; resolves with what stops it. */
  start(directory: string, port: number, origins: readonly number[], spare: readonly number[]): Promise<() => Promise<void>>
}

const haproxyConfiguration = (port: number, origins: readonly number[]): string => `
global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 250ms
  timeout client 60s
  timeout server 1s
  timeout http-keep-alive 60s
  timeout check 1s
  retries 3
  option redispatch 1
  retry-on all-retryable-errors
  http-reuse always
frontend web
  bind 127.0.0.1:${port} backlog 4096
  default_backend origin
backend origin
  balance leastconn
  http-request disable-l7-retry if METH_POST
  option httpchk GET /health
  default-server check inter 1s fall 2 rise 2 observe layer7 error-limit 1 on-error mark-down
${origins.map((origin, index) => `  server o${index} 127.0.0.1:${origin}`).join('\n')}
`

const nginxConfiguration = (directory: string, port: number, origins: readonly number[]): string => `
daemon off;
worker_processes 1;
user root;
error_log /dev/null crit;
pid ${directory}/nginx.pid;
events { worker_connections 8192; }
http {
  access_log off;
${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `  ${name}_temp_path ${directory}/${name};`).join('\n')}
  keepalive_timeout 60s;
  keepalive_requests 1000000;
  upstream origin {
    zone origin 64k;
    least_conn;
${origins.map((origin) => `    server 127.0.0.1:${origin} max_fails=1 fail_timeout=10s;`).join('\n')}
    keepalive 256;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_connect_timeout 250ms;
      proxy_read_timeout 1s;
      proxy_next_upstream error timeout http_500 http_502 http_503 http_504;
      proxy_next_upstream_tries 3;
      proxy_next_upstream_timeout 3s;
    }
  }
}
`

/** What docs/benchmarks.md recommends. */
const holdfastConfiguration = (port: number, origins: readonly number[], [api = 0]: readonly number[]): string => `
name: faults
data: ./data
api: { port: ${api} }
listeners: { web: { port: ${port}, host: 127.0.0.1 } }
cluster: { workers: 1 }
services:
  origin:
    endpoints: [${origins.map((origin) => `"127.0.0.1:${origin}"`).join(', ')}]
    routes: [{ path: / }]
    health: { path: /health, interval: 1s, timeout: 1s, fall: 2, rise: 2 }
    resilience:
      timeout: 3s
      connectTimeout: 250ms
      retries: { attempts: 2, budget: 50%, on: [500, 502, 503, 504, timeout] }
      hedge: on
      ejection: { consecutiveErrors: 3, consecutiveFailures: 2, baseTime: 30s }
      breaker: { errorRate: 50%, window: 10s, minimumRequests: 20, openFor: 5s }
`

const bin = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'dist', 'bin.js')

export const faultyProxies: readonly FaultyProxy[] = [
  {
    ...holdfast,
    async start(directory, port, origins, spare) {
      const file = join(directory, 'holdfast.yml')
      writeFileSync(file, holdfastConfiguration(port, origins, spare))
      const child = Child.start('holdfast', [process.execPath, bin, 'up', '--config', file])
      await waitForPort(port, child)
      return async () => {
        await Child.start('holdfast down', [process.execPath, bin, 'down', '--config', file]).exited
        await child.stop()
      }
    },
  },
  {
    ...haproxy,
    async start(directory, port, origins) {
      const file = join(directory, 'haproxy.cfg')
      writeFileSync(file, haproxyConfiguration(port, origins))
      const child = Child.start('haproxy', ['haproxy', '-f', file, '-db'])
      await waitForPort(port, child)
      return () => child.stop()
    },
  },
  {
    ...nginx,
    async start(directory, port, origins) {
      writeFileSync(join(directory, 'nginx.conf'), nginxConfiguration(directory, port, origins))
      const child = Child.start('nginx', ['nginx', '-p', directory, '-c', 'nginx.conf', '-e', 'stderr'])
      await waitForPort(port, child)
      return () => child.stop()
    },
  },
]
