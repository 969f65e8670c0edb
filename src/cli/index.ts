/** The command line as this process runs it: its streams, its signals, its exit code. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { codeOf } from '../kernel/errors.ts'
import { systemClock } from '../kernel/system.ts'
import { connect } from './connect.ts'
import type { Signals } from './context.ts'
import { exitCodes, type ExitCode } from './errors.ts'
import { runProgram } from './main.ts'

const signals: Signals = {
  on(signal, listener) {
    process.on(signal, listener)
    return {
      [Symbol.dispose]() {
        process.off(signal, listener)
      },
    }
  },
}

/** Runs the command line of this process and ends it. */
export async function main(): Promise<never> {
  let outlivesReaders = false
  const onStreamError = (error: Error): void => {
    if (outlivesReaders) return
    // `holdfast logs shop | head`: whoever reads has seen enough.
    process.exit(codeOf(error) === 'EPIPE' ? exitCodes.done : exitCodes.failed)
  }
  process.stdout.on('error', onStreamError)
  process.stderr.on('error', onStreamError)

  const code = await runProgram(process.argv.slice(2), {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    version: ownVersion(),
    programFile: process.argv[1] ?? fileURLToPath(new URL('../bin.js', import.meta.url)),
    clock: systemClock,
    signals,
    connect,
    loadApp: () => import('../app/run.ts'),
    outliveReaders: () => {
      outlivesReaders = true
    },
  })
  return exitWhenWritten(code)
}

function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  return version
}

/** A pipe may take what was written later than `process.exit` would wait. */
async function exitWhenWritten(code: ExitCode): Promise<never> {
  for (const stream of [process.stdout, process.stderr]) {
    if (!stream.destroyed) await new Promise<void>((resolve) => stream.write('', () => resolve()))
  }
  process.exit(code)
}
