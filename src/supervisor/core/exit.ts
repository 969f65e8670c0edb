/**
 * What an exit means. The class decides whether and when the slot is started again, so it is taken from facts
 * only: whether we ordered it, the code, the signal, whether the kernel ran out of memory, whether it was ever ready.
 */
import type { ExitClass } from '../../registry/types.ts'
import { unreachable } from '../../kernel/errors.ts'
import { formatDuration } from '../../kernel/duration.ts'
import type { Duration } from '../../kernel/time.ts'

/** How a process ended, as far as the world told. */
export interface ProcessExit {
  readonly code: number | undefined
  readonly signal: string | undefined
  /** Spawned through /bin/sh, whose codes above 128 stand for a signal, and 126 and 127 for a missing command. */
  readonly shell: boolean
  /** The kernel's count of out-of-memory kills rose. */
  readonly oom: boolean
  /** It ended while no process of ours was its parent: code and signal are lost. */
  readonly lost: boolean
  /** It could not listen because a stranger had taken its port. */
  readonly portTaken: boolean
  /** Others of its process group still live. */
  readonly group: boolean
}

export interface ExitCircumstances {
  /** We had sent the stop signal. */
  readonly ordered: boolean
  /** It had become ready. */
  readonly ready: boolean
}

/** `EX_CONFIG` of sysexits.h: the program says that its configuration is wrong, so trying again is no use. */
const configExitCode = 78

/** Signals that come from outside: no program raises them by failing. */
const outsideSignals: ReadonlySet<string> = new Set(['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP'])

const shellSignals: Readonly<Record<number, string>> = {
  129: 'SIGHUP',
  130: 'SIGINT',
  131: 'SIGQUIT',
  132: 'SIGILL',
  134: 'SIGABRT',
  135: 'SIGBUS',
  136: 'SIGFPE',
  137: 'SIGKILL',
  139: 'SIGSEGV',
  141: 'SIGPIPE',
  143: 'SIGTERM',
}

/** The signal that ended it, seen through a shell where there was one. */
export function signalOf(exit: ProcessExit): string | undefined {
  if (exit.signal !== undefined) return exit.signal
  return exit.shell && exit.code !== undefined ? shellSignals[exit.code] : undefined
}

const missingInShell = (exit: ProcessExit): boolean => exit.shell && (exit.code === 126 || exit.code === 127)

export function classify(exit: ProcessExit, { ordered, ready }: ExitCircumstances): ExitClass {
  if (ordered) return 'ordered'
  if (exit.lost) return 'unknown'
  if (exit.code === configExitCode || (missingInShell(exit) && !ready)) return 'config'
  const signal = signalOf(exit)
  if (signal === 'SIGKILL' && exit.oom) return 'oom'
  if (signal !== undefined && outsideSignals.has(signal)) return 'killed'
  if (exit.code === 0) return 'completed'
  return ready ? 'crash' : 'startFailed'
}

/** One sentence for people: `exited with code 1 after 320 ms, before it was ready`. */
export function describeExit(exit: ProcessExit, exitClass: ExitClass, uptime: Duration, ready: boolean): string {
  const after = `after ${formatDuration(uptime)}`
  const early = ready ? '' : ', before it was ready'
  const signal = signalOf(exit)
  const how = signal === undefined ? `exited with code ${exit.code ?? 'unknown'} ${after}` : `was ended by ${signal} ${after}`
  switch (exitClass) {
    case 'ordered':
      return `stopped as ordered ${after}`
    case 'unknown':
      return `ended ${after} while holdfast was not its parent; its exit code is lost`
    case 'config':
      return missingInShell(exit)
        ? `exited with code ${exit.code ?? 'unknown'}: the shell could not run its command`
        : `exited with code ${configExitCode}: configuration error`
    case 'oom':
      return `was killed by the kernel ${after}: out of memory`
    case 'killed':
      return `was killed from outside with ${signal ?? 'a signal'} ${after}${early}`
    case 'completed':
    case 'crash':
    case 'startFailed':
      return `${how}${early}`
    default:
      return unreachable(exitClass)
  }
}
