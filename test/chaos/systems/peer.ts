/**
 * nginx, HAProxy or Caddy in front of the same instances, in the configuration their documentation gives for retrying
 * past a dead server. They supervise nothing, so a keeper restarts an instance on its port in the tick of its exit: a
 * supervisor could not be faster.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isInstalled } from '../../../bench/lib/machine.ts'
import { Child, freePorts, waitForPort } from '../../../bench/lib/process.ts'
import { until } from '../wait.ts'
import { counterFileOf, originScript, type System, type SystemOptions } from './system.ts'

interface PeerKind {
  readonly name: string
  readonly program: string
  configuration(port: number, origins: readonly number[], directory: string): string
  command(file: string, directory: string): readonly string[]
}

/** max_fails=0: at the default of 1 it puts each killed server aside for 10 s, soon all three, and answers 502 to everything. */
const nginx: PeerKind = {
  name: 'nginx',
  program: 'nginx',
  configuration: (port, origins, directory) => `
daemon off;
worker_processes 2;
user root;
error_log stderr crit;
pid ${directory}/nginx.pid;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  keepalive_timeout 120s;
  keepalive_requests 1000000;
  upstream shop {
${origins.map((origin) => `    server 127.0.0.1:${origin} max_fails=0;`).join('\n')}
    keepalive 256;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://shop;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_connect_timeout 2s;
      proxy_next_upstream error timeout;
    }
  }
}
`,
  command: (file, directory) => ['nginx', '-p', directory, '-c', file, '-e', 'stderr'],
}

const haproxyConfiguration = (port: number, origins: readonly number[], frontendRule: string): string => `
global
  maxconn 4096
defaults
  mode http
  timeout connect 2s
  timeout client 120s
  timeout server 30s
  option redispatch 1
  retries 3
  retry-on all-retryable-errors
frontend web
  bind 127.0.0.1:${port}
  ${frontendRule}
  default_backend shop
backend shop
  option httpchk GET /health
${origins.map((origin, i) => `  server s${i} 127.0.0.1:${origin} check inter 2s fall 3 rise 2`).join('\n')}
`

const haproxy: PeerKind = {
  name: 'haproxy',
  program: 'haproxy',
  configuration: (port, origins) => haproxyConfiguration(port, origins, ''),
  command: (file) => ['haproxy', '-f', file, '-db'],
}

/** What HAProxy's documentation advises where a request must not run twice. */
const haproxyGetOnly: PeerKind = {
  ...haproxy,
  name: 'haproxy, GET only',
  configuration: (port, origins) => haproxyConfiguration(port, origins, 'http-request disable-l7-retry if METH_POST'),
}

const caddy: PeerKind = {
  name: 'caddy',
  program: 'caddy',
  configuration: (port, origins) => `{
  admin off
  auto_https off
  log {
    level FATAL
  }
}
http://127.0.0.1:${port} {
  bind 127.0.0.1
  reverse_proxy ${origins.map((origin) => `127.0.0.1:${origin}`).join(' ')} {
    lb_try_duration 5s
    lb_try_interval 250ms
    health_uri /health
    health_interval 2s
  }
}
`,
  command: (file) => ['caddy', 'run', '--config', file, '--adapter', 'caddyfile'],
}

export const peerKinds: readonly PeerKind[] = [nginx, haproxy, haproxyGetOnly, caddy]

export const missingPrograms = (): readonly string[] =>
  [...new Set(peerKinds.map(({ program }) => program))].filter((program) => !isInstalled(program))

/** Keeps one instance alive on its port. */
class Keeper {
  readonly port: number
  readonly #counterFile: string
  #process: ChildProcess | undefined
  #stopped = false

  constructor(port: number, counterFile: string) {
    this.port = port
    this.#counterFile = counterFile
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  start(): void {
    const env = { ...process.env, PORT: String(this.port), COUNTER_FILE: this.#counterFile }
    this.#process = spawn(process.execPath, [originScript], { env, stdio: 'ignore' })
    this.#process.once('exit', () => {
      if (!this.#stopped) this.start()
    })
  }

  stop(): void {
    this.#stopped = true
    this.#process?.kill('SIGKILL')
  }
}

export class PeerSystem implements System {
  readonly name: string
  readonly #kind: PeerKind
  readonly #options: SystemOptions
  #port = 0
  #proxy: Child | undefined
  #keepers: Keeper[] = []

  constructor(kind: PeerKind, options: SystemOptions) {
    this.name = kind.name
    this.#kind = kind
    this.#options = options
  }

  get port(): number {
    return this.#port
  }

  async start(): Promise<void> {
    const { directory, instances } = this.#options
    mkdirSync(directory, { recursive: true })
    const [port = 0, ...ports] = await freePorts(1 + instances)
    this.#port = port
    this.#keepers = ports.map((own) => new Keeper(own, counterFileOf(directory)))
    for (const keeper of this.#keepers) keeper.start()
    await Promise.all(this.#keepers.map(({ port }) => until(`instance on ${port}`, () => answers(port))))
    const file = join(directory, 'proxy.conf')
    const origins = this.#keepers.map(({ port }) => port)
    writeFileSync(file, this.#kind.configuration(this.#port, origins, directory))
    const env = { XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory }
    this.#proxy = Child.start(this.name, this.#kind.command(file, directory), { env })
    await waitForPort(this.#port, this.#proxy)
    await until(`${this.name} finds its instances`, () => answers(this.#port))
  }

  instancePids(): Promise<readonly number[]> {
    return Promise.resolve(this.#keepers.flatMap(({ pid }) => pid ?? []))
  }

  counters(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  async stop(): Promise<readonly string[]> {
    for (const keeper of this.#keepers) keeper.stop()
    await this.#proxy?.stop()
    return []
  }
}

async function answers(port: number): Promise<true | undefined> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/health`)).ok || undefined
  } catch {
    return undefined // not yet
  }
}
