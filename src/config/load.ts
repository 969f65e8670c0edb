/**
 * From a file, a text and the environment to the complete configuration: read, lay the environment over it, interpret,
 * check, build, freeze. Nothing is kept and nothing waits, so a bad file changes nothing.
 */
import { closeSync, constants, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, dirname, isAbsolute, relative, resolve } from 'node:path'
import { assert, codeOf, HoldfastError, messageOf } from '../kernel/errors.ts'
import { toConfig } from './core/build.ts'
import { check } from './core/checks.ts'
import { overlay, type Environment, type EnvironmentNote } from './core/environment.ts'
import { interpret, secretName, type Interpretation, type Origin } from './core/interpret.ts'
import type { Resolve, Resolved } from './core/interpolate.ts'
import { configType, type Settings } from './core/keys.ts'
import { configInvalid, problemAt, withoutLines, type Problem } from './core/problem.ts'
import { parentPath, type Place, type SourceNode } from './core/source.ts'
import type { Config } from './types.ts'
import { readYaml, yamlLimits } from './yaml.ts'

/** A configuration together with what people want to know about it. */
export interface LoadedConfig {
  readonly config: Config
  /** The file as it was read. It may hold secrets: show `showConfig` instead. */
  readonly text: string
  /** By path: where each given value came from. What is not here is a default. */
  readonly origins: ReadonlyMap<string, Origin>
  /** Variables that are set, known, and change nothing. */
  readonly notes: readonly EnvironmentNote[]
}

export interface ParseOptions {
  /** Becomes `Config.file`; relative paths in the configuration start from its directory. */
  readonly file?: string | undefined
  /** Overrides and `${VAR}` come from here. @default nothing */
  readonly env?: Environment
  /** What relative paths start from. @default the directory of `file`, or the current one */
  readonly baseDir?: string
  /** What problems call the text. @default the name of `file`, or `configuration` */
  readonly label?: string
  /** What `workers: auto` stands for. @default what this machine has */
  readonly cores?: number
}

export interface LoadOptions {
  /** @default `defaultConfigFile(cwd)` */
  readonly file?: string | undefined
  readonly env: Environment
  /** Where `file` is looked for, and what problems name it relative to. */
  readonly cwd: string
}

/** A file named by `${file:PATH}` may have this many bytes. */
export const secretFileBytesMax = 65_536

/** Looked for in this order. */
export const defaultConfigFiles = ['holdfast.yml', 'config/high_availability.yml'] as const

/** Absolute path of the configuration of a directory. Throws `config_not_found` when there is none. */
export function defaultConfigFile(cwd: string): string {
  const found = defaultConfigFiles.map((file) => resolve(cwd, file)).find((file) => existsSync(file))
  if (found !== undefined) return found
  throw new HoldfastError('config_not_found', `looked for ${defaultConfigFiles.join(' and ')} in ${cwd}, found neither`, {
    hint: 'create holdfast.yml, or name another file with --config',
    details: { directory: cwd, files: defaultConfigFiles },
  })
}

/**
 * Reads and checks the configuration file. Throws `config_not_found`, `config_unreadable`, or `config_invalid` with every
 * problem in its details.
 */
export function loadConfig({ file, env, cwd }: LoadOptions): LoadedConfig {
  const path = file === undefined ? defaultConfigFile(cwd) : resolve(cwd, file)
  const near = relative(cwd, path)
  const label = near.startsWith('..') || isAbsolute(near) ? path : near
  return parseConfig(readConfigFile(path), { file: path, env, label })
}

/** Checks a text. Throws `config_invalid` with every problem in its details; nothing else, whatever the text holds. */
export function parseConfig(text: string, options: ParseOptions = {}): LoadedConfig {
  const { file, env = {} } = options
  const directory = resolve(options.baseDir ?? (file === undefined ? '.' : dirname(resolve(file))))
  const label = options.label ?? (file === undefined ? 'configuration' : basename(file))

  const overlaid = overlay(readSource(text, label), env)
  const { draft, origins, problems }: Interpretation<Settings> = interpret(configType, overlaid.root, references(env, directory))
  problems.push(...overlaid.problems)
  check(draft, {
    given: (path) => origins.has(path),
    problem(path, complaint) {
      problems.push(problemAt(nearest(origins, path).place, path, complaint))
    },
    keyProblem(path, complaint) {
      problems.push(problemAt(nearest(origins, path).keyPlace, path, complaint))
    },
  })
  if (problems.length > 0) throw configInvalid(label, withoutLines(problems, secretLines(origins)))
  const around = { file: file === undefined ? undefined : resolve(file), directory, cores: options.cores ?? availableParallelism(), resolve }
  return { config: toConfig(draft as Settings, around), text, origins, notes: overlaid.notes }
}

function readSource(text: string, label: string): SourceNode {
  const start: Place = { kind: 'file', file: label, line: 1, column: 1, width: 1 }
  if (Buffer.byteLength(text) > yamlLimits.textBytesMax) throw configInvalid(label, [problemAt(start, '', { message: `is larger than ${yamlLimits.textBytesMax} bytes` })])
  const read = readYaml(text, label)
  if ('problems' in read) throw configInvalid(label, withoutLines(read.problems, secretLookingLines(text)))
  const { root } = read
  if (root.kind === 'map') return root
  const found = root.kind === 'list' ? 'a list' : root.text.trim() === '' ? 'nothing' : 'a text'
  throw configInvalid(label, [problemAt(start, '', { message: `expected a map with services, found ${found}`, hint: 'begin with "services:" on the first line' })])
}

/** What stands beside a secret on its line is not shown with that line. */
function secretLines(origins: ReadonlyMap<string, Origin>): ReadonlySet<number> {
  const lines = new Set<number>()
  for (const { secret, place } of origins.values()) if (secret && place.kind === 'file') lines.add(place.line)
  return lines
}

/** Without syntax there are no keys, so a secret is known by the words beside it. */
function secretLookingLines(text: string): ReadonlySet<number> {
  const lines = text.split(/\r\n|\r|\n/)
  return new Set(lines.flatMap((line, index) => (secretName.test(line) ? [index + 1] : [])))
}

/** Of what was given for the path or, failing that, for what is around it. The whole file was given in any case. */
function nearest(origins: ReadonlyMap<string, Origin>, path: string): Origin {
  const origin = origins.get(path)
  if (origin !== undefined) return origin
  assert(path !== '', 'the configuration has no place')
  return nearest(origins, parentPath(path))
}

function references(env: Environment, directory: string): Resolve {
  const files = new Map<string, Resolved>()
  return (reference) => {
    if (reference.kind === 'variable') {
      const { name, fallback } = reference
      const value = env[name]
      if (value !== undefined) return { text: value, secret: secretName.test(name) }
      if (fallback !== undefined) return { text: '', secret: secretName.test(name) }
      return { problem: `the environment variable ${name} is not set`, hint: `set it, or give a default: \${${name}:-…}` }
    }
    const path = resolve(directory, reference.path)
    const known = files.get(path) ?? secretFile(reference.path, path)
    files.set(path, known)
    return known
  }
}

function secretFile(name: string, path: string): Resolved {
  try {
    const bytes = readUpTo(path, secretFileBytesMax)
    if (bytes === undefined) return { problem: `the file ${name} is larger than ${secretFileBytesMax} bytes` }
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes).trim(), secret: true }
  } catch (error) {
    return { problem: `the file ${name} cannot be read: ${reasonOf(error)}`, hint: `looked for ${path}` }
  }
}

function readConfigFile(path: string): string {
  const label = basename(path)
  const start: Place = { kind: 'file', file: label, line: 1, column: 1, width: 0 }
  let bytes: Uint8Array | undefined
  try {
    bytes = readUpTo(path, yamlLimits.textBytesMax)
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') throw new HoldfastError('config_not_found', `looked for the configuration ${path}, found no such file`, { hint: 'check the path given by --config', details: { file: path } })
    throw new HoldfastError('config_unreadable', `cannot read the configuration ${path}: ${reasonOf(cause)}`, { cause, hint: 'check what it is and who may read it' })
  }
  if (bytes === undefined) throw configInvalid(label, [problemAt(start, '', { message: `is larger than ${yamlLimits.textBytesMax} bytes` })])
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    const problem: Problem = problemAt(start, '', { message: 'is not text in UTF-8', hint: 'save it as UTF-8' })
    throw configInvalid(label, [problem])
  }
}

function reasonOf(error: unknown): string {
  return error instanceof HoldfastError ? error.message : (codeOf(error) ?? messageOf(error))
}

/** undefined: there is more. A pipe or a device could keep us waiting, or never end, so only regular files are read. */
function readUpTo(path: string, bytesMax: number): Uint8Array | undefined {
  const buffer = Buffer.alloc(bytesMax + 1)
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    if (!fstatSync(fd).isFile()) throw new HoldfastError('not_a_file', 'not a regular file')
    let length = 0
    for (let read = -1; read !== 0 && length < buffer.length; length += read) read = readSync(fd, buffer, length, buffer.length - length, null)
    return length > bytesMax ? undefined : buffer.subarray(0, length)
  } finally {
    closeSync(fd)
  }
}
