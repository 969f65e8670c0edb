import type { Affected, Impact } from '../../app/dependency-operations.ts'
import { defineCommand, optional, required, text } from '../command.ts'
import type { DependencyList } from '../client.ts'
import { printable } from '../style.ts'
import { renderTable, type Column } from '../table.ts'

export const impact = defineCommand({
  name: 'impact',
  summary: 'what goes down with a service, a check or an address',
  arguments: { name: required('<name>', 'a service, a check, or an address such as db.internal:5432', text) },
  examples: ['holdfast impact database', 'holdfast impact --json auth'],
  async run(context, { name }) {
    const api = await context.connect()
    const found = await api.impact(name)
    return { data: found, text: renderImpact(found) }
  },
})

/** The summary, and under it a tree: who needs it, who needs those, and so on. */
export function renderImpact({ name, affected, summary }: Impact): string {
  const branches = (parent: string, indent: string): readonly string[] => {
    const children = affected.filter(({ path }) => path[1] === parent)
    return children.flatMap((child, index) => {
      const last = index === children.length - 1
      return [`${indent}${last ? '└─' : '├─'} ${labelOf(child)}`, ...branches(child.name, `${indent}${last ? '   ' : '│  '}`)]
    })
  }
  return [printable(summary, false), ...(affected.length === 0 ? [] : [printable(name, false), ...branches(name, '')])].join('\n')
}

const labelOf = ({ name, kind, effect }: Affected): string =>
  printable(`${name}${kind === 'service' ? '' : ` (${kind})`}${effect === 'degraded' ? ', degraded' : ''}`, false)

const columns: readonly Column[] = [{ title: 'WHO' }, { title: 'NEEDS' }, { title: 'STATE' }, { title: 'WHY', shrinkTo: 20 }]

export const dependencies = defineCommand({
  name: 'dependencies',
  summary: 'what needs what, as configured and as learned',
  description: 'Needs are learned from calls through the balancer, from connections between instances, and from addresses in their environment.',
  arguments: { name: optional('[name]', 'only what it needs and who needs it', text) },
  examples: ['holdfast dependencies', 'holdfast dependencies shop'],
  async run(context, { name }) {
    const api = await context.connect()
    const found = await api.dependencies()
    const { out } = context
    const edges = found.edges.filter(({ from, to }) => name === undefined || from === name || to === name)
    const table = renderTable(
      columns,
      edges.map((edge) => cellsOf(edge, found)),
      out.columns,
      (title) => out.paint('dim', title),
    )
    return { data: name === undefined ? found : { ...found, edges }, text: edges.length === 0 ? 'nothing is known to need anything' : table }
  },
})

function cellsOf({ from, to, hard, alternatives, why }: DependencyList['edges'][number], { nodes }: DependencyList): readonly string[] {
  const state = nodes.find((node) => node.name === to)?.state ?? 'unknown'
  const what = `${to}${alternatives.length === 0 ? '' : ` (or ${alternatives.join(', ')})`}${hard ? '' : ' (can do without)'}`
  return [printable(from, false), printable(what, false), state, printable(why, false)]
}
