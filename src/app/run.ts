/** The life of a control process: what `holdfast up` runs until it is told to stop, and what `holdfast down` runs when nobody is left to tell. */
import { readFileSync } from 'node:fs'
import { loadConfig, parseConfig, problemLine, problemsOf, type LoadedConfig } from '../config/index.ts'
import { HoldfastError, messageOf } from '../kernel/errors.ts'
import { privateFile, writeFileAtomic } from '../kernel/files.ts'
import { aborted } from '../kernel/lifecycle.ts'
import { startTicksOf } from '../kernel/process-identity.ts'
import { controlFilePath, removeControlFile, type ControlFile } from './control-file.ts'
import { exampleUrl } from './example-url.ts'
import { Holdfast } from './holdfast.ts'
import { lockDataDirectory } from './lock.ts'
import { scaledToZero } from './service-status.ts'
import type { LeftoverOptions, LeftoverReport, RunOptions, Serving } from './progress.ts'

/** Of this package. */
export const version = (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version

/** Resolves when everything it started has stopped. Rejects with a HoldfastError when it could not start, and has then left nothing running. */
export async function runControlProcess(options: RunOptions): Promise<void> {
  const loaded = loadConfig({ file: options.configFile, env: options.env, cwd: process.cwd() })
  const { data } = loaded.config
  const unlock = await lockDataDirectory(data)
  const ordered = new AbortController()
  try {
    const holdfast = await start(loaded, options, ordered)
    options.reload(() => {
      reload(holdfast, options)
    })
    const stopOrdered = aborted(AbortSignal.any([options.signal, ordered.signal]))
    await Promise.race([announce(holdfast, options), stopOrdered])
    await stopOrdered
    removeControlFile(data)
    options.onProgress({ kind: 'stopping', text: 'stopping' })
    await holdfast.down(options.force, (text) => {
      options.onProgress({ kind: 'stopping', text })
    })
    options.onProgress({ kind: 'stopped' })
  } finally {
    removeControlFile(data)
    unlock()
  }
}

async function start(loaded: LoadedConfig, { env, onProgress }: RunOptions, ordered: AbortController): Promise<Holdfast> {
  const holdfast = new Holdfast({
    loaded,
    env,
    version,
    onStep: (text) => {
      onProgress({ kind: 'step', text })
    },
    onWarning: (text) => {
      onProgress({ kind: 'warning', text })
    },
    onEvent: (event) => {
      onProgress({ kind: 'event', event })
    },
    onDown: () => {
      ordered.abort()
    },
    publish: writeControlFile,
  })
  await holdfast.start()
  return holdfast
}

/** How the command line finds the API and may use it. */
export async function writeControlFile(holdfast: Holdfast): Promise<void> {
  const { file, data } = holdfast.config
  const startTicks = startTicksOf(process.pid)
  const control: ControlFile = {
    url: holdfast.apiUrl,
    token: holdfast.access.localToken(),
    pid: process.pid,
    ...(startTicks !== undefined && { startTicks }),
    ...(file !== undefined && { configFile: file }),
  }
  const path = controlFilePath(data)
  try {
    await writeFileAtomic(path, JSON.stringify(control), privateFile)
  } catch (cause) {
    throw new HoldfastError('data_unwritable', `writing ${path} failed: ${messageOf(cause)}`, {
      cause,
      hint: 'make room on its disk, and move away whatever is in its place',
    })
  }
}

/** Tells how the services come up, and when all have come to rest, where everything is. */
async function announce(holdfast: Holdfast, { onProgress, signal }: RunOptions): Promise<void> {
  const last = new Map<string, string>()
  const tell = (): void => {
    for (const { name, kind, ready, desired, health, reason } of holdfast.operations.services()) {
      if (kind !== 'process') continue
      const text = reason === undefined ? health : reason === scaledToZero ? reason : `${health}: ${reason}`
      const line = `${ready}/${desired} ${text}`
      if (last.get(name) === line) continue
      last.set(name, line)
      onProgress({ kind: 'service', service: name, ready, desired, text })
    }
  }
  using _ = holdfast.supervisor.onChange(tell)
  tell()
  const settlements = await holdfast.settled()
  if (signal.aborted) return
  for (const { service, problems } of settlements) {
    if (problems.length > 0) onProgress({ kind: 'warning', text: `${service} is not as wanted: ${problems.join('; ')}` })
  }
  onProgress(serving(holdfast))
}

function serving(holdfast: Holdfast): Serving {
  const { listeners, apiUrl, adopted, config } = holdfast
  return {
    kind: 'serving',
    dashboardUrl: `${apiUrl}/#login=${holdfast.access.createLoginCode().code}`,
    apiUrl,
    listeners,
    exampleUrl: exampleUrl(config, listeners),
    adopted,
  }
}

function reload(holdfast: Holdfast, { onProgress }: RunOptions): void {
  holdfast.applyConfig(undefined, { name: 'SIGHUP', address: 'local' }).then(
    (differences) => {
      onProgress({ kind: 'step', text: `read the configuration again: ${differences.length} changes applied` })
    },
    (error: unknown) => {
      const problems = problemsOf(error).map(problemLine)
      const [only = messageOf(error), ...more] = problems
      const what = more.length === 0 ? only : `${problems.length} problems`
      onProgress({ kind: 'warning', text: `read the configuration again, and kept the old one: ${what}` })
      if (more.length > 0) for (const text of problems) onProgress({ kind: 'warning', text })
    },
  )
}

/**
 * Adopts what a control process that is gone has left running in the data directory, and stops it.
 * Rejects with `already_running` when a control process lives there.
 */
export async function stopLeftovers({ configFile, dataDir }: LeftoverOptions): Promise<LeftoverReport> {
  const unlock = await lockDataDirectory(dataDir)
  try {
    const loaded = leftoverConfig(configFile, dataDir)
    const { LeftoverStopper } = await import('./leftovers.ts')
    return await new LeftoverStopper(loaded.config).stop()
  } finally {
    removeControlFile(dataDir)
    unlock()
  }
}

/** The configuration knows the stop signals; when it is gone or broken, the defaults must do. */
function leftoverConfig(configFile: string | undefined, dataDir: string): LoadedConfig {
  try {
    if (configFile !== undefined) return loadConfig({ file: configFile, env: process.env, cwd: process.cwd() })
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error
  }
  return parseConfig(`data: ${JSON.stringify(dataDir)}\nservices: { leftover: { endpoints: ['127.0.0.1:1'] } }\n`)
}
