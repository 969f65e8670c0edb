/** How a command fails: the number for the shell, the line for people, the document for programs. */
import { codeOf, HoldfastError, messageOf, type HoldfastErrorOptions } from '../kernel/errors.ts'
import { printable } from './style.ts'

/** Scripts rely on these numbers; they do not change. */
export const exitCodes = { done: 0, failed: 1, badUsage: 2, unreachable: 3, notAllowed: 4 } as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

const exitCodeByErrorCode: Readonly<Record<string, ExitCode>> = {
  bad_usage: exitCodes.badUsage,
  not_available_yet: exitCodes.badUsage,
  invalid_input: exitCodes.badUsage,
  config_invalid: exitCodes.badUsage,
  config_not_found: exitCodes.badUsage,
  config_unreadable: exitCodes.badUsage,
  config_not_trusted: exitCodes.badUsage,
  not_running: exitCodes.unreachable,
  unreachable: exitCodes.unreachable,
  control_file_unreadable: exitCodes.unreachable,
}

export interface CliErrorOptions extends HoldfastErrorOptions {
  /** Lines shown below the error's own: source excerpts, the last output of a child. */
  readonly evidence?: string
  /** Where the code alone does not say it: a child's exit code, passed on. */
  readonly exitCode?: ExitCode
}

export class CliError extends HoldfastError {
  override readonly name = 'CliError'
  readonly evidence: string | undefined
  readonly exitCode: ExitCode | undefined

  constructor(code: string, message: string, options: CliErrorOptions = {}) {
    super(code, message, options)
    this.evidence = options.evidence
    this.exitCode = options.exitCode
  }
}

/** An answer of the API that is not a success. */
export class ApiError extends HoldfastError {
  override readonly name = 'ApiError'
  readonly status: number

  constructor(status: number, code: string, message: string, options: HoldfastErrorOptions = {}) {
    super(code, message, options)
    this.status = status
  }
}

export function usageError(message: string, hint?: string): CliError {
  return new CliError('bad_usage', message, hint === undefined ? {} : { hint })
}

export function exitCodeOf(thrown: unknown): ExitCode {
  if (thrown instanceof CliError && thrown.exitCode !== undefined) return thrown.exitCode
  if (thrown instanceof ApiError) return exitCodeOfStatus(thrown.status)
  return exitCodeByErrorCode[codeOf(thrown) ?? ''] ?? exitCodes.failed
}

function exitCodeOfStatus(status: number): ExitCode {
  if (status === 401 || status === 403) return exitCodes.notAllowed
  if (status === 400 || status === 413 || status === 415 || status === 501) return exitCodes.badUsage
  return exitCodes.failed
}

export interface ErrorDescription {
  readonly code: string
  readonly message: string
  readonly hint?: string
  /** Empty where there is nothing to add. */
  readonly details: unknown
}

/** The `error` of `{ success: false, error }`, as the REST API has it, plus the hint. */
export function describeError(thrown: unknown): ErrorDescription {
  const ours = thrown instanceof HoldfastError ? thrown : undefined
  return {
    code: codeOf(thrown) ?? 'failed',
    message: messageOf(thrown),
    ...(ours?.hint !== undefined && { hint: ours.hint }),
    details: ours?.details ?? {},
  }
}

/** One line (what was tried, on what, what was got; what to do), and the evidence below it where there is some. */
export function errorText(thrown: unknown): string {
  const message = messageOf(thrown)
    .split(/\r?\n/)
    .map((line) => printable(line, false))
    .join(' ')
  const hint = thrown instanceof HoldfastError && thrown.hint !== undefined ? `; ${thrown.hint}` : ''
  const evidence = thrown instanceof CliError && thrown.evidence !== undefined ? `\n${thrown.evidence}` : ''
  return (hint === '' ? message : message.replace(/[.;:]+$/, '')) + hint + evidence
}
