/** Redis in the forms in which it is run: behind Sentinels, as a cluster, behind TLS with users, and behind a wire that can be cut without a word. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, pause } from './balancer-harness.ts'
import { listens, Redis } from './databases.ts'

const downAfterMs = 500

async function until(what: string, holds: () => boolean, withinMs = 20_000): Promise<void> {
  const end = performance.now() + withinMs
  while (!holds()) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what}`)
    await pause(50)
  }
}

/** One master, two replicas, three Sentinels that agree by two. */
export class RedisSentinels {
  readonly name = 'shop'
  readonly #servers: Redis[] = []
  readonly #sentinels: { readonly port: number; readonly child: ChildProcess }[] = []
  readonly #folder = mkdtempSync(join(tmpdir(), 'holdfast-sentinel-'))

  static async start(): Promise<RedisSentinels> {
    const made = new RedisSentinels()
    const master = await Redis.start('--repl-ping-replica-period', '1')
    made.#servers.push(
      master,
      ...(await Promise.all([1, 2].map(() => Redis.start('--replicaof', `127.0.0.1 ${master.port}`, '--repl-ping-replica-period', '1')))),
    )
    await until('two replicas', () => master.cli('info', 'replication').split('state=online').length === 3)
    for (let i = 0; i < 3; i++) {
      const port = await freePort()
      const file = join(made.#folder, `${port}.conf`)
      const rules = [
        `monitor ${made.name} 127.0.0.1 ${master.port} 2`,
        `down-after-milliseconds ${made.name} ${downAfterMs}`,
        `failover-timeout ${made.name} 3000`,
      ]
      writeFileSync(file, [`port ${port}`, 'bind 127.0.0.1', `dir ${made.#folder}`, ...rules.map((rule) => `sentinel ${rule}`), ''].join('\n'))
      const child = spawn('redis-server', [file, '--sentinel'], { stdio: 'ignore' })
      made.#sentinels.push({ port, child })
      await listens(port, child)
    }
    const known = (port: number): string => execFileSync('redis-cli', ['-p', String(port), 'sentinel', 'master', made.name], { encoding: 'utf8' })
    await until('the Sentinels know each other', () =>
      made.#sentinels.every(({ port }) => known(port).includes('num-slaves\n2\n') && known(port).includes('num-other-sentinels\n2\n')),
    )
    return made
  }

  get nodes(): { readonly host: string; readonly port: number }[] {
    return this.#sentinels.map(({ port }) => ({ host: '127.0.0.1', port }))
  }

  /** Whom the Sentinels take for it. */
  get master(): Redis {
    const port = this.#sentinels[0]?.port
    const answer = execFileSync('redis-cli', ['-p', String(port), 'sentinel', 'get-master-addr-by-name', this.name], { encoding: 'utf8' })
    const found = this.#servers.find((server) => String(server.port) === answer.split('\n')[1])
    if (found === undefined) throw new Error(`no such master: ${answer}`)
    return found
  }

  async end(): Promise<void> {
    for (const { child } of this.#sentinels) child.kill('SIGKILL')
    await Promise.all(this.#servers.map((server) => server.end()))
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Three masters with a replica each. */
export class RedisCluster {
  readonly nodes: Redis[] = []
  readonly #ids: string[] = []
  readonly #busPorts: number[] = []

  static async start(): Promise<RedisCluster> {
    const made = new RedisCluster()
    for (let i = 0; i < 6; i++) made.nodes.push(await made.#node())
    const [first] = made.nodes
    made.nodes.forEach((node, i) => i > 0 && first?.cli('cluster', 'meet', '127.0.0.1', String(node.port), String(made.#busPorts[i])))
    made.#ids.push(...made.nodes.map((node) => node.cli('cluster', 'myid')))
    for (const [i, [from, to]] of [
      [0, 5_460],
      [5_461, 10_922],
      [10_923, 16_383],
    ].entries())
      made.nodes[i]?.cli('cluster', 'addslotsrange', String(from), String(to))
    await until('all have met', () => made.nodes.every((node) => node.cli('cluster', 'nodes').split('\n').length === 6))
    for (let i = 3; i < 6; i++) {
      const master = made.#ids[i - 3] ?? ''
      await until('the replica knows its master', () => made.nodes[i]?.cli('cluster', 'nodes').includes(master) === true)
      made.nodes[i]?.cli('cluster', 'replicate', master)
    }
    await made.whole()
    return made
  }

  async #node(): Promise<Redis> {
    const busPort = await freePort()
    this.#busPorts.push(busPort)
    return await Redis.start('--cluster-enabled', 'yes', '--cluster-node-timeout', '1000', '--cluster-port', String(busPort))
  }

  /** Every slot is served, and every replica follows. */
  async whole(): Promise<void> {
    const alive = this.nodes.filter((node) => node.runs)
    await until('the cluster is whole', () => alive.every((node) => node.cli('cluster', 'info').includes('cluster_state:ok')))
    await until('replicas follow', () =>
      alive.every((node) => {
        const said = node.cli('info', 'replication')
        return said.includes('role:master') || said.includes('master_link_status:up')
      }),
    )
  }

  get urls(): string[] {
    return this.nodes.map(({ port }) => `redis://127.0.0.1:${port}`)
  }

  slotOf(key: string): number {
    return Number(this.nodes.find((node) => node.runs)?.cli('cluster', 'keyslot', key))
  }

  /** Who serves it now. */
  masterOf(slot: number): Redis {
    const alive = this.nodes.filter((node) => node.runs)
    for (const line of alive[0]?.cli('cluster', 'nodes').split('\n') ?? []) {
      const [, address = '', flags = '', , , , , ...ranges] = line.split(' ')
      if (!flags.includes('master') || flags.includes('fail')) continue
      const serves = ranges.some((range) => {
        const [from = '', to = from] = range.split('-')
        return slot >= Number(from) && slot <= Number(to)
      })
      const found = alive.find(({ port }) => address.startsWith(`127.0.0.1:${port}@`))
      if (serves && found !== undefined) return found
    }
    throw new Error(`nobody serves slot ${slot}`)
  }

  /** A slot moves while it is used: who asks the old place for a key that has gone is sent on (`ASK`), and later to the new one (`MOVED`). */
  async migrate(slot: number, lasting: number): Promise<void> {
    const from = this.masterOf(slot)
    const to = this.nodes.find((node) => node.runs && node !== from && node.cli('info', 'replication').includes('role:master'))
    if (to === undefined) throw new Error('there is nowhere to move it')
    const [fromId, toId] = [from.cli('cluster', 'myid'), to.cli('cluster', 'myid')]
    to.cli('cluster', 'setslot', String(slot), 'importing', fromId)
    from.cli('cluster', 'setslot', String(slot), 'migrating', toId)
    const end = performance.now() + lasting
    while (performance.now() < end) {
      await pause(100)
      const keys = from.cli('cluster', 'getkeysinslot', String(slot), '100').split('\n').filter(Boolean)
      if (keys.length > 0) from.cli('migrate', '127.0.0.1', String(to.port), '', '0', '1000', 'replace', 'keys', ...keys)
    }
    for (const node of [to, from, ...this.nodes.filter((each) => each.runs && each !== to && each !== from)]) {
      if (node.cli('info', 'replication').includes('role:master')) node.cli('cluster', 'setslot', String(slot), 'node', toId)
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.end()))
  }
}

/** Passes bytes on, until it is cut: then it swallows them, and nobody is told. */
export class Wire {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #cut = false
  port = 0

  private constructor(to: number) {
    this.#server = createServer((client) => {
      const server = connect(to, '127.0.0.1')
      for (const [from, other] of [
        [client, server],
        [server, client],
      ] as const) {
        this.#sockets.add(from)
        from.on('data', (bytes: Buffer) => !this.#cut && other.write(bytes))
        from.on('error', () => other.destroy())
        from.on('close', () => {
          this.#sockets.delete(from)
          other.destroy()
        })
      }
    })
  }

  static async to(port: number): Promise<Wire> {
    const wire = new Wire(port)
    wire.#server.listen(0, '127.0.0.1')
    await once(wire.#server, 'listening')
    wire.port = (wire.#server.address() as AddressInfo).port
    return wire
  }

  cut(): void {
    this.#cut = true
  }

  /** What was on it when it was cut is lost for good: as after a partition that was longer than TCP's patience. */
  mend(): void {
    this.#cut = false
    for (const socket of this.#sockets) socket.destroy()
  }

  async end(): Promise<void> {
    this.mend()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

/** A certificate for 127.0.0.1 that speaks for itself, by openssl. */
export function certificates(folder: string): { readonly cert: string; readonly key: string } {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=localhost']
  execFileSync('openssl', [...args, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'ignore' })
  return { cert, key }
}
