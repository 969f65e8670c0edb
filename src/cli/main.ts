/**
 * The program: turns declared commands into a command line, runs the one that was typed, and ends with its exit code.
 * The only file that knows commander.
 */
import { Command as Commander, CommanderError, Option } from 'commander'
import type { Clock } from '../kernel/time.ts'
import type { Api } from './client.ts'
import type { Command } from './command.ts'
import { commands } from './commands/index.ts'
import { plannedCommands } from './commands/planned.ts'
import { configFileAbove, type Where } from './configuration.ts'
import type { AppEntry, CommandContext, GlobalOptions, Signals } from './context.ts'
import { CliError, exitCodeOf, exitCodes, usageError, type ExitCode } from './errors.ts'
import { Output, type TextStream } from './output.ts'

export interface ProgramOptions {
  readonly stdout: TextStream
  readonly stderr: TextStream
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  readonly version: string
  readonly programFile: string
  readonly clock: Clock
  readonly signals: Signals
  /** Finds the control process; throws `not_running`. */
  readonly connect: (where: Where) => Api
  readonly loadApp: () => Promise<AppEntry>
  readonly outliveReaders: () => void
}

/** `args` without node and script. Never rejects: what goes wrong is said and becomes the exit code. */
export async function runProgram(args: readonly string[], options: ProgramOptions): Promise<ExitCode> {
  const out = new Output({ stdout: options.stdout, stderr: options.stderr, env: options.env, json: wantsJson(args) })
  try {
    await buildProgram(options, out).parseAsync(args, { from: 'user' })
    return exitCodes.done
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return exitCodes.done
    const error = thrown instanceof CommanderError ? parsingError(thrown) : thrown
    out.fail(error)
    return exitCodeOf(error)
  }
}

/** Looked at before anything is parsed, so that a mistake in the rest is told as asked, too. */
function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  return (end === -1 ? args : args.slice(0, end)).includes('--json')
}

/** Commander says `error: unknown command 'stats'\n(Did you mean status?)`. */
function parsingError(error: CommanderError): CliError {
  if (error.code === 'commander.help') return usageError('a command is missing', 'see: holdfast --help')
  const [first = '', suggestion] = error.message.split('\n')
  const message = first.replace(/^error: /, '')
  const meant = suggestion === undefined ? undefined : /^\(Did you mean (.*)\?\)$/.exec(suggestion)?.[1]
  const [, number] = /^unknown option '(-\d+(?:\.\d+)?)'$/.exec(message) ?? []
  if (number !== undefined) return usageError(`expected no negative number, got "${number}"`, 'see: holdfast --help')
  return usageError(message, meant === undefined ? 'see: holdfast --help' : `did you mean ${meant}?`)
}

const groupSummaries: Readonly<Record<string, string>> = {
  config: 'check, show, explain and compare configurations',
  token: 'make tokens for the API',
  apikey: 'make, list and revoke API keys',
  metrics: 'what is measured, and how it went',
  cache: 'statistics, values by key, and purging',
}

function buildProgram(options: ProgramOptions, out: Output): Commander {
  const program = new Commander('holdfast')
    .description('Keeps services up: starts them, balances their traffic, replaces what fails, and loses no request doing it.')
    .version(options.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .option('--json', 'print one JSON document; streams print one per line; errors, too')
    .option('--config <file>', 'the configuration (default: holdfast.yml, then config/high_availability.yml, here or in a directory above)')
    .option('--url <url>', 'ask the control process at this address (or HOLDFAST_URL)')
    .option('--token <token>', 'with this token or API key (or HOLDFAST_TOKEN)')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true, helpWidth: Math.min(out.columns, 120) })
    .configureOutput({
      writeOut: (text) => options.stdout.write(text),
      // Errors are told by `Output.fail`, as JSON when asked; what is left is the help shown for a missing command.
      writeErr: (text) => (out.json ? undefined : options.stderr.write(text)),
      outputError: () => undefined,
    })
  for (const command of commands) addCommand(program, command, options, out)
  for (const name of plannedCommands) addPlanned(program, name)
  program.addHelpText('after', `\nExit codes: 0 done, 1 failed, 2 bad usage or configuration, 3 holdfast not reached, 4 not allowed.`)
  return program
}

function addCommand(program: Commander, command: Command, options: ProgramOptions, out: Output): void {
  const parsed = declare(program, command.name).description(
    command.description === undefined ? command.summary : `${command.summary}.\n\n${command.description}`,
  )
  parsed.summary(command.summary)
  for (const argument of Object.values(command.arguments)) parsed.argument(argument.syntax, argument.summary)
  const attributes = new Map<string, string>()
  for (const [key, { syntax, summary }] of Object.entries(command.options)) {
    const option = new Option(syntax, summary)
    parsed.addOption(option)
    attributes.set(key, option.attributeName())
  }
  parsed.addHelpText('after', `\nExamples:\n${command.examples.map((example) => `  ${example}`).join('\n')}`)
  parsed.action(async () => {
    const typed = parsed.opts<Record<string, string | true | undefined>>()
    const positional = Object.entries(command.arguments).map(([key, { syntax }], i) => {
      return [key, syntax.includes('...') ? parsed.args.slice(i) : parsed.args[i]] as const
    })
    const named = [...attributes].map(([key, attribute]) => [key, typed[attribute]] as const)
    const given: Typed = Object.fromEntries<Typed[string]>([...positional, ...named])
    await runCommand(command, given, program.opts<GlobalOptions>(), options, out)
  })
}

/** `config show` goes below `config`, which is made when it is first needed. */
function declare(program: Commander, name: string): Commander {
  const [first = '', second] = name.split(' ')
  if (second === undefined) return program.command(first)
  const existing = program.commands.find((each) => each.name() === first)
  const group = existing ?? program.command(first).description(groupSummaries[first] ?? '')
  return group.helpCommand(false).command(second)
}

function addPlanned(program: Commander, name: string): void {
  const [first = '', second] = name.split(' ')
  const parent = second === undefined ? program : program.commands.find((each) => each.name() === first)
  parent
    ?.command(second ?? first, { hidden: true })
    .allowUnknownOption()
    .allowExcessArguments()
    .helpOption(false)
    .action(() => {
      throw new CliError('not_available_yet', `holdfast ${name} is not available yet`, { hint: 'it comes with a later release' })
    })
}

type Typed = Parameters<Command['run']>[1]

async function runCommand(command: Command, typed: Typed, globals: GlobalOptions, options: ProgramOptions, out: Output): Promise<void> {
  const clients: Api[] = []
  try {
    const result = await command.run(contextOf(globals, options, out, clients), typed)
    if (result) out.result(result)
  } finally {
    await Promise.all(clients.map((client) => client.close()))
  }
}

function contextOf(globals: GlobalOptions, options: ProgramOptions, out: Output, clients: Api[]): CommandContext {
  const { cwd, env, clock, signals, version, programFile, connect, loadApp, outliveReaders } = options
  const where = { cwd, env, options: { config: globals.config, url: globals.url, token: globals.token } }
  let interrupted: AbortSignal | undefined
  let toldAbove = false
  const tellFileAbove = (): void => {
    const above = toldAbove ? undefined : configFileAbove(where)
    toldAbove = true
    if (above !== undefined) out.note(`using ${above}`)
  }
  return {
    ...where,
    out,
    signals,
    version,
    programFile,
    loadApp,
    outliveReaders,
    clock,
    get interrupted() {
      return (interrupted ??= interruptedBy(signals))
    },
    tellFileAbove,
    connect: () => {
      if (globals.url === undefined && (env.HOLDFAST_URL ?? '') === '') tellFileAbove()
      const client = connect(where)
      clients.push(client)
      return Promise.resolve(client)
    },
  }
}

/** The first signal aborts; the next one does what signals do by themselves. */
function interruptedBy(signals: Signals): AbortSignal {
  const controller = new AbortController()
  const onSignal = (): void => {
    controller.abort()
    for (const listener of listeners) listener[Symbol.dispose]()
  }
  const listeners = [signals.on('SIGINT', onSignal), signals.on('SIGTERM', onSignal)]
  return controller.signal
}
