/** One way to speak to a Redis alone, one behind Sentinels, and a cluster. Nothing is queued while there is no connection: a call fails at once. */
import type { createClient, createCluster, createSentinel } from 'redis'
import { HoldfastError } from '../../kernel/errors.ts'
import { backgroundClock } from '../../kernel/system.ts'
import { ms, sleep } from '../../kernel/time.ts'
import { invalid } from '../core/options.ts'
import type { RedisOptions } from '../types.ts'

/** What comes back of bulk strings is a Buffer. */
export type Reply = Buffer | number | string | null | readonly Reply[]

export interface RedisConnection {
  connect(): Promise<void>
  /** `key` says which node it is for. */
  send(key: string, readonly: boolean, args: readonly (string | Buffer)[]): Promise<Reply>
  subscribe(channels: readonly string[], listener: (message: Buffer) => void): Promise<void>
  close(): void
}

const connectTimeoutMs = 1_000
const commandsMax = 10_000
const reconnectMostMs = 1_000
/** `$` in RESP. */
const blobString = 36

/** Clients of the package that are destroyed while they connect leave their sockets behind: they are ended when they have connected, or have failed. */
interface Ending {
  asked: boolean
}

const socket = (tls: RedisOptions['tls'], ending: Ending): object => ({
  connectTimeout: connectTimeoutMs,
  reconnectStrategy: (tries: number) => !ending.asked && Math.min(reconnectMostMs, 50 * 2 ** Math.min(tries, 10)),
  ...(tls === undefined ? {} : { tls: true, ...tls }),
})

interface Package {
  readonly createClient: typeof createClient
  readonly createCluster: typeof createCluster
  readonly createSentinel: typeof createSentinel
}

export async function loadRedis(): Promise<Package> {
  try {
    return await import('redis')
  } catch (error) {
    throw new HoldfastError('package_missing', 'tried to reach Redis, and the package redis is not installed', {
      hint: 'install it: npm install redis',
      cause: error,
    })
  }
}

const common = (options: RedisOptions, ending: Ending) => ({
  socket: socket(options.tls, ending),
  disableOfflineQueue: true,
  commandsQueueMaxLength: commandsMax,
  name: 'holdfast-cache',
})

/** Whoever calls keeps the time himself; the client's own timer costs as much as the call. */
const commandOptions = { typeMapping: { [blobString]: Buffer }, timeout: 0 }

/** `onError`: something of the connection is broken; it mends itself. */
export function openRedis(redis: Package, options: RedisOptions, onError: (error: Error) => void): RedisConnection {
  const said = [options.url, options.cluster, options.sentinel].filter((each) => each !== undefined)
  if (said.length !== 1) throw invalid('redis', `${said.length} of them`, 'exactly one of url, cluster and sentinel')
  if (options.cluster !== undefined) return openCluster(redis, options, options.cluster, onError)
  if (options.sentinel !== undefined) return openSentinel(redis, options, options.sentinel, onError)
  return openSingle(redis, options, options.url ?? '', onError)
}

function openSingle(redis: Package, options: RedisOptions, url: string, onError: (error: Error) => void): RedisConnection {
  const ending: Ending = { asked: false }
  const client = redis.createClient({ ...common(options, ending), url })
  const subscriber = client.duplicate()
  for (const each of [client, subscriber]) each.on('error', onError)
  return {
    connect: async () => {
      await Promise.all([client.connect(), subscriber.connect()])
    },
    send: async (_key, _readonly, args) => await client.sendCommand<Reply>(args, commandOptions),
    subscribe: async (channels, listener) => {
      await subscriber.subscribe([...channels], listener, true)
    },
    close: () => {
      ending.asked = true
      for (const each of [client, subscriber]) {
        if (each.isReady) each.destroy()
        else each.once('ready', () => each.destroy())
      }
    },
  }
}

function openCluster(redis: Package, options: RedisOptions, nodes: readonly string[], onError: (error: Error) => void): RedisConnection {
  const ending: Ending = { asked: false }
  let connected: Promise<unknown> = Promise.resolve()
  const cluster = redis.createCluster({
    rootNodes: nodes.map((url) => ({ url })),
    defaults: { ...common(options, ending), ...credentialsOf(nodes[0] ?? '') },
  })
  cluster.on('error', onError)
  return {
    connect: async () => {
      await (connected = cluster.connect())
    },
    send: async (key, readonly, args) => await cluster.sendCommand<Reply>(key, readonly, [...args], commandOptions),
    subscribe: async (channels, listener) => {
      await cluster.subscribe([...channels], listener, true)
    },
    close: () => {
      ending.asked = true
      whenSettled(connected, () => cluster.destroy())
    },
  }
}

/** Those that look for one another may go on looking for ever. */
function whenSettled(connected: Promise<unknown>, end: () => unknown): void {
  void Promise.race([connected.catch(() => undefined), sleep(backgroundClock, ms(2 * connectTimeoutMs))]).then(end)
}

const credentialsOf = (url: string): { username?: string; password?: string } => {
  const { username, password } = new URL(url)
  return {
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
  }
}

const user = (username: string | undefined, password: string | undefined): { username?: string; password?: string } => ({
  ...(username === undefined ? {} : { username }),
  ...(password === undefined ? {} : { password }),
})

function openSentinel(
  redis: Package,
  options: RedisOptions,
  { name, nodes, ...users }: NonNullable<RedisOptions['sentinel']>,
  onError: (error: Error) => void,
): RedisConnection {
  const ending: Ending = { asked: false }
  let connected: Promise<unknown> = Promise.resolve()
  const sentinel = redis.createSentinel({
    name,
    sentinelRootNodes: nodes.map(({ host, port }) => ({ host, port })),
    nodeClientOptions: { ...common(options, ending), ...user(users.username, users.password) },
    // Where the servers speak TLS, so do they.
    sentinelClientOptions: { socket: socket(options.tls, ending), ...user(users.sentinelUsername, users.sentinelPassword) },
    scanInterval: 1_000,
    passthroughClientErrorEvents: true,
  })
  // Some of its errors are texts.
  sentinel.on('error', (error: unknown) => onError(error instanceof Error ? error : new Error(String(error))))
  return {
    connect: async () => {
      await (connected = sentinel.connect())
    },
    send: async (_key, readonly, args) => await sentinel.sendCommand<Reply>(readonly, [...args], commandOptions),
    subscribe: async (channels, listener) => {
      await sentinel.subscribe([...channels], listener, true)
    },
    close: () => {
      ending.asked = true
      whenSettled(connected, () => sentinel.destroy().catch(onError))
    },
  }
}
