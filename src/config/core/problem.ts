/**
 * What is wrong with a configuration. All problems are collected, so that one look mends all; each says where it stands,
 * what was found, what would be right and, where it can be guessed, what was meant.
 */
import { HoldfastError } from '../../kernel/errors.ts'
import { counted } from '../../kernel/words.ts'
import { placeText, type Place } from './source.ts'
import { quote, withoutPasswords } from './words.ts'

export interface Problem {
  /** `services.web.port`; '' when it is about the whole file. */
  readonly path: string
  /** `holdfast.yml:7:5` or `environment PORT`. */
  readonly place: string
  /** From 1; undefined when it was not written in a file. */
  readonly line: number | undefined
  readonly column: number | undefined
  /** How many columns of its line to mark; 0: the line may hold a secret and is not shown. */
  readonly width: number
  /** What is wrong, in one clause. */
  readonly message: string
  /** Quoted and cut; undefined when there is nothing to show or it is secret. */
  readonly found: string | undefined
  readonly expected: string | undefined
  readonly hint: string | undefined
}

export interface Complaint {
  /** Default: `expected …, found …`. */
  readonly message?: string
  /** The text as written. */
  readonly found?: string | undefined
  readonly expected?: string
  readonly hint?: string | undefined
  /** Neither the value nor its line is shown. */
  readonly secret?: boolean
}

/** More are counted, not listed: beyond that, nobody reads on. */
export const problemsMax = 100

export function problemAt(place: Place, path: string, complaint: Complaint): Problem {
  const { expected, hint, secret = false } = complaint
  const found = complaint.found === undefined || secret ? undefined : quote(complaint.found)
  const inFile = place.kind === 'file' ? place : undefined
  return {
    path,
    place: placeText(place),
    line: inFile?.line,
    column: inFile?.column,
    width: secret ? 0 : (inFile?.width ?? 0),
    message: complaint.message ?? `expected ${expected ?? 'something else'}${found === undefined ? '' : `, found ${found}`}`,
    found,
    expected,
    hint: secret ? undefined : hint,
  }
}

/** `holdfast.yml:7:5 services.web.instnces: unknown key; did you mean "instances"?` */
export function problemLine({ place, path, message, hint }: Problem): string {
  return `${place} ${path === '' ? '' : `${path}: `}${message}${hint === undefined ? '' : `; ${hint}`}`
}

/** The same problems, those on these lines without an excerpt. */
export function withoutLines(problems: readonly Problem[], hidden: ReadonlySet<number>): readonly Problem[] {
  return problems.map((problem) => (problem.line !== undefined && hidden.has(problem.line) ? { ...problem, width: 0 } : problem))
}

/** The one error of this room for a configuration that cannot be used: code `config_invalid`, details `{ problems }`. */
export function configInvalid(label: string, found: readonly Problem[]): HoldfastError {
  const problems = found.toSorted(byPlace).slice(0, problemsMax)
  const [first] = problems
  const rest = found.length - 1
  const message = `cannot use the configuration: ${first === undefined ? `${label} is not valid` : problemLine(first)}${rest > 0 ? ` (and ${counted(rest, 'more problem')})` : ''}`
  return new HoldfastError('config_invalid', message, { hint: 'mend it and try again; nothing was changed', details: { problems } })
}

/** Environment first, then down the file. */
function byPlace(a: Problem, b: Problem): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)
}

/** The problems of a `config_invalid` error; empty for any other. */
export function problemsOf(error: unknown): readonly Problem[] {
  if (!(error instanceof HoldfastError) || error.code !== 'config_invalid') return []
  return (error.details as { readonly problems: readonly Problem[] }).problems
}

const excerptColumns = 100

/** For a terminal: each problem's line, the line of the file it is about, and carets under what is meant. */
export function formatProblems(problems: readonly Problem[], text = ''): string {
  const lines = text.split(/\r\n|\r|\n/)
  return problems.map((problem) => [problemLine(problem), ...excerpt(problem, lines)].join('\n')).join('\n')
}

function excerpt({ line, column, width }: Problem, lines: readonly string[]): string[] {
  const source = line === undefined || column === undefined || width === 0 ? undefined : lines[line - 1]
  if (source === undefined || line === undefined || column === undefined || withoutPasswords(source) !== source) return []
  // What is far to the right is brought into view; what could steer a terminal or shift the carets becomes one dot.
  const from = column > excerptColumns - 20 ? column - 20 : 0
  const shown = source.slice(from, from + excerptColumns).replace(/[^\x20-\x7e\u00a1-\u02ff\u0370-\u1fff]/g, (c) => (c === '\t' ? ' ' : '·'))
  const caretsMax = Math.max(1, shown.length - (column - 1 - from))
  const carets = ' '.repeat(column - 1 - from) + '^'.repeat(Math.min(Math.max(1, width), caretsMax))
  const gutter = String(line)
  return [`  ${gutter} | ${shown}`, `  ${' '.repeat(gutter.length)} | ${carets}`]
}
