/** What needs what: drawn in layers, who needs left of what is needed. Choosing one shows what would be affected if it were down. */
import type { Cause, Dependencies as Graph, Impact } from '../../../src/api/types.ts'
import { get } from '../lib/api.ts'
import { layered, type Spot } from '../lib/layers.ts'
import { query, setQuery } from '../lib/router.ts'
import { useLoad } from '../lib/use-load.ts'
import { Loaded } from '../ui/loaded.tsx'
import { Card, Page } from '../ui/page.tsx'
import { EmptyState } from '../ui/states.tsx'
import { Badge, Status } from '../ui/status.tsx'
import { ListTable, type Column } from '../ui/table.tsx'

type Node = Graph['nodes'][number]
type Edge = Graph['edges'][number]

const everyMs = 5_000

export function Dependencies() {
  const graph = useLoad((signal) => get<Graph>('/dependencies', undefined, { signal }), [], everyMs)
  const causes = useLoad((signal) => get<readonly Cause[]>('/dependencies/causes', undefined, { signal }), [], everyMs)
  const chosen = query.value.get('of') ?? undefined
  const impact = useLoad(
    async (signal) => (chosen === undefined ? undefined : get<Impact>(`/dependencies/${encodeURIComponent(chosen)}/impact`, undefined, { signal })),
    [chosen],
  )
  return (
    <Page title="Dependencies">
      {(causes.data ?? []).length > 0 && <Causes causes={causes.data ?? []} />}
      <Loaded of={graph} height={360}>
        {(data) =>
          data.edges.length === 0 ? (
            <Card>
              <EmptyState title="Nothing is known to need anything yet">
                Declare it (<code>services.shop.dependsOn</code>, <code>health.dependencies</code>), or let traffic flow: who calls whom through the
                balancer is learned.
              </EmptyState>
            </Card>
          ) : (
            <>
              <Card title="What needs what" beside={<span class="muted small">choose one to see what it would take along</span>} flush>
                <Drawing graph={data} chosen={chosen} impact={impact.data} />
              </Card>
              {chosen !== undefined && (
                <Card title={`If ${chosen} is down`} beside={<Clear />}>
                  <Loaded of={impact} height={60}>
                    {(shown) => shown && <ImpactText impact={shown} />}
                  </Loaded>
                </Card>
              )}
              <Card title="How it is known" flush>
                <ListTable
                  label="What needs what, and how it is known"
                  rows={data.edges}
                  idOf={({ from, to }) => `${from} ${to}`}
                  columns={columns}
                  empty={null}
                />
              </Card>
            </>
          )
        }
      </Loaded>
    </Page>
  )
}

const columns: readonly Column<Edge>[] = [
  { key: 'from', label: 'Who', cell: ({ from }) => from, sort: ({ from }) => from },
  { key: 'to', label: 'Needs', cell: ({ to }) => to, sort: ({ to }) => to },
  {
    key: 'hard',
    label: 'How much',
    cell: ({ hard, alternatives }) => <Badge>{hard ? (alternatives.length > 0 ? 'one of several' : 'hard') : 'works without'}</Badge>,
    hide: 'narrow',
  },
  { key: 'why', label: 'Known by', cell: ({ why }) => <span class="muted">{why}</span> },
]

const Clear = () => (
  <button type="button" class="button tiny" onClick={() => setQuery({ of: undefined })}>
    Clear
  </button>
)

const Causes = ({ causes }: { causes: readonly Cause[] }) => (
  <div class="notice bad break">
    <div>
      <strong>Down, and probably because of:</strong>
      {causes.slice(0, 3).map(({ name, reason }) => (
        <div key={name}>{reason.startsWith(name) ? reason : `${name}: ${reason}`}</div>
      ))}
    </div>
  </div>
)

const ImpactText = ({ impact: { summary, affected } }: { impact: Impact }) => (
  <div class="stack">
    <p>{summary}</p>
    {affected.length > 0 && (
      <ul>
        {affected.map(({ name, effect, path }) => (
          <li key={name} class="row">
            <Status tone={effect === 'down' ? 'bad' : 'warn'}>{effect}</Status>
            <span class="break">{path.join(' → ')}</span>
          </li>
        ))}
      </ul>
    )}
  </div>
)

// --- the drawing

const [nodeWidth, nodeHeight, gapX, gapY] = [168, 44, 72, 14]

function Drawing({ graph: { nodes, edges }, chosen, impact }: { graph: Graph; chosen: string | undefined; impact: Impact | undefined }) {
  const tied = new Set(edges.flatMap(({ from, to }) => [from, to]))
  const shown = nodes.filter(({ name }) => tied.has(name))
  const { spots, bends } = layered(
    shown.map(({ name }) => name),
    edges,
  )
  const pointOf = ({ layer, row }: Spot): Point => ({ x: layer * (nodeWidth + gapX), y: row * (nodeHeight + gapY) })
  const place = new Map(spots.map((spot) => [spot.name, pointOf(spot)]))
  const every = [...spots, ...[...bends.values()].flat()]
  const width = Math.max(...every.map(({ layer }) => layer)) * (nodeWidth + gapX) + nodeWidth
  const height = Math.max(...every.map(({ row }) => row)) * (nodeHeight + gapY) + nodeHeight
  const effects = new Map((impact?.affected ?? []).map(({ name, effect }) => [name, effect]))
  const hot = (name: string): boolean => name === chosen || effects.has(name)
  return (
    <div class="graph" tabIndex={0} role="group" aria-label="Graph of dependencies">
      <div class="graph-plane" style={{ width: `${width}px`, height: `${height}px` }}>
        <svg width={width} height={height} aria-hidden="true">
          {edges.map(({ from, to, hard }) => {
            const [a, b] = [place.get(from), place.get(to)]
            if (!a || !b) return null
            const taken = chosen !== undefined && hot(from) && hot(to)
            return (
              <path
                key={`${from} ${to}`}
                class={`graph-edge ${hard ? '' : 'soft'} ${taken ? 'hot' : chosen === undefined ? '' : 'pale'}`}
                d={curve([a, ...(bends.get(`${from}>${to}`) ?? []).map(pointOf), b])}
              />
            )
          })}
        </svg>
        {shown.map((node) => (
          <NodeButton
            key={node.name}
            node={node}
            at={place.get(node.name) ?? { x: 0, y: 0 }}
            chosen={chosen === node.name}
            effect={effects.get(node.name)}
          />
        ))}
      </div>
    </div>
  )
}

interface Point {
  readonly x: number
  readonly y: number
}

/** Out of the right side into the left, past what stands between; what goes back goes around below. */
function curve(points: readonly Point[]): string {
  const [first, last] = [points[0], points.at(-1)]
  if (!first || !last) return ''
  if (last.x <= first.x) return backwards(first, last)
  const middle = nodeHeight / 2
  let line = `M${first.x + nodeWidth} ${first.y + middle}`
  let from = { x: first.x + nodeWidth, y: first.y + middle }
  for (const point of points.slice(1)) {
    const to = { x: point.x, y: point.y + middle }
    const half = (from.x + to.x) / 2
    line += `C${half} ${from.y} ${half} ${to.y} ${to.x} ${to.y}`
    from = to
    if (point === last) continue
    from = { x: point.x + nodeWidth, y: to.y }
    line += `H${from.x}`
  }
  return line
}

function backwards(a: Point, b: Point): string {
  const [x1, x2, low] = [a.x + nodeWidth / 2, b.x + nodeWidth / 2, Math.max(a.y, b.y) + nodeHeight + gapY / 2 + 20]
  return `M${x1} ${a.y + nodeHeight}C${x1} ${low} ${x2} ${low} ${x2} ${b.y + nodeHeight}`
}

const stateTones = { up: 'ok', suspect: 'warn', down: 'bad', unknown: 'quiet' } as const

function NodeButton({
  node: { name, kind, state, because },
  at,
  chosen,
  effect,
}: {
  node: Node
  at: Point
  chosen: boolean
  effect: 'down' | 'degraded' | undefined
}) {
  const mark = effect === 'down' || chosen ? 'hit' : (effect ?? '')
  return (
    <button
      type="button"
      class={`graph-node ${mark} ${state}`}
      style={{ left: `${at.x}px`, top: `${at.y}px` }}
      aria-pressed={chosen}
      title={because === null ? `${name}: ${state}` : `${name}: ${state}, because of ${because}`}
      onClick={() => setQuery({ of: chosen ? undefined : name })}
    >
      <span class="name truncate">{name}</span>
      <span class="kind">
        <Status tone={stateTones[state]}>
          {kind} {state === 'unknown' ? '' : state}
        </Status>
      </span>
    </button>
  )
}
