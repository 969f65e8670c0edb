/** Which configuration is meant, and where its control process leaves its address. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { parseDocument } from 'yaml'
import { controlFilePath, readControlFile, type ControlFile } from '../app/control-file.ts'
import { defaultConfigFiles, formatProblems, loadConfig, problemsOf, type Config, type LoadedConfig } from '../config/index.ts'
import { codeOf } from '../kernel/errors.ts'
import type { CommandContext } from './context.ts'
import { CliError } from './errors.ts'
import { plural } from './format.ts'

export type Where = Pick<CommandContext, 'options' | 'cwd' | 'env'>

/** Where data goes when no configuration says otherwise. */
export const defaultDataDirectory = '.holdfast'

/** Absolute. Throws `config_not_found` when none was named and none lies where one is looked for. */
export function configFileOf({ options, cwd }: Where): string {
  return options.config === undefined ? findConfigFile(cwd) : path.resolve(cwd, options.config)
}

/** Looks here, then in each directory above, as git does. Throws `config_not_found`, or `config_not_trusted`. */
function findConfigFile(cwd: string): string {
  for (const directory of upwards(cwd)) {
    const file = defaultConfigFiles.map((name) => path.join(directory, name)).find((each) => existsSync(each))
    if (file === undefined) continue
    if (directory !== cwd) refuseStranger(file)
    return file
  }
  throw new CliError('config_not_found', `looked for ${defaultConfigFiles.join(' and ')} in ${cwd} and the directories above it, found neither`, {
    hint: 'create holdfast.yml, or name another file with --config',
    details: { directory: cwd, files: defaultConfigFiles },
  })
}

function* upwards(from: string): Generator<string> {
  for (let directory = path.resolve(from); ; directory = path.dirname(directory)) {
    yield directory
    if (directory === path.dirname(directory)) return
  }
}

/** A configuration says what is run: one that another user has put above (in /tmp, say) is not taken unasked. */
function refuseStranger(file: string): void {
  const { uid } = statSync(file)
  const me = process.getuid?.()
  if (me === undefined || uid === me || uid === 0) return
  throw new CliError('config_not_trusted', `found ${file} above this directory, but it belongs to another user (uid ${uid})`, {
    hint: `if it is meant, name it: --config ${file}`,
    details: { file, uid },
  })
}

/** The configuration when it was found in a directory above; undefined when it was named, lies here, or is not there. */
export function configFileAbove(where: Where): string | undefined {
  if (where.options.config !== undefined) return undefined
  try {
    const file = findConfigFile(where.cwd)
    return path.relative(where.cwd, file).startsWith('..') ? file : undefined
  } catch {
    // Whoever needs the file will say what is wrong.
    return undefined
  }
}

/** Throws `config_invalid` with every problem and its place in the file. */
export function loadConfiguration(where: Where): LoadedConfig {
  const file = configFileOf(where)
  try {
    return loadConfig({ file, env: where.env, cwd: where.cwd })
  } catch (thrown) {
    throw withExcerpts(thrown, file, where.cwd)
  }
}

/** A line for each problem and what it is about, instead of the first one only. */
function withExcerpts(thrown: unknown, file: string, cwd: string): unknown {
  const problems = problemsOf(thrown)
  if (problems.length === 0) return thrown
  return new CliError('config_invalid', `cannot use ${path.relative(cwd, file) || file}: ${plural(problems.length, 'problem')}`, {
    details: { file, problems },
    evidence: formatProblems(problems, readIfPossible(file)),
  })
}

export interface Candidates {
  /** Absolute; the likeliest first. */
  readonly dataDirectories: readonly string[]
  /** The configuration that names them, when it can be used. */
  readonly configFile: string | undefined
}

/**
 * The data directories that may be meant. A usable `--config` names exactly one; otherwise the default one is looked at
 * too, so that a running system can be asked and stopped while its file is broken or elsewhere.
 */
export function candidateDirectories(where: Where): Candidates {
  let otherwise = path.resolve(where.cwd, defaultDataDirectory)
  let file: string
  try {
    file = configFileOf(where)
    if (configFileAbove(where) !== undefined) otherwise = path.resolve(path.dirname(file), defaultDataDirectory)
  } catch {
    return { dataDirectories: [otherwise], configFile: undefined }
  }
  try {
    const { data } = loadConfig({ file, env: where.env, cwd: where.cwd }).config
    return { dataDirectories: where.options.config === undefined ? unique([data, otherwise]) : [data], configFile: file }
  } catch {
    return { dataDirectories: unique([...dataNamedIn(file, where.cwd), otherwise]), configFile: undefined }
  }
}

/** What a file that cannot be used as a whole says about `data`. */
function dataNamedIn(file: string, cwd: string): readonly string[] {
  const value: unknown = parseDocument(readIfPossible(file), { logLevel: 'silent' }).get('data')
  if (typeof value !== 'string' || value.includes('${')) return []
  return [path.resolve(path.dirname(file), value), path.resolve(cwd, value)]
}

function unique(paths: readonly string[]): readonly string[] {
  return [...new Set(paths)]
}

function readIfPossible(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

export interface FoundControl {
  readonly dataDirectory: string
  readonly file: string
  readonly control: ControlFile
}

/** The first of the directories in which a control process has left its address; whether it still lives is another question. */
export function findControl(dataDirectories: readonly string[]): FoundControl | undefined {
  for (const dataDirectory of dataDirectories) {
    const control = readControlFile(dataDirectory)
    if (control) return { dataDirectory, file: controlFilePath(dataDirectory), control }
  }
  return undefined
}

/** For a start: what cannot be understood was left by somebody dead, or else the lock of the data directory will say so. */
export function findReadableControl(dataDirectory: string): FoundControl | undefined {
  try {
    return findControl([dataDirectory])
  } catch (error) {
    if (codeOf(error) !== 'control_file_unreadable') throw error
    return undefined
  }
}

/** What is allowed and should not stay so. */
export function warningsOf({ services }: Config): readonly string[] {
  const unsafe = Object.values(services).filter(({ origin }) => origin?.tls?.verify === false)
  return unsafe.map(
    ({ name }) =>
      `warning: services.${name}.origin.tls.verify is false: any certificate is believed; give the authority of its endpoints as ca instead`,
  )
}
