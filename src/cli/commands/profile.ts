import { createWriteStream } from 'node:fs'
import { resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Flame, FlameNode, ProfileKind } from '../../app/profile-operations.ts'
import { ms, sleep } from '../../kernel/time.ts'
import type { Api, ProfileDescription } from '../client.ts'
import { defineCommand, flag, optional, required, text } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { CliError, usageError } from '../errors.ts'
import { duration } from '../readers.ts'
import { printable } from '../style.ts'
import { renderTable, type Column } from '../table.ts'

const lookInterval = ms(300)
/** Functions that are shown. */
const hottestMax = 10
const usualMs = 10_000

const columns: readonly Column[] = [
  { title: 'SELF', align: 'right' },
  { title: '%', align: 'right' },
  { title: 'FUNCTION', shrinkTo: 12 },
  { title: 'AT', shrinkTo: 20 },
]

export const profile = defineCommand({
  name: 'profile',
  summary: 'record what an instance does: CPU, heap, or collections and lag',
  description:
    'The instance must be a Node.js program that loads the reporter (node --import holdfast/instance/register). A heap snapshot stops it for a while and holds its secrets. ' +
    'Without --cpu, --heap or --gc: CPU for 10s.',
  arguments: { service: required('<service>', 'the service', text) },
  options: {
    cpu: optional('--cpu <duration>', 'where its time goes, for so long', duration),
    heap: flag('--heap', 'everything in its memory'),
    gc: optional('--gc <duration>', 'collections, and how long its event loop kept others waiting, for so long', duration),
    instance: optional('--instance <id>', 'which one (default: the one that uses the most CPU)', text),
    output: optional('-o, --output <file>', 'save the recording, for the developer tools of Chrome', text),
  },
  examples: ['holdfast profile shop --cpu 10s', 'holdfast profile shop --heap -o shop.heapsnapshot', 'holdfast profile shop --gc 30s'],
  async run(context, { service, cpu, heap, gc, instance, output }) {
    if ([cpu, gc, heap || undefined].filter((each) => each !== undefined).length > 1)
      throw usageError('--cpu, --heap and --gc exclude each other', 'give one of them')
    const kind: ProfileKind = heap ? 'heap' : gc === undefined ? 'cpu' : 'gc'
    const durationMs = cpu ?? gc ?? usualMs
    const api = await context.connect()
    const begun = await api.takeProfile(service, { kind, durationMs, ...(instance !== undefined && { instance }) })
    context.out.note(`recording ${kind} of ${begun.instance}${kind === 'heap' ? '' : ` for ${durationMs / 1_000} s`}`)
    const done = await whenDone(context, api, begun.id)
    if (done.state === 'failed') throw new CliError('profile_failed', `profiling ${done.instance} failed: ${done.error ?? 'unknown'}`)
    if (output !== undefined) await save(context, api, done.id, output)
    const flame = kind === 'cpu' ? await api.flame(done.id) : undefined
    return {
      data: { ...done, ...(flame && { hottest: hottestOf(flame) }) },
      text: [summaryOf(done, output), ...(flame ? [tableOf(flame, context)] : [])].join('\n'),
    }
  },
})

async function whenDone(context: CommandContext, api: Api, id: string): Promise<ProfileDescription> {
  for (;;) {
    const found = (await api.profiles()).find((each) => each.id === id)
    if (found === undefined) throw new CliError('profile_failed', `the profile ${id} has been removed meanwhile`)
    if (found.state !== 'running') return found
    await sleep(context.clock, lookInterval, context.interrupted)
  }
}

async function save(context: CommandContext, api: Api, id: string, output: string): Promise<void> {
  await pipeline(await api.profile(id), createWriteStream(resolve(context.cwd, output)))
}

function summaryOf({ id, instance, pid, kind, bytes }: ProfileDescription, output: string | undefined): string {
  const where = output === undefined ? `kept as ${id}` : `saved as ${output}`
  return printable(`recorded ${kind} of ${instance}${pid === null ? '' : ` (pid ${pid})`}: ${(bytes / 1_024).toFixed(0)} KiB, ${where}`, false)
}

interface Hot {
  readonly name: string
  readonly at: string
  readonly selfMs: number
  readonly share: number
}

/** Where the time itself went, whoever called it; without idling. */
export function hottestOf({ root }: Pick<Flame, 'root'>): readonly Hot[] {
  const sums = new Map<string, { name: string; at: string; selfMs: number }>()
  const gather = ({ name, at, selfMs, children }: FlameNode): void => {
    const key = `${name}\n${at}`
    const sum = sums.get(key) ?? { name, at, selfMs: 0 }
    sums.set(key, { ...sum, selfMs: sum.selfMs + selfMs })
    for (const child of children) gather(child)
  }
  gather(root)
  const busy = [...sums.values()].filter(({ name, selfMs }) => name !== '(idle)' && selfMs > 0).sort((a, b) => b.selfMs - a.selfMs)
  return busy.slice(0, hottestMax).map((each) => ({ ...each, share: root.totalMs === 0 ? 0 : each.selfMs / root.totalMs }))
}

function tableOf(flame: Flame, { out }: CommandContext): string {
  const rows = hottestOf(flame).map(({ name, at, selfMs, share }) => [
    `${selfMs.toFixed(0)} ms`,
    (share * 100).toFixed(1),
    printable(name, false),
    printable(at, false),
  ])
  return rows.length === 0 ? 'it was idle' : renderTable(columns, rows, out.columns, (title) => out.paint('dim', title))
}
