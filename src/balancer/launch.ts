/** Starts a primary, in a session of its own: whoever starts it (the control process, or an orphaned worker that wants an heir) may end before it. */
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { messageOf } from '../kernel/errors.ts'
import { makeDirectory } from '../kernel/files.ts'
import { processArguments, proxyLogFile } from './paths.ts'
import type { PrimaryOptions } from './primary/primary.ts'

export interface Launch extends PrimaryOptions {
  /** Extra arguments for node. */
  readonly nodeArguments?: readonly string[]
  /** Descriptors of this process that it inherits, as its 3, 4, … */
  readonly descriptors?: readonly number[]
  /** It could not be started, or it ended in failure. */
  readonly onFailed: (reason: string) => void
}

/** Throws when this process cannot start any; what goes wrong later is told to `onFailed`. */
export function launchPrimary({ nodeArguments = [], descriptors = [], onFailed, ...options }: Launch): void {
  const primary = processArguments('primary')
  const log = proxyLogFile(options.directory)
  makeDirectory(dirname(log), 0o700)
  const descriptor = openSync(log, 'a', 0o600)
  try {
    const child = spawn(process.execPath, [...primary.node, ...nodeArguments, primary.module], {
      detached: true,
      stdio: ['ignore', descriptor, descriptor, ...descriptors],
      cwd: '/',
      // The channel of an orphan to its dead primary is none of the heir's.
      env: { ...process.env, NODE_CHANNEL_FD: undefined, HOLDFAST_PROXY: JSON.stringify(options satisfies PrimaryOptions) },
    })
    child.on('error', (error) => {
      onFailed(error.message)
    })
    child.on('exit', (code, signal) => {
      if (code !== 0) onFailed(`it ended ${signal === null ? `with code ${code}` : `by ${signal}`}`)
    })
    child.unref()
  } finally {
    closeSync(descriptor)
  }
}

/** Starts primaries for whoever waits for one, and knows how the last start went. */
export class Launcher {
  readonly #launch: Omit<Launch, 'onFailed'>
  /** The last start, until its primary was found. */
  #last: { failure: string | undefined } | undefined

  constructor(launch: Omit<Launch, 'onFailed'>) {
    this.#launch = launch
  }

  /** One was started, and may be there at any moment. */
  get waiting(): boolean {
    return this.#last !== undefined && this.#last.failure === undefined
  }

  /** Why there will be no primary from the last start. */
  get failure(): string | undefined {
    return this.#last?.failure
  }

  start(): void {
    const start: { failure: string | undefined } = { failure: undefined }
    this.#last = start
    try {
      launchPrimary({
        ...this.#launch,
        onFailed: (reason) => {
          start.failure = reason
        },
      })
    } catch (error) {
      start.failure = messageOf(error)
    }
  }

  /** A primary was found: how it ends is no failure to start. */
  found(): void {
    this.#last = undefined
  }
}
