/**
 * The origin behind every proxy: nginx with fixed answers, since it is cheap, stable and not one of
 * ours. /sink reads the whole body before it answers (nginx alone would answer at once and throw the
 * body away), with the echo module that Debian's nginx-light brings.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Child, waitForPort } from './lib/process.ts'

export const bodies = { small: 100, medium: 10 * 1024, large: 1024 * 1024 } as const

const echoModule = '/usr/lib/nginx/modules/ngx_http_echo_module.so'

const configuration = (port: number, directory: string): string => `
load_module ${echoModule};
daemon off;
master_process off;
error_log stderr error;
pid ${directory}/nginx.pid;
events { worker_connections 8192; multi_accept on; }
http {
  access_log off;
  default_type application/octet-stream;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  sendfile on;
  tcp_nodelay on;
  open_file_cache max=16 inactive=1h;
  keepalive_timeout 3600s;
  keepalive_requests 1000000000;
  client_body_buffer_size 256k;
  server {
    listen 127.0.0.1:${port} backlog=4096 reuseport;
    root ${directory}/files;
    location = /health { return 200 "ok"; }
    location = /small { return 200 "${'x'.repeat(bodies.small)}"; }
    location /cached/ {
      add_header Cache-Control "max-age=86400";
      location = /cached/small { return 200 "${'x'.repeat(bodies.small)}"; }
      location = /cached/medium { alias ${directory}/files/medium; }
      location = /cached/large { alias ${directory}/files/large; }
      location = /cached/vary {
        add_header Cache-Control "max-age=86400";
        add_header Vary "Accept-Encoding";
        return 200 "${'x'.repeat(bodies.small)}";
      }
    }
    location = /sink { echo_read_request_body; echo "ok"; }
  }
}
`

export async function startOrigin(directory: string, port: number, core: number): Promise<Child> {
  if (!existsSync(echoModule)) throw new Error(`the origin needs ${echoModule}; install it with: apt-get install nginx-light`)
  mkdirSync(join(directory, 'files'), { recursive: true })
  for (const name of ['medium', 'large'] as const) writeFileSync(join(directory, 'files', name), Buffer.alloc(bodies[name], 'x'))
  writeFileSync(join(directory, 'nginx.conf'), configuration(port, directory))
  const origin = Child.start('origin (nginx)', ['nginx', '-p', directory, '-c', 'nginx.conf', '-e', 'stderr'], { core })
  await waitForPort(port, origin)
  return origin
}
