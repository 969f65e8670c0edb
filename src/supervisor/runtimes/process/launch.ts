/** Starts a child process that does not depend on us: its own session and process group, its output in files. */
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { ProcessSource } from '../../../config/types.ts'
import { codeOf, messageOf } from '../../../kernel/errors.ts'
import type { SpawnFailure } from '../../core/instance-machine.ts'
import type { Invocation } from './command.ts'

export interface Launch {
  readonly source: ProcessSource
  readonly invocation: Invocation
  readonly env: Readonly<Record<string, string>>
  /** Descriptors of the open files that take its output. */
  readonly stdout: number
  readonly stderr: number
}

/** Calls back with what went wrong, now or in the next tick, where the result has no pid. Never throws. */
export function launchProcess(
  { source, invocation, env, stdout, stderr }: Launch,
  onFailure: (failure: SpawnFailure) => void,
): ChildProcess | undefined {
  try {
    const child = spawn(invocation.file, invocation.args, { cwd: source.cwd, env, detached: true, stdio: ['ignore', stdout, stderr] })
    child.on('error', (error) => {
      if (child.pid === undefined) onFailure(explainSpawnFailure(error, source, invocation))
    })
    child.unref()
    return child
  } catch (error) {
    onFailure(explainSpawnFailure(error, source, invocation))
    return undefined
  }
}

const resourceCodes: ReadonlySet<string> = new Set(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE', 'ENOSPC'])

export function explainSpawnFailure(error: unknown, { cwd, command }: ProcessSource, { file }: Invocation): SpawnFailure {
  const code = codeOf(error) ?? 'unknown error'
  const tried = `could not run ${JSON.stringify(command)}`
  if (resourceCodes.has(code)) return { kind: 'resource', reason: `${tried}: this machine is out of resources (${code})` }
  if (code === 'ENOENT' && !existsSync(cwd)) return { kind: 'config', reason: `${tried}: its folder ${cwd} does not exist` }
  if (code === 'ENOENT') return { kind: 'config', reason: `${tried}: there is no program ${JSON.stringify(file)} on the PATH or in ${cwd}` }
  if (code === 'EACCES') return { kind: 'config', reason: `${tried}: no permission to execute ${JSON.stringify(file)} in ${cwd}` }
  return { kind: 'config', reason: `${tried}: ${messageOf(error)}` }
}
