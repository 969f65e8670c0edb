/**
 * The shape of a command. A command is data (name, arguments, options, examples) and one `run`; parsing, `--help`,
 * `--json`, exit codes and errors are the program's, so that every command behaves alike. The types of the input
 * that `run` gets follow from the declared parameters.
 *
 * Road not taken: commander's own chained builders in each file; they print, exit and parse each in their own way.
 */
import type { CommandContext } from './context.ts'
import { usageError } from './errors.ts'
import type { Result } from './output.ts'

/** One argument or option. */
export interface Parameter<T> {
  /** `<service>`, `[service]` of an argument; `-f, --follow`, `--since <age>` of an option. */
  readonly syntax: string
  readonly summary: string
  /** Throws `bad_usage`. `raw` is undefined when it was not given, true for a flag that was, a list for an argument that takes all that are left. */
  read(raw: Typed): T
}

/** What stood on the command line. */
export type Typed = string | true | readonly string[] | undefined

export type Parameters = Readonly<Record<string, Parameter<unknown>>>
/** Of a command that declares none. */
type NoParameters = Readonly<Record<string, never>>
type ValuesOf<P> = { readonly [K in keyof P]: P[K] extends Parameter<infer T> ? T : never }

export interface CommandSpec<A extends Parameters, O extends Parameters> {
  /** `status`, `config show`. */
  readonly name: string
  readonly summary: string
  /** More than the summary says, for `--help`. */
  readonly description?: string
  /** In order of the command line. */
  readonly arguments?: A
  readonly options?: O
  /** Lines that work as they stand. */
  readonly examples: readonly string[]
  /** Resolves with what it found, or with undefined when it has said everything itself (streams). */
  run(context: CommandContext, input: ValuesOf<A> & ValuesOf<O>): Promise<Result | undefined>
}

/** A command with the types of its input forgotten. */
export interface Command {
  readonly name: string
  readonly summary: string
  readonly description: string | undefined
  readonly arguments: Parameters
  readonly options: Parameters
  readonly examples: readonly string[]
  /** Takes what was typed, by parameter key. */
  run(context: CommandContext, raw: Readonly<Record<string, Typed>>): Promise<Result | undefined>
}

export function defineCommand<A extends Parameters = NoParameters, O extends Parameters = NoParameters>(spec: CommandSpec<A, O>): Command {
  const parameters: Parameters = { ...spec.arguments, ...spec.options }
  return {
    name: spec.name,
    summary: spec.summary,
    description: spec.description,
    arguments: spec.arguments ?? {},
    options: spec.options ?? {},
    examples: spec.examples,
    async run(context, raw) {
      const values = Object.fromEntries(Object.entries(parameters).map(([key, parameter]) => [key, parameter.read(raw[key])]))
      return spec.run(context, values as ValuesOf<A> & ValuesOf<O>)
    },
  }
}

/** Turns what was typed into a value; throws `bad_usage`. `what` names the parameter in the message. */
export type Reader<T> = (text: string, what: string) => T

export const text: Reader<string> = (raw, what) => {
  if (raw === '') throw usageError(`${what}: expected a text, got an empty one`)
  return raw
}

export function required<T>(syntax: string, summary: string, reader: Reader<T>): Parameter<T> {
  return {
    syntax,
    summary,
    read(raw) {
      if (typeof raw !== 'string') throw usageError(`${syntax} is missing`)
      return reader(raw, syntax)
    },
  }
}

export function optional<T>(syntax: string, summary: string, reader: Reader<T>): Parameter<T | undefined> {
  return { syntax, summary, read: (raw) => (typeof raw === 'string' ? reader(raw, syntax) : undefined) }
}

/** All that are left, if any: `[share...]`. */
export function rest<T>(syntax: string, summary: string, reader: Reader<T>): Parameter<readonly T[]> {
  return { syntax, summary, read: (raw) => (typeof raw === 'object' ? raw.map((each) => reader(each, syntax)) : []) }
}

export function withDefault<T>(syntax: string, summary: string, reader: Reader<T>, otherwise: T): Parameter<T> {
  return { syntax, summary: `${summary} (default: ${String(otherwise)})`, read: (raw) => (typeof raw === 'string' ? reader(raw, syntax) : otherwise) }
}

export function flag(syntax: string, summary: string): Parameter<boolean> {
  return { syntax, summary, read: (raw) => raw === true }
}

/** `logs [options] <service>`: the line that `--help` and the documentation show. */
export function usageOf(command: Command): string {
  const words = ['holdfast', command.name, '[options]', ...Object.values(command.arguments).map((argument) => argument.syntax)]
  return words.join(' ')
}
