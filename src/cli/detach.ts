/**
 * `up --detach`: starts itself again in a session of its own, waits until that one serves, and leaves it. What it says goes
 * to a file, so that a start that fails can be told in its own words.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, fstatSync, openSync, readSync, renameSync, statSync } from 'node:fs'
import path from 'node:path'
import type { Overview } from '../app/operations.ts'
import type { Config } from '../config/types.ts'
import { after, elapsed, ms, seconds, type Duration } from '../kernel/time.ts'
import { ApiClient } from './client.ts'
import { findReadableControl } from './configuration.ts'
import { notRunning } from './connect.ts'
import type { CommandContext } from './context.ts'
import { CliError, exitCodeOf, exitCodes, type ExitCode } from './errors.ts'
import { isAborted, pause } from './follow.ts'
import { formatAge } from './format.ts'
import { LiveBlock } from './live.ts'
import type { Result } from './output.ts'
import { renderServing } from './up-view.ts'
import { makeDirectory } from '../kernel/files.ts'

const lookInterval: Duration = ms(150)
/** On top of what the services' own start timeouts allow. */
const startSlack: Duration = seconds(30)
/** A control.log larger than this is set aside (once) before the next start. */
const controlLogBytesMax = 1_048_576
const tailBytes = 8_192

export async function startDetached(context: CommandContext, config: Config, configFile: string): Promise<Result> {
  const logFile = path.join(config.log.directory, 'control.log')
  const log = openLog(logFile)
  const child = spawn(process.execPath, [...process.execArgv, context.programFile, 'up', '--config', configFile], {
    cwd: context.cwd,
    env: { ...context.env, NO_COLOR: '1' },
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  })
  child.unref()
  closeSync(log.fd)
  try {
    const serving = await waitUntilServing(context, child, config, { file: logFile, offset: log.offset })
    const data = { pid: child.pid, url: serving.url, listeners: serving.overview.listeners, log: logFile }
    return { data, text: describe(context, serving, logFile) }
  } finally {
    child.removeAllListeners()
  }
}

function openLog(file: string): { fd: number; offset: number } {
  makeDirectory(path.dirname(file), 0o750)
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  if (size > controlLogBytesMax) renameSync(file, `${file}.1`)
  const fd = openSync(file, 'a', 0o600)
  return { fd, offset: fstatSync(fd).size }
}

interface LogPart {
  readonly file: string
  /** Where this start's words begin. */
  readonly offset: number
}

interface ServingNow {
  readonly url: string
  readonly overview: Overview
}

async function waitUntilServing(context: CommandContext, child: ChildProcess, config: Config, log: LogPart): Promise<ServingNow> {
  const { clock, interrupted, out } = context
  const block = new LiveBlock(out)
  const startedAt = clock.now()
  const giveUpAt = after(startedAt, startLimit(config))
  let reasons: readonly string[] = []
  try {
    for (;;) {
      if (isAborted(interrupted)) throw stoppedWaiting(child.pid)
      if (child.exitCode !== null || child.signalCode !== null) throw startFailed(child, log)
      const seen = await look(context, child.pid, config.data)
      if (seen?.serving) return seen.serving
      if (seen) reasons = seen.reasons
      if (clock.now() > giveUpAt) throw notReady(child.pid, elapsed(startedAt, clock.now()), reasons)
      const title = out.interactive ? `starting, ${formatAge(elapsed(startedAt, clock.now()))}` : 'starting'
      block.show([title, ...reasons.map((reason) => `  ${reason}`)])
      await pause(context, lookInterval)
    }
  } finally {
    block.clear()
  }
}

/** Dependants wait for what they depend on, so the allowances of all services add up at worst. */
function startLimit(config: Config): Duration {
  const allowances = Object.values(config.services).map((service) => service.start.timeout)
  return ms(allowances.reduce((sum, each) => sum + each, 0) + startSlack)
}

type Seen = { readonly serving: ServingNow } | { readonly serving: undefined; readonly reasons: readonly string[] }

/** undefined while it has not left its address. */
async function look(context: CommandContext, pid: number | undefined, dataDirectory: string): Promise<Seen | undefined> {
  const control = findReadableControl(dataDirectory)?.control
  if (!control || control.pid !== pid) return undefined
  const api = new ApiClient({ url: control.url, token: control.token, unreachable: () => notRunning(dataDirectory, context) })
  try {
    const { ready, reasons } = await api.readiness()
    return ready ? { serving: { url: control.url, overview: await api.overview() } } : { serving: undefined, reasons }
  } catch (thrown) {
    if (exitCodeOf(thrown) === exitCodes.unreachable) return undefined
    throw thrown
  } finally {
    await api.close()
  }
}

function describe({ out }: CommandContext, { url, overview }: ServingNow, logFile: string): string {
  const serving = {
    kind: 'serving',
    dashboardUrl: url,
    apiUrl: url,
    listeners: overview.listeners,
    exampleUrl: undefined,
    adopted: 0,
  } as const
  return `${renderServing(serving, out, 'holdfast down').trimEnd()}\n\n  pid ${overview.pid}, what it says goes to ${logFile}`
}

function startFailed(child: ChildProcess, log: LogPart): CliError {
  const words = tailOf(log)
  const at = words.findLastIndex((line) => line.startsWith('error: '))
  const end = child.exitCode !== null ? `exited with code ${child.exitCode}` : `was ended by ${child.signalCode ?? 'a signal'}`
  const message = at === -1 ? `holdfast did not start: it ${end}` : (words[at] ?? '').slice('error: '.length)
  const evidence = (at === -1 ? words.slice(-20) : words.slice(at + 1)).join('\n')
  return new CliError('start_failed', message, {
    exitCode: passedOn(child.exitCode),
    ...(at === -1 && { hint: `see ${log.file}` }),
    ...(evidence !== '' && { evidence }),
  })
}

function passedOn(code: number | null): ExitCode {
  return Object.values(exitCodes).find((known) => known !== exitCodes.done && known === code) ?? exitCodes.failed
}

function notReady(pid: number | undefined, waited: Duration, reasons: readonly string[]): CliError {
  return new CliError(
    'not_ready',
    `holdfast (pid ${pid ?? '?'}) runs, but not everything is ready after ${formatAge(waited)}: ${reasons.join('; ') || 'no reason given'}`,
    {
      hint: 'it goes on trying; see: holdfast status',
      details: { pid, reasons },
    },
  )
}

function stoppedWaiting(pid: number | undefined): CliError {
  return new CliError('interrupted', `stopped waiting; holdfast (pid ${pid ?? '?'}) goes on starting in the background`, {
    hint: 'stop it with: holdfast down',
  })
}

/** The last lines written since `offset`. */
function tailOf({ file, offset }: LogPart): string[] {
  const fd = openSync(file, 'r')
  try {
    const { size } = fstatSync(fd)
    const from = Math.max(offset, size - tailBytes)
    const buffer = Buffer.alloc(Math.max(0, size - from))
    const read = readSync(fd, buffer, 0, buffer.length, from)
    return buffer
      .toString('utf8', 0, read)
      .split('\n')
      .filter((line) => line !== '')
  } finally {
    closeSync(fd)
  }
}
