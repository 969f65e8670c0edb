/** Real databases for tests: PostgreSQL with a streaming replica, and Redis, on free ports in temporary folders. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, pause } from './balancer-harness.ts'
import type { Pair } from './certificates.ts'

const binaries = '/usr/lib/postgresql'

/** Folder of the newest PostgreSQL; undefined: none is installed. */
export function postgresFolder(): string | undefined {
  if (!existsSync(binaries)) return undefined
  const newest = readdirSync(binaries).toSorted((a, b) => Number(b) - Number(a))[0]
  return newest === undefined ? undefined : join(binaries, newest, 'bin')
}

export const hasRedis = (): boolean => ['/usr/bin/redis-server', '/usr/local/bin/redis-server'].some((file) => existsSync(file))

const isRoot = process.getuid?.() === 0
/** It refuses to run as root. */
const asPostgres = (program: string, args: readonly string[]): [string, string[]] =>
  isRoot ? ['setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', program, ...args]] : [program, [...args]]

const run = (program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): string =>
  execFileSync(...asPostgres(program, args), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env }, cwd: '/' })

export async function listens(port: number, child: ChildProcess, withinMs = 20_000): Promise<void> {
  const end = performance.now() + withinMs
  for (;;) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy()
        resolve(true)
      })
      socket.on('error', () => {
        resolve(false)
      })
    })
    if (open) return
    if (child.exitCode !== null || performance.now() > end) throw new Error(`nothing listens on ${port}`)
    await pause(20)
  }
}

/** Sends the signal and waits for the end. */
export async function killed(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  await gone
}

const postgresIds = (): [number, number] => [Number(execFileSync('id', ['-u', 'postgres'])), Number(execFileSync('id', ['-g', 'postgres']))]

export class Postgres {
  readonly port: number
  readonly data: string
  #process: ChildProcess | undefined
  static readonly #folders: string[] = []

  private constructor(port: number, data: string) {
    this.port = port
    this.data = data
  }

  static #folder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-pg-'))
    this.#folders.push(folder)
    if (isRoot) {
      chownSync(folder, ...postgresIds())
    }
    return folder
  }

  /** With a role `holdfast` that needs its password `pw`, and `postgres`, which needs none. */
  static async primary(): Promise<Postgres> {
    const data = join(Postgres.#folder(), 'data')
    run(join(postgresFolder()!, 'initdb'), ['-D', data, '-A', 'trust', '-N', '-U', 'postgres'])
    const hba =
      'local all all trust\nhost all holdfast 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\n'
    writeFileSync(join(data, 'pg_hba.conf'), hba)
    const made = new Postgres(await freePort(), data)
    await made.start()
    return made
  }

  async replica(): Promise<Postgres> {
    const data = join(Postgres.#folder(), 'data')
    run(join(postgresFolder()!, 'pg_basebackup'), [
      '-h',
      '127.0.0.1',
      '-p',
      String(this.port),
      '-U',
      'postgres',
      '-D',
      data,
      '-R',
      '-X',
      'stream',
      '-c',
      'fast',
    ])
    const made = new Postgres(await freePort(), data)
    await made.start()
    return made
  }

  async start(): Promise<void> {
    const settings = [
      'listen_addresses=127.0.0.1',
      `unix_socket_directories=${join(this.data, '..')}`,
      'fsync=off',
      'shared_buffers=16MB',
      'max_connections=60',
    ]
    const args = ['-D', this.data, '-p', String(this.port), ...settings.flatMap((setting) => ['-c', setting])]
    const child = spawn(...asPostgres(join(postgresFolder()!, 'postgres'), args), { stdio: 'ignore', cwd: '/' })
    this.#process = child
    await listens(this.port, child)
    for (let i = 0; ; i++) {
      try {
        this.sql('select 1')
        return
      } catch (error) {
        if (i > 200) throw error
        await pause(50)
      }
    }
  }

  sql(query: string): string {
    return run(join(postgresFolder()!, 'psql'), ['-h', '127.0.0.1', '-p', String(this.port), '-U', 'postgres', '-Atc', query]).trim()
  }

  /** From now on `user` may only come by TLS. */
  serveTls({ cert, key }: Pair, user: string): void {
    for (const [name, text] of [
      ['server.crt', cert],
      ['server.key', key],
    ] as const) {
      const file = join(this.data, name)
      writeFileSync(file, text, { mode: 0o600 })
      if (isRoot) chownSync(file, ...postgresIds())
    }
    this.sql('alter system set ssl = on')
    const file = join(this.data, 'pg_hba.conf')
    writeFileSync(file, readFileSync(file, 'utf8').replace(`host all ${user}`, `hostnossl all ${user} 127.0.0.1/32 reject\nhostssl all ${user}`))
    this.#reload()
  }

  servePlain(): void {
    this.sql('alter system reset ssl')
    const file = join(this.data, 'pg_hba.conf')
    writeFileSync(
      file,
      readFileSync(file, 'utf8')
        .replace(/^hostnossl .*\n/m, '')
        .replace('hostssl', 'host'),
    )
    this.#reload()
  }

  #reload(): void {
    this.sql('select pg_reload_conf()')
  }

  promote(): void {
    run(join(postgresFolder()!, 'pg_ctl'), ['promote', '-D', this.data, '-W'])
  }

  /** The postmaster and all its children, as a power cut would. */
  async kill(): Promise<void> {
    const child = this.#process
    if (!child?.pid) return
    const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(child.pid)], { encoding: 'utf8' })
      .split('\n')
      .map(Number)
      .filter(Boolean)
    await killed(child, 'SIGKILL')
    for (const pid of children) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has followed its parent.
      }
    }
  }

  /** Stops or continues all of it. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    const pid = this.#process!.pid!
    const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' })
      .split('\n')
      .map(Number)
      .filter(Boolean)
    for (const each of [pid, ...children]) process.kill(each, signal)
  }

  static cleanUp(): void {
    for (const folder of this.#folders.splice(0)) rmSync(folder, { recursive: true, force: true })
  }
}

export class Redis {
  readonly port: number
  readonly #folder: string
  readonly #args: readonly string[]
  #process: ChildProcess | undefined

  private constructor(port: number, folder: string, args: readonly string[]) {
    this.port = port
    this.#folder = folder
    this.#args = args
  }

  static async start(...args: string[]): Promise<Redis> {
    const port = await freePort()
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-redis-'))
    mkdirSync(folder, { recursive: true })
    const made = new Redis(port, folder, args)
    await made.start()
    return made
  }

  async start(): Promise<void> {
    const fixed = [
      '--port',
      String(this.port),
      '--bind',
      '127.0.0.1',
      '--dir',
      this.#folder,
      '--save',
      '',
      '--appendonly',
      'no',
      '--repl-diskless-sync-delay',
      '0',
    ]
    const child = spawn('redis-server', [...fixed, ...this.#args], { stdio: 'ignore' })
    this.#process = child
    await listens(this.port, child)
  }

  cli(...command: string[]): string {
    return execFileSync('redis-cli', ['-p', String(this.port), ...command], { encoding: 'utf8' }).trim()
  }

  async follow(other: Redis): Promise<void> {
    this.cli('replicaof', '127.0.0.1', String(other.port))
    for (let i = 0; !this.cli('info', 'replication').includes('master_link_status:up'); i++) {
      if (i > 200) throw new Error('the replica is not linked')
      await pause(50)
    }
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process!.kill(signal)
  }

  get runs(): boolean {
    return this.#process?.exitCode === null && this.#process.signalCode === null
  }

  async kill(): Promise<void> {
    if (this.#process) await killed(this.#process, 'SIGKILL')
  }

  async end(): Promise<void> {
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
