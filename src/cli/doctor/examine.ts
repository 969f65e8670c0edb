/** All checks in the order in which a person would make them: the machine, the configuration, what it needs, what is left from before. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { runDirectory } from '../../app/control-file.ts'
import type { LoadedConfig } from '../../config/index.ts'
import type { Config, ServiceConfig } from '../../config/types.ts'
import { codeOf, messageOf } from '../../kernel/errors.ts'
import { loadDriver } from '../../store/index.ts'
import { candidateDirectories, findControl, loadConfiguration } from '../configuration.ts'
import type { CommandContext } from '../context.ts'
import { errorText } from '../errors.ts'
import { plural } from '../format.ts'
import { describeOwner, ownerOfPort } from '../../kernel/port-owner.ts'
import { isAlive } from '../../kernel/process-identity.ts'
import type { Finding } from './finding.ts'
import { judgeClock, judgeFreeSpace, judgeNode, judgeOpenFiles, judgePlatform, judgePort } from './judge.ts'
import { openFilesLimit, procReadable, programExists, tryDirectory, tryPort } from './readings.ts'

type Doctor = Pick<CommandContext, 'options' | 'cwd' | 'env' | 'clock'>

export async function examine(doctor: Doctor): Promise<readonly Finding[]> {
  const findings: Finding[] = [
    judgeNode(process.versions.node),
    judgePlatform(process.platform, process.arch),
    judgeOpenFiles(openFilesLimit()),
    proc(),
    await sqlite(),
  ]
  const { finding, config } = configuration(doctor)
  const { left, control } = leftovers(doctor)
  findings.push(finding)
  if (config) findings.push(...directories(config, doctor), ...programs(config, doctor), ...(await ports(config, control)))
  else findings.push(judgeClock(doctor.clock.wallTime(), undefined))
  return [...findings, left]
}

function proc(): Finding {
  const check = '/proc'
  if (process.platform !== 'linux')
    return { check, verdict: 'warn', text: 'this platform has none: readings of processes are left out', mend: 'use Linux for production' }
  if (procReadable()) return { check, verdict: 'ok', text: 'other processes can be seen' }
  return {
    check,
    verdict: 'fail',
    text: 'other processes cannot be seen, so that running services could not be taken over',
    mend: 'mount it without hidepid, or run as the user of the services',
  }
}

async function sqlite(): Promise<Finding> {
  const check = 'sqlite'
  try {
    const { DatabaseSync } = await loadDriver()
    const database = new DatabaseSync(':memory:')
    const row = database.prepare('SELECT sqlite_version() AS version').get() as { version: string }
    database.close()
    return { check, verdict: 'ok', text: `version ${row.version}` }
  } catch (thrown) {
    return {
      check,
      verdict: 'fail',
      text: `does not load: ${messageOf(thrown)}`,
      mend: 'install holdfast again with `npm ci`, on this machine and with this Node',
    }
  }
}

function configuration(doctor: Doctor): { readonly finding: Finding; readonly config: Config | undefined } {
  const check = 'configuration'
  let loaded: LoadedConfig
  try {
    loaded = loadConfiguration(doctor)
  } catch (thrown) {
    const mend =
      codeOf(thrown) === 'config_invalid' ? 'see every problem with: holdfast config check' : 'name one with --config FILE, or write holdfast.yml'
    return { finding: { check, verdict: 'fail', text: errorText(thrown).split('\n')[0] ?? '', mend }, config: undefined }
  }
  const { config } = loaded
  const text = `${path.relative(doctor.cwd, config.file ?? '')} is right: ${plural(Object.keys(config.services).length, 'service')}`
  return { finding: { check, verdict: 'ok', text }, config }
}

function directories(config: Config, { clock }: Doctor): readonly Finding[] {
  const data = tryDirectory(config.data)
  const clockFinding = judgeClock(clock.wallTime(), 'error' in data ? undefined : data.fileTime)
  const logs = tryDirectory(config.log.directory)
  return [judgeDirectory('data directory', config.data, data), judgeDirectory('log directory', config.log.directory, logs), clockFinding]
}

function judgeDirectory(check: string, directory: string, reading: ReturnType<typeof tryDirectory>): Finding {
  if (!('error' in reading)) return judgeFreeSpace(check, directory, reading.freeBytes)
  return {
    check,
    verdict: 'fail',
    text: `${directory} cannot be written: ${reading.error}`,
    mend: 'give this user the right to write there, or choose another directory',
  }
}

function programs(config: Config, { env }: Doctor): readonly Finding[] {
  return Object.values(config.services).flatMap((service) => judgeProgram(service, env.PATH ?? ''))
}

/** What a command may open with that is no program of its own, though some lie on the search path, too. */
const shellWords: ReadonlySet<string> = new Set(
  '. [ : cd command eval exec export for if set source test time trap ulimit umask unset until while'.split(' '),
)

/** Only what is certain: a word that a shell would expand or run by itself is not looked at. */
function judgeProgram({ name, source }: ServiceConfig, searchPath: string): readonly Finding[] {
  if (source.kind !== 'process') return []
  const check = `service ${name}`
  if (!statSync(source.cwd, { throwIfNoEntry: false })?.isDirectory()) {
    return [{ check, verdict: 'fail', text: `its cwd ${source.cwd} is no directory`, mend: `mend services.${name}.cwd` }]
  }
  const word = source.command.trim().split(/\s+/)[0] ?? ''
  if (shellWords.has(word) || !/^[\w@%+:,./-]+$/.test(word)) return [{ check, verdict: 'ok', text: 'started by a shell' }]
  if (programExists(word, source.cwd, source.env.PATH ?? searchPath)) return [{ check, verdict: 'ok', text: `${word} is there` }]
  return [{ check, verdict: 'fail', text: `its program ${word} is not found`, mend: `mend services.${name}.command, install ${word}, or set PATH` }]
}

/** The control process holds the ports of API and metrics, the balancer those of the listeners: only the balancer survives its control process. */
async function ports(config: Config, control: ControlState): Promise<readonly Finding[]> {
  const wanted = [
    { what: 'api', host: config.api.host, port: config.api.port, outlives: false },
    ...(config.metrics.port === undefined ? [] : [{ what: 'metrics', host: config.metrics.host, port: config.metrics.port, outlives: false }]),
    ...Object.entries(config.listeners).map(([name, { host, port }]) => ({ what: `listener ${name}`, host, port, outlives: true })),
  ]
  const findings: Finding[] = []
  for (const { what, host, port, outlives } of wanted) {
    const outcome = await tryPort(host, port)
    const taken = outcome !== 'free' && outcome.code === 'EADDRINUSE'
    const holder = control === 'runs' ? 'ours' : control === 'died' && outlives ? 'left' : undefined
    const owner = taken && !holder ? ownerOfPort(port) : undefined
    findings.push(judgePort(what, host, port, taken ? (holder ?? { ...outcome, owner: owner && describeOwner(owner) }) : outcome))
  }
  return findings
}

type ControlState = 'runs' | 'died' | 'none'

function leftovers(doctor: Doctor): { readonly left: Finding; readonly control: ControlState } {
  const check = 'running'
  const { dataDirectories } = candidateDirectories(doctor)
  try {
    const control = findControl(dataDirectories)?.control
    if (control && isAlive(control.pid, control.startTicks))
      return { left: { check, verdict: 'ok', text: `holdfast runs (pid ${control.pid})` }, control: 'runs' }
    const [leftIn] = dataDirectories.filter((directory) => existsSync(runDirectory(directory)) && readdirSync(runDirectory(directory)).length > 0)
    if (leftIn === undefined) return { left: { check, verdict: 'ok', text: 'holdfast does not run, and has left nothing' }, control: 'none' }
    const text = control
      ? `holdfast (pid ${control.pid}) has died; what it ran may go on`
      : `holdfast does not run, but has left files in ${runDirectory(leftIn)}`
    return {
      left: { check, verdict: 'warn', text, mend: 'take over with `holdfast up`, or stop what is left with `holdfast down`' },
      control: 'died',
    }
  } catch (thrown) {
    return { left: { check, verdict: 'warn', text: errorText(thrown), mend: 'look at the file named' }, control: 'none' }
  }
}
