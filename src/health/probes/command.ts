/**
 * Runs a command in a process group of its own. When its time is over the whole group is killed: a command that ignores SIGTERM, or has children, leaves nothing behind.
 * The last of what it prints is the message; a last line that is a number is what it measured.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { CheckSpec } from '../../config/types.ts'
import { inheritedFrom } from '../../kernel/inherited-environment.ts'
import { backgroundClock } from '../../kernel/system.ts'
import { after, ms } from '../../kernel/time.ts'
import type { Probe, ProbeResult } from '../types.ts'
import { unable } from './failures.ts'

/** Of what it prints, the last so many bytes are kept. */
const tailMax = 8_192
/** Whoever has printed so much is no check but a flood: it costs us a core to read it. */
export const outputMax = 64 * 1_024 ** 2
/** After its end, so long for what it has printed already to be read. */
const lastWordsMs = 200

export interface CommandRun {
  /** Beside what every program gets of our environment. */
  readonly env?: Readonly<Record<string, string>>
  readonly onStart?: (pid: number) => void
}

type CommandSpec = Extract<CheckSpec, { kind: 'command' }>

export const commandProbe = (spec: CommandSpec): Probe => ({
  run(signal, note) {
    note?.('it still ran, and was killed')
    return runCommand(spec, signal)
  },
})

export const runCommand = ({ command, cwd, exitCode }: CommandSpec, signal: AbortSignal, { env, onStart }: CommandRun = {}): Promise<ProbeResult> =>
  new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', command], {
      cwd,
      env: { ...inheritedFrom(process.env), ...env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    if (child.pid !== undefined) onStart?.(child.pid)
    let tail = Buffer.alloc(0)
    let printed = 0
    const kill = (): void => {
      if (child.pid !== undefined) killGroup(child.pid)
      // A grandchild that left the group may hold the pipes; nobody waits for it.
      child.stdout.destroy()
      child.stderr.destroy()
    }
    const keep = (part: Buffer): void => {
      printed += part.length
      tail = Buffer.concat([tail, part.subarray(-tailMax)]).subarray(-tailMax)
      if (printed > outputMax) kill()
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    if (signal.aborted) kill()
    signal.addEventListener('abort', kill, { once: true })
    child.once('error', (error) => {
      signal.removeEventListener('abort', kill)
      const why = existsSync(cwd) ? error.message : 'there is no such directory'
      reject(unable(`tried to run ${JSON.stringify(command)} in ${cwd}: ${why}`))
    })
    child.once('exit', (code, killedBy) => {
      signal.removeEventListener('abort', kill)
      const end = (): void => {
        late[Symbol.dispose]()
        kill()
        const flood = printed > outputMax ? `it printed more than ${outputMax / 1_024 ** 2} MiB and was killed` : undefined
        resolve(flood === undefined ? judge(tail.toString('utf8'), code, killedBy, exitCode) : { outcome: 'fail', message: flood })
      }
      // `close` comes once all of it has been read, or never, while somebody else holds the pipes.
      const late = backgroundClock.schedule(after(backgroundClock.now(), ms(lastWordsMs)), end)
      child.once('close', end)
    })
  })

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // All of it has ended by itself.
  }
}

function judge(output: string, code: number | null, signal: string | null, expected: number): ProbeResult {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  const last = lines.at(-1) ?? ''
  const said = last === '' ? '' : `: ${last}`
  if (code === null) return { outcome: 'fail', message: `ended by ${signal ?? 'a signal'}${said}` }
  if (code !== expected) return { outcome: 'fail', message: `expected exit code ${expected}, got ${code}${said}` }
  const number = /^[-+]?\d+(?:\.\d+)?$/.test(last) ? { value: Number(last), unit: 'count' as const } : {}
  return { outcome: 'pass', message: last === '' ? `exit code ${code}` : last, ...number }
}
