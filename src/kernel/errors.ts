/**
 * Errors are part of the interface: a stable `code` for programs, a sentence for people (lower case,
 * what was tried, on what, what was got) and, where it is known, what to do about it.
 */

export interface HoldfastErrorOptions {
  /** What to do about it, as one imperative sentence. */
  readonly hint?: string
  /** Facts a program may want: `{ path, found, expected }`. Never a secret. */
  readonly details?: unknown
  readonly cause?: unknown
}

/** The base of every error that Holdfast throws on purpose. */
export class HoldfastError extends Error {
  override readonly name: string = 'HoldfastError'
  /** A stable snake_case word. */
  readonly code: string
  readonly hint: string | undefined
  readonly details: unknown

  constructor(code: string, message: string, options: HoldfastErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
    this.details = options.details
  }
}

/** Thrown when the program contradicts itself. It is a bug, so nobody catches it to steer control flow. */
export class InvariantError extends HoldfastError {
  override readonly name = 'InvariantError'

  constructor(message: string) {
    super('invariant', message)
  }
}

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}

export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${JSON.stringify(value)}`)
}

/** How many causes deep a sentence goes; causes may form a circle. */
const causesMax = 10

/** The sentence of anything that was thrown, with its causes. */
export function messageOf(thrown: unknown): string {
  return sentenceOf(thrown, causesMax)
}

function sentenceOf(thrown: unknown, deep: number): string {
  if (!(thrown instanceof Error)) return String(thrown)
  const causes: unknown[] = thrown instanceof AggregateError ? thrown.errors : thrown.cause === undefined ? [] : [thrown.cause]
  if (causes.length === 0) return thrown.message
  if (deep === 0) return `${thrown.message}: …`
  const why = causes.map((cause) => news(cause, thrown.message) ?? sentenceOf(cause, deep - 1)).join('; ')
  return thrown.message.endsWith(why) ? thrown.message : `${thrown.message}: ${why}`
}

/** What an error of the system (`ENOENT: no such file or directory, open '/x'`) adds to a sentence that names the path or the code already. */
function news(cause: unknown, told: string): string | undefined {
  const [, code, words, path] = /^(E[A-Z0-9]+): (.+?), \w+ '(.*)'$/.exec(cause instanceof Error ? cause.message : '') ?? []
  if (code === undefined || words === undefined || path === undefined) return undefined
  if (told.endsWith(code)) return code
  return told.includes(path) ? `${words} (${code})` : undefined
}

/** The `code` of a system error (`ENOENT`, `EADDRINUSE`) or of a HoldfastError. */
export function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined
}
