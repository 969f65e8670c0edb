/**
 * nginx: one worker, keep-alive to the origin, bodies buffered in memory, no log. It has no active health checks in the open edition.
 * Its cache as it is cheapest (measured): files in memory (tmpfs), open already, without sendfile, which costs more for small files.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { firstLine } from '../lib/machine.ts'
import { Child, processTree, waitForPort } from '../lib/process.ts'
import type { Target, TargetContext } from './target.ts'

const listenOptions: Readonly<Record<string, string>> = { tls: ' ssl', http2: ' ssl http2', 'cache-http2': ' ssl http2' }

const secure = ({ certFile, keyFile }: TargetContext['certificate']): string =>
  `    ssl_certificate ${certFile};\n    ssl_certificate_key ${keyFile};\n    ssl_protocols TLSv1.3;\n`

const tmpfs = '/dev/shm'

const cache = (folder: string): string => `  proxy_cache_path ${folder} levels=1:2 keys_zone=bench:16m max_size=256m inactive=1h use_temp_path=off;
  open_file_cache max=4096 inactive=1h;
  open_file_cache_valid 1h;
  sendfile off;
`

const caches = (feature: TargetContext['feature']): boolean => feature === 'cache' || feature === 'cache-http2'

/** Where there is no tmpfs, the page cache serves as well. */
const cacheFolder = (directory: string): string => mkdtempSync(join(existsSync(tmpfs) ? tmpfs : directory, 'holdfast-bench-'))

const configuration = ({ directory, port, originPort, feature, certificate }: TargetContext, folder: string | undefined): string => `
daemon off;
worker_processes 1;
user root;
error_log stderr error;
pid ${directory}/nginx.pid;
events { worker_connections 8192; multi_accept on; }
http {
  access_log off;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  tcp_nodelay on;
  keepalive_timeout 120s;
  keepalive_requests 1000000000;
  client_body_buffer_size 256k;
${folder === undefined ? '' : cache(folder)}  upstream origin {
    server 127.0.0.1:${originPort};
    keepalive 256;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096${listenOptions[feature ?? 'plain'] ?? ''};
${listenOptions[feature ?? 'plain'] === undefined ? '' : secure(certificate)}    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_buffer_size 16k;
      proxy_buffers 32 32k;
      proxy_busy_buffers_size 256k;
      proxy_max_temp_file_size 0;
${folder === undefined ? '' : '      proxy_cache bench;\n'}    }
  }
}
`

export const nginx: Target = {
  name: 'nginx',
  features: ['tls', 'http2', 'cache', 'cache-http2'],
  version: () => firstLine('nginx', ['-v'])?.replace('nginx version: nginx/', ''),
  async start(context) {
    const { core, directory, port, feature } = context
    const folder = caches(feature) ? cacheFolder(directory) : undefined
    writeFileSync(join(directory, 'nginx.conf'), configuration(context, folder))
    const child = Child.start('nginx', ['nginx', '-p', directory, '-c', 'nginx.conf', '-e', 'stderr'], { core })
    if (folder !== undefined) void child.exited.then(() => rmSync(folder, { recursive: true, force: true }))
    await waitForPort(port, child)
    return { child, pids: () => processTree(child.pid) }
  },
}
