/** The whole command line in memory: typed words in; exit code, stdout and stderr out. */
import type { Clock } from '../../kernel/time.ts'
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts'
import type { Api } from '../client.ts'
import type { Where } from '../configuration.ts'
import type { AppEntry, Signals } from '../context.ts'
import { runProgram } from '../main.ts'
import type { TextStream } from '../output.ts'

/** A stream that remembers. */
export class Page implements TextStream {
  text = ''
  readonly isTTY: boolean
  readonly columns: number | undefined
  readonly rows = 24

  constructor(columns?: number) {
    this.isTTY = columns !== undefined
    this.columns = columns
  }

  write(text: string): void {
    this.text += text
  }
}

/** Signals that a test raises by hand. */
export class FakeSignals implements Signals {
  readonly #listeners: { readonly signal: string; readonly listener: () => void }[] = []

  on(signal: string, listener: () => void): Disposable {
    const entry = { signal, listener }
    this.#listeners.push(entry)
    return {
      [Symbol.dispose]: () => {
        const at = this.#listeners.indexOf(entry)
        if (at !== -1) this.#listeners.splice(at, 1)
      },
    }
  }

  raise(signal: string): void {
    for (const entry of [...this.#listeners]) if (entry.signal === signal) entry.listener()
  }

  /** How many listen: a command that has ended leaves none. */
  get count(): number {
    return this.#listeners.length
  }
}

export interface RunOptions {
  readonly api?: Partial<Api> | undefined
  readonly connect?: (where: Where) => Api
  readonly app?: Partial<AppEntry>
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  readonly clock?: Clock
  readonly signals?: FakeSignals
  /** Given: stdout is a terminal of that width. */
  readonly columns?: number
  /** What `up --detach` starts. */
  readonly programFile?: string
}

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export async function runCli(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const stdout = new Page(options.columns)
  const stderr = new Page()
  const code = await startCli(args, stdout, stderr, options)
  return { code, stdout: stdout.text, stderr: stderr.text }
}

/** For tests that look at what is said while the command still runs. */
export function startCli(args: readonly string[], stdout: Page, stderr: Page, options: RunOptions = {}): Promise<number> {
  return runProgram(args, {
    stdout,
    stderr,
    env: options.env ?? {},
    cwd: options.cwd ?? '/nowhere',
    version: '9.9.9',
    programFile: options.programFile ?? '/nowhere/holdfast.js',
    clock: options.clock ?? new VirtualClock(),
    signals: options.signals ?? new FakeSignals(),
    connect: options.connect ?? (() => fakeApi(options.api ?? {})),
    loadApp: () => Promise.resolve(partly<AppEntry>('app', options.app ?? {})),
    outliveReaders: () => undefined,
  })
}

/** What a test does not give must not be asked for. */
export function fakeApi(methods: Partial<Api>): Api {
  return partly<Api>('api', { url: 'http://127.0.0.1:3006', close: () => Promise.resolve(), ...methods })
}

function partly<T extends object>(name: string, given: Partial<T>): T {
  return new Proxy(given, {
    get(target, key) {
      if (key in target) return target[key as keyof T]
      if (key === 'then') return undefined
      throw new Error(`${name}.${String(key)} was not expected`)
    },
  }) as T
}

/** The one document on stdout. */
export function jsonOf({ stdout }: Ran): { success: boolean; data?: unknown; error?: { code: string; message: string; hint?: string } } {
  return JSON.parse(stdout) as ReturnType<typeof jsonOf>
}
