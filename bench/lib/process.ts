/**
 * Child processes of a measurement: started pinned to a core, waited for until they answer, read from
 * /proc, stopped by pid. Linux only.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface StartOptions {
  /** Core to run on, children included; undefined: any. */
  readonly core?: number
  readonly cwd?: string
  readonly env?: Record<string, string>
}

/** How much of a child's output is kept for the error message. */
const outputCharsMax = 8_000
const stopGraceMs = 5_000

export class Child {
  readonly name: string
  readonly #process: ChildProcess
  #output = ''
  /** It has ended and all its output has been read. Not kept by a child whose own children hold its output open. */
  readonly exited: Promise<void>
  readonly #ended: Promise<void>

  private constructor(name: string, child: ChildProcess) {
    this.name = name
    this.#process = child
    const keep = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString()).slice(-outputCharsMax)
    }
    child.stdout?.on('data', keep)
    child.stderr?.on('data', keep)
    child.on('error', (error) => (this.#output += error.message))
    this.exited = new Promise((resolve) => child.once('close', () => resolve()))
    this.#ended = new Promise((resolve) => child.once('exit', () => resolve()))
  }

  /** `exec` keeps the pid: taskset becomes the program it starts. */
  static start(name: string, command: readonly string[], { core, cwd, env }: StartOptions = {}): Child {
    const pinned = core === undefined ? command : ['taskset', '-c', String(core), ...command]
    const [file, ...args] = pinned
    if (file === undefined) throw new Error(`cannot start ${name}: the command is empty`)
    return new Child(name, spawn(file, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] }))
  }

  get pid(): number {
    if (this.#process.pid === undefined) throw new Error(`${this.name} did not start: ${this.#output}`)
    return this.#process.pid
  }

  get output(): string {
    return this.#output
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null
  }

  /** null when it was ended by a signal. */
  async exitCode(): Promise<number | null> {
    await this.exited
    return this.#process.exitCode
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Asks, waits, then kills; resolves when it has ended. Safe twice. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (!this.running) return
    this.#process.kill(signal)
    const force = setTimeout(() => this.#process.kill('SIGKILL'), stopGraceMs)
    await this.#ended
    clearTimeout(force)
  }
}

/** Resolves once something accepts connections on the port; rejects when the child ends or the time is over. */
export async function waitForPort(port: number, child: Child, timeoutMs = 15_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await accepts(port))) {
    if (!child.running) throw new Error(`${child.name} ended before it listened on ${port}:\n${child.output}`)
    if (Date.now() > deadline) throw new Error(`${child.name} did not listen on ${port} within ${timeoutMs} ms:\n${child.output}`)
    await sleep(20)
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => {
      resolve(false)
    })
  })
}

/** Ports that were free a moment ago, all different: each is held until the last is found. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  try {
    return await Promise.all(servers.map(listenAnywhere))
  } finally {
    for (const server of servers) server.close()
  }
}

export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1)
  return port
}

function listenAnywhere(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      resolve((server.address() as AddressInfo).port)
    })
  })
}

/** Fields of /proc/PID/stat after the command's name, which may itself hold spaces and brackets. */
function statFields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined // it has exited
  }
}

/** The process and everything below it. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>()
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    const parent = Number.isInteger(pid) ? statFields(pid)?.[1] : undefined
    if (parent === undefined) continue
    const siblings = children.get(Number(parent)) ?? []
    children.set(Number(parent), [...siblings, pid])
  }
  const tree: number[] = []
  const open = [root]
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    tree.push(pid)
    open.push(...(children.get(pid) ?? []))
  }
  return tree
}

/** USER_HZ: 100 on every Linux that Node supports. The kernel scales utime + stime to the exact run time, then rounds to ticks. */
const ticksPerSecond = 100

/** CPU time used so far by these processes, all threads, user and system, in microseconds. */
export function cpuMicros(pids: readonly number[]): number {
  let ticks = 0
  for (const pid of pids) {
    const fields = statFields(pid)
    ticks += Number(fields?.[11] ?? 0) + Number(fields?.[12] ?? 0)
  }
  return (ticks * 1_000_000) / ticksPerSecond
}

/** Memory of these processes in KiB: PSS shares common pages fairly, so sums over workers mean something. */
export function memoryKib(pids: readonly number[]): number {
  let kib = 0
  for (const pid of pids) {
    try {
      kib += Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0)
    } catch {
      // it has exited: no memory
    }
  }
  return kib
}
