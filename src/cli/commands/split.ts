import type { Split } from '../../app/operations.ts'
import { defineCommand, flag, required, rest, text, type Reader } from '../command.ts'
import { usageError } from '../errors.ts'
import { formatCount, formatMs, formatRate, formatShare, nothing } from '../format.ts'
import { printable } from '../style.ts'
import { renderTable, type Column } from '../table.ts'
import { unknownService } from './status.ts'

/** Shares add up to 100 up to what is lost by writing thirds with two digits. */
const sumSlack = 0.05

const columns: readonly Column[] = [
  { title: 'VERSION', shrinkTo: 8 },
  { title: 'SHARE', align: 'right' },
  { title: 'ENDPOINTS', align: 'right', spare: 2 },
  { title: 'REQ/S', align: 'right' },
  { title: 'P95', align: 'right' },
  { title: 'ERRORS', align: 'right' },
  { title: 'REQUESTS', align: 'right', spare: 1 },
  { title: 'FAILED', align: 'right', spare: 1 },
]

/** `v1=90` and `v1=90%`. */
const share: Reader<readonly [version: string, percent: number]> = (raw, what) => {
  const [, version = '', percent = ''] = /^(.+)=(\d{1,3}(?:\.\d+)?)%?$/.exec(raw) ?? []
  const value = Number(percent)
  if (version === '' || value > 100) throw usageError(`${what}: expected a version and its share in percent, like v2=10, got "${raw}"`)
  return [version, value]
}

export const split = defineCommand({
  name: 'split',
  summary: 'how the clients of a service are divided between versions; with shares: divide them so',
  description:
    'Shares are in percent of the clients, 100 in all; a version that is not named gets nobody. They hold before what is configured, also after a restart, until --reset. Rates, errors and the time to the first byte are those of the last 10 seconds; requests and failures are counted since the endpoints are there.',
  arguments: {
    service: required('<service>', 'the name of a service', text),
    shares: rest('[version=percent...]', 'the share of each version', share),
  },
  options: { reset: flag('--reset', 'as configured again') },
  examples: ['holdfast split shop', 'holdfast split shop v1=90 v2=10', 'holdfast split shop --reset'],
  async run(context, { service, shares, reset }) {
    if (reset && shares.length > 0) throw usageError('--reset: takes no shares')
    const wanted = shares.length === 0 ? undefined : sharesOf(shares)
    const api = await context.connect()
    const overview = await api.overview()
    if (!overview.services.some(({ name }) => name === service)) throw unknownService(service, overview)
    const found = wanted === undefined && !reset ? await api.split(service) : await api.setSplit(service, wanted)
    const { columns: width, paint } = context.out
    return { data: found, text: `${headline(found)}\n${renderTable(columns, rowsOf(found), width, (title) => paint('dim', title))}` }
  },
})

function sharesOf(shares: readonly (readonly [string, number])[]): Readonly<Record<string, number>> {
  const sum = shares.reduce((total, [, percent]) => total + percent, 0)
  const twice = shares.find(([version], i) => shares.findIndex(([other]) => other === version) !== i)
  if (twice !== undefined) throw usageError(`the share of ${twice[0]} is given twice`)
  if (Math.abs(sum - 100) > sumSlack) throw usageError(`the shares are ${Number(sum.toFixed(2))} % in all, and must be 100`)
  return Object.fromEntries(shares.map(([version, percent]) => [version, percent / sum]))
}

function headline({ service, source }: Split): string {
  const how = {
    hand: `divided by hand (as configured again: holdfast split ${service} --reset)`,
    configuration: 'divided as configured',
    none: 'not divided: the weights of the endpoints decide',
  }
  return `${service} is ${how[source]}`
}

function rowsOf({ shares, versions, traffic }: Split): readonly (readonly string[])[] {
  const names = [...new Set([...Object.keys(shares ?? {}), ...Object.keys(versions)])].toSorted()
  return names.map((name) => {
    const of = traffic[name]
    return [
      printable(name, false),
      shares === undefined ? nothing : `${Number(((shares[name] ?? 0) * 100).toFixed(2))}%`,
      String(versions[name] ?? 0),
      ...(of === undefined
        ? [nothing, nothing, nothing, nothing, nothing]
        : [formatRate(of.requestRate), formatMs(of.p95Ms), formatShare(of.errorRate), formatCount(of.requests), formatCount(of.errors)]),
    ]
  })
}
