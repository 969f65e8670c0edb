/** Where instances bring what they have recorded: a Unix socket in the data directory that belongs to the user alone. Who brings what was not ordered is cut off. */
import { createWriteStream, rmSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { HoldfastError } from '../kernel/errors.ts'
import { profileBytesMax } from './core/keeping.ts'
import { profileLineBytesMax, type ProfileAnswer } from './types.ts'

/** Connections at the same time. */
const connectionsMax = 64

export interface Expected {
  readonly file: string
  readonly onBegun: (pid: number) => void
  readonly onRefused: (reason: string) => void
  readonly onDone: (bytes: number) => void
  readonly onFailed: (error: unknown) => void
}

export class Receiver {
  readonly path: string
  readonly #expected = new Map<string, Expected>()
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined

  constructor(path: string) {
    this.path = path
  }

  start(): Promise<void> {
    rmSync(this.path, { force: true })
    const server = createServer({ pauseOnConnect: false }, (socket) => {
      this.#accept(socket)
    })
    server.maxConnections = connectionsMax
    this.#server = server
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      const mask = process.umask(0o177)
      server.listen(this.path, () => {
        server.off('error', reject)
        resolve()
      })
      process.umask(mask)
    })
  }

  stop(): void {
    this.#server?.close()
    for (const socket of this.#sockets) socket.destroy()
    rmSync(this.path, { force: true })
  }

  /** Once. Disposing it: it is not waited for any longer. */
  expect(id: string, expected: Expected): Disposable {
    this.#expected.set(id, expected)
    return { [Symbol.dispose]: () => this.#expected.delete(id) }
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    // A connection that breaks ends what is read from it, which says so.
    socket.on('error', () => undefined)
    let head = Buffer.alloc(0)
    const onData = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk])
      const end = head.indexOf(10)
      if (end < 0 && head.length <= profileLineBytesMax) return
      socket.off('data', onData)
      socket.pause()
      const answer = end < 0 ? undefined : readAnswer(head.subarray(0, end).toString())
      const expected = answer && this.#expected.get(answer.id)
      if (answer === undefined || expected === undefined) {
        socket.destroy()
        return
      }
      this.#expected.delete(answer.id)
      if (end + 1 < head.length) socket.unshift(head.subarray(end + 1))
      void receive(socket, answer, expected)
    }
    socket.on('data', onData)
  }
}

async function receive(socket: Socket, { pid, refused }: ProfileAnswer, expected: Expected): Promise<void> {
  if (refused !== undefined) {
    socket.destroy()
    expected.onRefused(refused)
    return
  }
  expected.onBegun(pid)
  let bytes = 0
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      if (bytes <= profileBytesMax) done(null, chunk)
      else done(new HoldfastError('value_too_large', `the recording is larger than ${profileBytesMax / 1024 ** 2} MiB, and was not kept`))
    },
  })
  try {
    await pipeline(socket, counted, createWriteStream(expected.file, { mode: 0o600 }))
    if (bytes === 0) expected.onFailed(new HoldfastError('profile_failed', 'the instance ended, or gave up, before it had recorded anything'))
    else if (await isWhole(expected.file, bytes)) expected.onDone(bytes)
    else expected.onFailed(new HoldfastError('profile_failed', 'the instance ended in the middle of its recording'))
  } catch (error) {
    expected.onFailed(error)
  }
}

/** Larger ones are heap snapshots, which are not read as a whole only to know that they are whole. */
const parsedBytesMax = 4 * 1024 ** 2

/** All recordings are JSON: one that was cut off is none. A large one is known by its end. */
async function isWhole(file: string, bytes: number): Promise<boolean> {
  if (bytes > parsedBytesMax) {
    const handle = await open(file)
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(64), 0, 64, bytes - 64)
      return /[\]}]\s*\}\s*$/.test(buffer.toString('latin1', 0, bytesRead))
    } finally {
      await handle.close()
    }
  }
  try {
    JSON.parse(await readFile(file, 'utf8'))
    return true
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

function readAnswer(line: string): ProfileAnswer | undefined {
  try {
    const answer = JSON.parse(line) as Partial<ProfileAnswer> | null
    if (typeof answer?.id !== 'string' || typeof answer.pid !== 'number') return undefined
    return { id: answer.id, pid: answer.pid, ...(typeof answer.refused === 'string' && { refused: answer.refused.slice(0, 200) }) }
  } catch {
    return undefined
  }
}
