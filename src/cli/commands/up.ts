import { realpathSync } from 'node:fs'
import type { ConfigChange } from '../../app/operations.ts'
import { after, ms, seconds, type Duration, type Instant } from '../../kernel/time.ts'
import { explainConfig, type LoadedConfig } from '../../config/index.ts'
import { renderChanges } from '../changes.ts'
import { ApiClient } from '../client.ts'
import { defineCommand, flag } from '../command.ts'
import { findReadableControl, loadConfiguration, warningsOf, type FoundControl } from '../configuration.ts'
import { notRunning } from '../connect.ts'
import { controlLogFile, keepShort } from '../control-log.ts'
import type { CommandContext } from '../context.ts'
import { startDetached } from '../detach.ts'
import { CliError, exitCodeOf, exitCodes } from '../errors.ts'
import { isAborted, pause } from '../follow.ts'
import { plural } from '../format.ts'
import type { Result } from '../output.ts'
import { isAlive } from '../../kernel/process-identity.ts'
import { UpView } from '../up-view.ts'

/** A control process that lives but does not answer is on its way up or down: how long to wait which. */
const unansweredMax: Duration = seconds(10)
const lookInterval: Duration = ms(250)
/** npm and the shell pass on a Ctrl-C that the terminal has already delivered: signals this close together are one. */
const sameSignalWithin: Duration = seconds(1)

export const up = defineCommand({
  name: 'up',
  summary: 'start from the configuration, or apply it to the running system',
  description:
    'Runs in the foreground: Ctrl-C drains and stops everything it started, a second one cuts the drain short. When the program dies, services and balancer go on, and the ' +
    'next `holdfast up` takes them over. When it already runs from the same file, `up` applies what has changed there and ends. SIGHUP does the same to a running one.',
  options: { detach: flag('-d, --detach', 'leave it running in the background once everything serves') },
  examples: ['holdfast up', 'holdfast up --config shop.yml --detach', 'holdfast down'],
  async run(context, { detach }) {
    const loaded = loadConfiguration(context)
    context.tellFileAbove()
    const file = loaded.config.file
    if (file === undefined) throw new CliError('config_not_found', 'the configuration has no file', { hint: 'name one with --config' })

    const running = findReadableControl(loaded.config.data)
    if (running && isAlive(running.control.pid, running.control.startTicks)) {
      const applied = await applyToRunning(context, running, file)
      if (applied) return applied
    }
    tellOverrides(context, loaded)
    for (const warning of warningsOf(loaded.config)) context.out.note(warning)
    if (detach) return startDetached(context, loaded.config, file)
    await runInForeground(context, file, loaded.config.log.directory)
    return undefined
  },
})

/** undefined when it went away meanwhile, so that there is nothing to apply to. */
async function applyToRunning(context: CommandContext, { control, dataDirectory }: FoundControl, file: string): Promise<Result | undefined> {
  refuseOther(control.configFile, file, control.pid, dataDirectory)
  const api = new ApiClient({ url: control.url, token: control.token, unreachable: () => notRunning(dataDirectory, context) })
  try {
    const giveUpAt = after(context.clock.now(), unansweredMax)
    while (isAlive(control.pid, control.startTicks) && !isAborted(context.interrupted)) {
      try {
        const changes = await api.reloadConfig()
        return { data: { pid: control.pid, changes }, text: describeChanges(changes, control.pid) }
      } catch (thrown) {
        if (exitCodeOf(thrown) !== exitCodes.unreachable) throw thrown
      }
      if (context.clock.now() > giveUpAt) throw unanswered(control.pid, control.url, dataDirectory)
      await pause(context, lookInterval)
    }
    return undefined
  } finally {
    await api.close()
  }
}

/** The effect of a change that only the next control process takes up. */
const restartEffect = 'needs a restart of holdfast'

function describeChanges(changes: readonly ConfigChange[], pid: number): string {
  const running = `holdfast (pid ${pid})`
  if (changes.length === 0) return `${running} already runs this configuration; nothing changed`
  const applied = changes.filter(({ effect }) => effect !== restartEffect)
  const waiting = changes.filter(({ effect }) => effect === restartEffect)
  const parts: string[] = []
  if (applied.length > 0) parts.push(`${running} applied ${plural(applied.length, 'change')}:`, renderChanges(applied))
  if (waiting.length > 0) {
    parts.push(`${plural(waiting.length, 'change waits', 'changes wait')} for a restart of ${running}:`, renderChanges(waiting))
    parts.push('services go on: kill the control process with SIGKILL, then holdfast up takes over')
  }
  return parts.join('\n')
}

function unanswered(pid: number, url: string, dataDirectory: string): CliError {
  return new CliError('conflict', `a control process (pid ${pid}) runs in ${dataDirectory}, but does not answer at ${url}`, {
    hint: 'wait until it has started or stopped, or stop it with: holdfast down',
  })
}

function refuseOther(running: string | undefined, wanted: string, pid: number, dataDirectory: string): void {
  if (running === undefined || realPath(running) === realPath(wanted)) return
  throw new CliError('conflict', `could not start from ${wanted}: holdfast (pid ${pid}) already runs in ${dataDirectory} from ${running}`, {
    hint: `stop it with: holdfast down --config ${running}; or give this configuration another data directory`,
    details: { pid, configFile: running, dataDirectory },
  })
}

function realPath(file: string): string {
  try {
    return realpathSync(file)
  } catch {
    return file
  }
}

/** A PORT that somebody has set long ago is the last thing one thinks of when nothing answers where the file says. */
function tellOverrides({ out }: CommandContext, loaded: LoadedConfig): void {
  for (const { path, value, source, where } of explainConfig(loaded)) {
    if (source === 'environment' && where.startsWith('environment '))
      out.say(
        `${path} is ${typeof value === 'string' ? value : JSON.stringify(value)}: ${where.replace('environment ', '')} is set in the environment`,
      )
  }
}

async function runInForeground(context: CommandContext, configFile: string, logDirectory: string): Promise<void> {
  const { out, clock, env, signals } = context
  const { runControlProcess } = await context.loadApp()
  context.outliveReaders()
  const said = keepShort(controlLogFile(logDirectory), process.stdout.fd)
  const view = new UpView(out, () => clock.wallTime())
  using stopping = listenForStop(context)
  let hangup: Disposable | undefined
  try {
    await runControlProcess({
      configFile,
      env,
      onProgress: (progress) => {
        view.show(progress)
        if (progress.kind === 'event') said()
      },
      signal: stopping.drain,
      force: stopping.force,
      reload: (handler) => {
        hangup = signals.on('SIGHUP', handler)
      },
    })
  } finally {
    hangup?.[Symbol.dispose]()
    view.end()
  }
}

interface Stopping extends Disposable {
  readonly drain: AbortSignal
  readonly force: AbortSignal
}

/** First signal: drain. Second: cut it short. From the third on the system's own answer, which is death. */
function listenForStop({ clock, signals, out }: CommandContext): Stopping {
  const drain = new AbortController()
  const force = new AbortController()
  let last: Instant | undefined
  const onSignal = (): void => {
    const now = clock.now()
    if (last !== undefined && now < after(last, sameSignalWithin)) return
    last = now
    if (!drain.signal.aborted) {
      drain.abort()
    } else {
      out.note('cutting the drain short')
      force.abort()
      dispose()
    }
  }
  const listeners = [signals.on('SIGINT', onSignal), signals.on('SIGTERM', onSignal)]
  const dispose = (): void => {
    for (const listener of listeners) listener[Symbol.dispose]()
  }
  return { drain: drain.signal, force: force.signal, [Symbol.dispose]: dispose }
}
