import { existsSync, readdirSync } from 'node:fs'
import { runDirectory, type ControlFile } from '../../app/control-file.ts'
import { after, elapsed, minutes, ms, type Duration } from '../../kernel/time.ts'
import { ApiClient, type Api } from '../client.ts'
import { defineCommand } from '../command.ts'
import { candidateDirectories, findControl, type Candidates } from '../configuration.ts'
import { notRunning } from '../connect.ts'
import type { CommandContext } from '../context.ts'
import { CliError, exitCodeOf, exitCodes } from '../errors.ts'
import { isAborted, pause } from '../follow.ts'
import { formatAge, plural } from '../format.ts'
import { LiveBlock } from '../live.ts'
import type { Result } from '../output.ts'
import { isAlive, startTicksOf } from '../../kernel/process-identity.ts'
import { printable } from '../style.ts'

const lookInterval: Duration = ms(200)
/** Longer than any sensible stop timeout; past it a person has to look. */
const stopMax: Duration = minutes(15)

export const down = defineCommand({
  name: 'down',
  summary: 'drain and stop everything',
  description:
    'Takes every service out of the traffic, lets requests in flight finish, stops the services, the balancer and holdfast itself, and waits until all are gone. When holdfast ' +
    'itself is dead, what it left running is found and stopped all the same. Ctrl-C ends the waiting, not the stop.',
  examples: ['holdfast down', 'holdfast down --config shop.yml'],
  async run(context) {
    if (isRemote(context)) return stopRemote(context)
    context.tellFileAbove()
    const candidates = candidateDirectories(context)
    const found = findControl(candidates.dataDirectories)
    if (found && isAlive(found.control.pid, found.control.startTicks)) return stopControlProcess(context, found.control, found.dataDirectory)
    return stopLeftovers(context, candidates)
  },
})

function isRemote({ options, env }: CommandContext): boolean {
  return options.url !== undefined || (env.HOLDFAST_URL ?? '') !== ''
}

/** On another machine nothing can be seen but whether it answers. */
async function stopRemote(context: CommandContext): Promise<Result> {
  const api = await context.connect()
  const { pid } = await api.overview()
  await api.down()
  await waitWhile(context, () => answers(api), api)
  return { data: { pid, stopped: true }, text: `stopped holdfast at ${api.url}` }
}

async function answers(api: Api): Promise<boolean> {
  try {
    await api.readiness()
    return true
  } catch (thrown) {
    if (exitCodeOf(thrown) === exitCodes.unreachable) return false
    throw thrown
  }
}

async function stopControlProcess(context: CommandContext, control: ControlFile, dataDirectory: string): Promise<Result> {
  const { pid } = control
  // From now on this very process is meant, even when its pid is given to another one meanwhile.
  const startTicks = control.startTicks ?? startTicksOf(pid)
  const startedAt = context.clock.now()
  const api = new ApiClient({ url: control.url, token: control.token, unreachable: () => notRunning(dataDirectory, context) })
  try {
    await orderDown(api, control)
    await waitWhile(context, () => Promise.resolve(isAlive(pid, startTicks)), api)
  } finally {
    await api.close()
  }
  const took = formatAge(elapsed(startedAt, context.clock.now()))
  return { data: { pid, dataDirectory, stopped: true }, text: `stopped holdfast (pid ${pid}) and everything it ran in ${took}` }
}

/** A control process that lives but does not answer gets the signal that means the same. */
async function orderDown(api: Api, control: ControlFile): Promise<void> {
  try {
    await api.down()
  } catch (thrown) {
    if (exitCodeOf(thrown) !== exitCodes.unreachable) throw thrown
    if (control.startTicks === undefined) {
      throw new CliError('unreachable', `holdfast (pid ${control.pid}) seems to run, but does not answer at ${control.url}`, {
        hint: `when you are sure that it is holdfast: kill ${control.pid}`,
      })
    }
    if (isAlive(control.pid, control.startTicks)) process.kill(control.pid, 'SIGTERM')
  }
}

async function waitWhile(context: CommandContext, running: () => Promise<boolean>, api: Api): Promise<void> {
  const { clock, interrupted, out } = context
  const block = new LiveBlock(out)
  const startedAt = clock.now()
  const giveUpAt = after(startedAt, stopMax)
  block.show(['draining and stopping'])
  try {
    while (await running()) {
      if (isAborted(interrupted)) throw new CliError('interrupted', 'stopped waiting; holdfast goes on stopping', { hint: 'see: holdfast status' })
      if (clock.now() > giveUpAt)
        throw new CliError('timeout', `holdfast still runs ${formatAge(stopMax)} after it was told to stop`, { hint: 'see its log' })
      if (out.interactive) block.show([`draining and stopping, ${formatAge(elapsed(startedAt, clock.now()))}`, ...(await whatIsLeft(api))])
      await pause(context, lookInterval)
    }
  } finally {
    block.clear()
  }
}

/** Only for the eye: while it stops, the API may end before the process does. */
async function whatIsLeft(api: Api): Promise<readonly string[]> {
  const overview = await api.overview().catch(() => undefined)
  return (overview?.services ?? []).flatMap(({ name, instances }) => {
    const left = instances.filter((instance) => instance.pid !== undefined).length
    return left > 0 ? [`  ${name}: ${plural(left, 'instance')} left`] : []
  })
}

async function stopLeftovers(context: CommandContext, { dataDirectories, configFile }: Candidates): Promise<Result> {
  const dataDir = dataDirectories.find(hasLeftovers)
  if (dataDir === undefined) {
    const where = dataDirectories[0] ?? context.cwd
    return {
      data: { dataDirectory: where, stopped: false, instances: 0, problems: [] },
      text: `nothing to stop: holdfast is not running in ${where}`,
    }
  }
  context.out.say(`no control process answers in ${dataDir}; looking for what it left running`)
  const app = await context.loadApp()
  const belongsToFile = configFile !== undefined && dataDir === dataDirectories[0]
  const { stopped, problems } = await app.stopLeftovers({ dataDir, ...(belongsToFile && { configFile }) })
  for (const problem of problems) context.out.note(`warning: ${printable(problem, false)}`)
  const text =
    stopped === 0 ? 'nothing was running any more' : `stopped ${plural(stopped, 'process', 'processes')} that a dead control process had left`
  return { data: { dataDirectory: dataDir, stopped: stopped > 0, instances: stopped, problems }, text }
}

function hasLeftovers(dataDirectory: string): boolean {
  const directory = runDirectory(dataDirectory)
  return existsSync(directory) && readdirSync(directory).length > 0
}
