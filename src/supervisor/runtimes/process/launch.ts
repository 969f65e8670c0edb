/** Starts a child process that does not depend on us: its own session and process group, its output in files, its own user if it shall have one. */
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ProcessSource } from '../../../config/types.ts'
import { codeOf, messageOf } from '../../../kernel/errors.ts'
import type { SpawnFailure } from '../../core/instance-machine.ts'
import type { Identity } from './accounts.ts'
import type { Invocation } from './command.ts'

export interface Launch {
  readonly source: ProcessSource
  readonly invocation: Invocation
  readonly env: Readonly<Record<string, string>>
  /** As whom it runs. */
  readonly identity: Exclude<Identity, { type: 'impossible' }>
  /** Descriptors of the open files that take its output. */
  readonly stdout: number
  readonly stderr: number
}

/** Calls back with what went wrong, now or in the next tick, where the result has no pid. Never throws. */
export function launchProcess(
  { source, invocation, env, identity, stdout, stderr }: Launch,
  onFailure: (failure: SpawnFailure) => void,
): ChildProcess | undefined {
  try {
    const { file, args, ids } = asUser(identity, invocation, source.cwd, env.PATH)
    const child = spawn(file, args, { cwd: source.cwd, env, detached: true, stdio: ['ignore', stdout, stderr], ...ids })
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

interface Called {
  readonly file: string
  readonly args: readonly string[]
  readonly ids?: { readonly uid: number; readonly gid: number }
}

/** Throws as `spawn` does for a program that is not there: setpriv would start, and only then fail to become it. */
function asUser(identity: Launch['identity'], { file, args }: Invocation, cwd: string, path = ''): Called {
  if (identity.type === 'current') return { file, args }
  const { uid, gid, groups } = identity.account
  if (identity.setpriv === undefined) return { file, args, ids: { uid, gid } }
  if (!isThere(file, cwd, path)) throw Object.assign(new Error(`spawn ${file} ENOENT`), { code: 'ENOENT' })
  const become = ['--reuid', String(uid), '--regid', String(gid), '--groups', groups.join(','), '--']
  return { file: identity.setpriv, args: [...become, file, ...args] }
}

function isThere(file: string, cwd: string, path: string): boolean {
  const folders = file.includes('/') ? [''] : path.split(':')
  return folders.some((folder) => existsSync(resolve(cwd, folder, file)))
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
