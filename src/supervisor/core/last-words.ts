/**
 * What a process said about its own end, in one line: the last line of its stderr that tells something. Runtimes write more
 * around it: Node a stack and its version below the error, which say nothing to whoever asks why.
 */

import type { ExitClass, ExitReport } from '../../registry/types.ts'

/** A stack frame, the caret under a line of source, what closes a printed object, Node's farewell. */
const trimmings = [/^\s/, /^[\^~}\])]+$/, /^Node\.js v\d/]
const charactersMax = 200

/** undefined: it said nothing. `tail`: oldest first. */
export function lastWords(tail: readonly string[]): string | undefined {
  const said = tail.filter((line) => line.trim() !== '')
  const line = said.findLast((each) => !trimmings.some((trimming) => trimming.test(each))) ?? said.at(-1)
  if (line === undefined) return undefined
  const words = line.trim().replace(/ \{$/, '')
  return words.length > charactersMax ? `${words.slice(0, charactersMax)}…` : words
}

/** Ends that the program chose: what it wrote last says why. Before a kill from outside it wrote about something else. */
const chosen: ReadonlySet<ExitClass> = new Set(['config', 'crash', 'startFailed'])

/** `exited with code 1 after 320 ms; it wrote last: Error: no database`. */
export function withLastWords(reason: string, report: Pick<ExitReport, 'class' | 'stderrTail'> | undefined): string {
  const words = report && chosen.has(report.class) ? lastWords(report.stderrTail) : undefined
  return words === undefined ? reason : `${reason}; it wrote last: ${words}`
}
