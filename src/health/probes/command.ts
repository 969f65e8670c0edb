/**
 * Runs a command in a process group of its own. When its time is over the whole group is killed: a command that ignores SIGTERM, or has children, leaves nothing behind.
 * The last of what it prints is the message; a last line that is a number is what it measured.
 */
import { spawn } from 'node:child_process'
import type { CheckSpec } from '../../config/types.ts'
import type { Probe, ProbeResult } from '../types.ts'
import { unable } from './failures.ts'

/** Of what it prints, the last so many bytes are kept. */
const tailMax = 8_192

export const commandProbe = ({ command, cwd, exitCode }: Extract<CheckSpec, { kind: 'command' }>, env?: NodeJS.ProcessEnv): Probe => ({
  run: (signal) =>
    new Promise((resolve, reject) => {
      const child = spawn('/bin/sh', ['-c', command], { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
      let tail = Buffer.alloc(0)
      const keep = (part: Buffer): void => {
        tail = Buffer.concat([tail, part]).subarray(-tailMax)
      }
      child.stdout.on('data', keep)
      child.stderr.on('data', keep)
      const kill = (): void => {
        if (child.pid !== undefined) killGroup(child.pid)
        // A grandchild that left the group may hold the pipes; nobody waits for it.
        child.stdout.destroy()
        child.stderr.destroy()
      }
      signal.addEventListener('abort', kill, { once: true })
      child.once('error', (error) => {
        reject(unable(`tried to run ${JSON.stringify(command)} in ${cwd}: ${error.message}`))
      })
      child.once('exit', (code, killedBy) => {
        signal.removeEventListener('abort', kill)
        // What it has printed already is read first.
        setImmediate(() => {
          kill()
          resolve(judge(tail.toString('utf8'), code, killedBy, exitCode))
        })
      })
    }),
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
