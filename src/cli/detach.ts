/**
 * `up --detach`: starts itself again in a session of its own, waits until that one serves, and leaves it. What it says goes
 * to a file, so that a start that fails can be told in its own words.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync } from 'node:fs'
import { exampleUrl } from '../app/example-url.ts'
import type { Overview } from '../app/operations.ts'
import type { Config } from '../config/types.ts'
import { after, elapsed, ms, seconds, type Duration, type Instant } from '../kernel/time.ts'
import { ApiClient } from './client.ts'
import { findReadableControl } from './configuration.ts'
import { notRunning } from './connect.ts'
import type { CommandContext } from './context.ts'
import { controlLogFile, openControlLog, tailOf, type LogPart } from './control-log.ts'
import { CliError, exitCodeOf, exitCodes, type ExitCode } from './errors.ts'
import { isAborted, pause } from './follow.ts'
import { formatAge } from './format.ts'
import { LiveBlock } from './live.ts'
import type { Result } from './output.ts'
import { renderServing, servingTitle } from './up-view.ts'

const lookInterval: Duration = ms(150)
/** On top of what the services' own start timeouts allow. */
const startSlack: Duration = seconds(30)
/** How long after the services the balancer may take to hear of them. */
const restSlack: Duration = seconds(2)

export async function startDetached(context: CommandContext, config: Config, configFile: string): Promise<Result> {
  const logFile = controlLogFile(config.log.directory)
  const log = openControlLog(logFile)
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
    return { data, text: describe(context, serving, config, logFile) }
  } finally {
    child.removeAllListeners()
  }
}

interface ServingNow {
  readonly url: string
  readonly overview: Overview
  /** Works once. */
  readonly loginUrl: string
}

async function waitUntilServing(context: CommandContext, child: ChildProcess, config: Config, log: LogPart): Promise<ServingNow> {
  const { clock, interrupted, out } = context
  const block = new LiveBlock(out)
  const startedAt = clock.now()
  const giveUpAt = after(startedAt, startLimit(config))
  let reasons: readonly string[] = []
  let told: readonly string[] = []
  let restedAt: Instant | undefined
  try {
    for (;;) {
      if (isAborted(interrupted)) throw stoppedWaiting(child.pid)
      if (child.exitCode !== null || child.signalCode !== null) throw startFailed(child, log)
      if (restedAt === undefined && hasComeToRest(log)) restedAt = clock.now()
      const seen = await look(context, child.pid, config.data)
      if (seen?.serving) return seen.serving
      if (seen) reasons = seen.reasons
      const isOver = clock.now() > giveUpAt || (restedAt !== undefined && clock.now() > after(restedAt, restSlack))
      if (isOver) throw notReady(child.pid, elapsed(startedAt, clock.now()), reasons)
      const title = out.interactive ? `starting, ${formatAge(elapsed(startedAt, clock.now()))}` : 'starting'
      told = out.interactive ? reasons : withNews(told, reasons)
      block.show([title, ...told.map((reason) => `  ${reason}`)])
      await pause(context, lookInterval)
    }
  } finally {
    block.clear()
  }
}

/** Services start side by side; only dependants wait for what they depend on, so that the longest such chain decides. */
function startLimit({ services }: Config): Duration {
  const known = new Map<string, number>()
  const allowanceOf = (name: string): number => {
    const before = known.get(name)
    if (before !== undefined) return before
    const service = services[name]
    if (!service) return 0
    const allowance = service.start.timeout + Math.max(0, ...service.dependsOn.map(allowanceOf))
    known.set(name, allowance)
    return allowance
  }
  return ms(Math.max(0, ...Object.keys(services).map(allowanceOf)) + startSlack)
}

/** Whether it has said that nothing more is on its way: all is ready, or has failed and is being tried again. */
function hasComeToRest(log: LogPart): boolean {
  return tailOf(log).some((line) => line.startsWith(servingTitle))
}

/** What was told, and what is new: not what differs from it in a number (a countdown, a pid) or in an instance's id only. */
function withNews(told: readonly string[], reasons: readonly string[]): readonly string[] {
  const known = new Set(told.map(withoutNumbers))
  return [...told, ...reasons.filter((reason) => !known.has(withoutNumbers(reason)))]
}

/** Numbers go with their units: `2 s` counts down to `828 ms`. */
function withoutNumbers(text: string): string {
  return text
    .replace(/-[0-9a-f]{6}\b/g, '-#')
    .replace(/\d[\d.]*(?:\s?(?:ms|s|m|min|h|d)\b)?/g, '#')
    .replace(/#(?: #)+/g, '#')
}

type Seen = { readonly serving: ServingNow } | { readonly serving: undefined; readonly reasons: readonly string[] }

/** undefined while it has not left its address. */
async function look(context: CommandContext, pid: number | undefined, dataDirectory: string): Promise<Seen | undefined> {
  const control = findReadableControl(dataDirectory)?.control
  if (!control || control.pid !== pid) return undefined
  const api = new ApiClient({ url: control.url, token: control.token, unreachable: () => notRunning(dataDirectory, context) })
  try {
    const { ready, reasons } = await api.readiness()
    if (!ready) return { serving: undefined, reasons }
    const [overview, code] = await Promise.all([api.overview(), api.createLoginCode()])
    return { serving: { url: control.url, overview, loginUrl: `${control.url}/#login=${code}` } }
  } catch (thrown) {
    if (exitCodeOf(thrown) === exitCodes.unreachable) return undefined
    throw thrown
  } finally {
    await api.close()
  }
}

function describe({ out }: CommandContext, { url, overview, loginUrl }: ServingNow, config: Config, logFile: string): string {
  const serving = {
    kind: 'serving',
    dashboardUrl: loginUrl,
    apiUrl: url,
    listeners: overview.listeners,
    exampleUrl: exampleUrl(config, overview.listeners),
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
  return new CliError('not_ready', `holdfast (pid ${pid ?? '?'}) runs, but not everything is ready after ${formatAge(waited)}`, {
    hint: 'it goes on trying; see: holdfast status',
    details: { pid, reasons },
    evidence: reasons.map((reason) => `  ${reason}`).join('\n') || '  no reason given',
  })
}

function stoppedWaiting(pid: number | undefined): CliError {
  return new CliError('interrupted', `stopped waiting; holdfast (pid ${pid ?? '?'}) goes on starting in the background`, {
    hint: 'stop it with: holdfast down',
  })
}
