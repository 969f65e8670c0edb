/** nginx: one worker, keep-alive to the origin, bodies buffered in memory, no log. It has no active health checks in the open edition. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { firstLine } from '../lib/machine.ts'
import { Child, processTree, waitForPort } from '../lib/process.ts'
import type { Target, TargetContext } from './target.ts'

const listenOptions: Readonly<Record<string, string>> = { tls: ' ssl', http2: ' ssl http2' }

const secure = ({ certFile, keyFile }: TargetContext['certificate']): string =>
  `    ssl_certificate ${certFile};\n    ssl_certificate_key ${keyFile};\n    ssl_protocols TLSv1.3;\n`

const configuration = ({ directory, port, originPort, feature, certificate }: TargetContext): string => `
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
  upstream origin {
    server 127.0.0.1:${originPort};
    keepalive 256;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096${listenOptions[feature ?? 'plain'] ?? ''};
${feature === undefined ? '' : secure(certificate)}    location / {
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
    }
  }
}
`

export const nginx: Target = {
  name: 'nginx',
  features: ['tls', 'http2'],
  version: () => firstLine('nginx', ['-v'])?.replace('nginx version: nginx/', ''),
  async start(context) {
    writeFileSync(join(context.directory, 'nginx.conf'), configuration(context))
    const { core, directory, port } = context
    const child = Child.start('nginx', ['nginx', '-p', directory, '-c', 'nginx.conf', '-e', 'stderr'], { core })
    await waitForPort(port, child)
    return { child, pids: () => processTree(child.pid) }
  },
}
