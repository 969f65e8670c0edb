/** All checks: how each stands, and what its last run found. */
import type { Check } from '../../../src/api/types.ts'
import { get } from '../lib/api.ts'
import { milliseconds, none, share } from '../lib/format.ts'
import { go, href, query, setQuery } from '../lib/router.ts'
import { useLoad } from '../lib/use-load.ts'
import { Loaded } from '../ui/loaded.tsx'
import { Card, Page, Segments } from '../ui/page.tsx'
import { EmptyState } from '../ui/states.tsx'
import { Badge } from '../ui/status.tsx'
import { ListTable, type Column } from '../ui/table.tsx'
import { Ago } from '../ui/time.tsx'
import { CheckState, isBad, measured } from './parts/check-words.tsx'

const everyMs = 2_000
export const checkHref = (name: string): string => `/checks/${encodeURIComponent(name)}`

const order: Readonly<Record<Check['state'], number>> = { down: 0, suspect: 1, recovering: 2, unknown: 3, up: 4, paused: 5 }

const columns: readonly Column<Check>[] = [
  { key: 'name', label: 'Check', cell: ({ name, target }) => <Name name={name} target={target} />, sort: ({ name }) => name },
  {
    key: 'state',
    label: 'State',
    cell: (check) => <CheckState {...check} />,
    sort: ({ state, level }) => order[state] - (level === 'critical' ? 0.5 : level === 'warning' ? 0.3 : 0),
    width: 132,
  },
  { key: 'since', label: 'For', cell: ({ since }) => <Ago at={since} />, hide: 'narrow', width: 104 },
  { key: 'kind', label: 'Kind', cell: ({ kind }) => <Badge>{kind}</Badge>, sort: ({ kind }) => kind, hide: 'narrow', width: 104 },
  { key: 'value', label: 'Measured', cell: (check) => measured(check), num: true, hide: 'narrow', width: 96 },
  {
    key: 'latency',
    label: 'Took',
    cell: ({ last, kind }) => (kind === 'service' ? none : milliseconds(last?.latencyMs)),
    sort: ({ last }) => last?.latencyMs,
    num: true,
    width: 88,
  },
  {
    key: 'uptime',
    label: 'Up',
    cell: ({ uptime }) => share(uptime),
    sort: ({ uptime }) => uptime ?? undefined,
    num: true,
    hide: 'medium',
    width: 88,
  },
  { key: 'message', label: 'Found', cell: ({ message }) => <span class="muted">{message}</span>, hide: 'medium' },
]

const Name = ({ name, target }: { name: string; target: string }) => (
  <>
    <div>
      <a href={href(checkHref(name))}>{name}</a>
    </div>
    <span class="sub truncate">{target}</span>
  </>
)

export function Checks() {
  const checks = useLoad((signal) => get<readonly Check[]>('/health/checks', undefined, { signal }), [], everyMs)
  const shown = query.value.get('show') ?? 'all'
  const filter = (query.value.get('filter') ?? '').toLowerCase()
  const wanted = (check: Check): boolean =>
    (shown === 'all' || isBad(check)) && (check.name.toLowerCase().includes(filter) || check.kind.includes(filter))
  return (
    <Page
      title="Checks"
      actions={
        <>
          <Segments
            label="Which"
            value={shown}
            options={[
              ['all', 'All'],
              ['bad', 'In trouble'],
            ]}
            onChange={(value) => setQuery({ show: value === 'all' ? undefined : value })}
          />
          <input
            type="search"
            aria-label="Filter by name or kind"
            placeholder="Filter by name or kind"
            value={filter}
            onInput={(event) => setQuery({ filter: event.currentTarget.value })}
          />
        </>
      }
    >
      <Card flush>
        <Loaded of={checks} height={300}>
          {(all) => (
            <ListTable
              label="Checks"
              rows={all.filter(wanted)}
              idOf={({ name, kind }) => `${kind} ${name}`}
              columns={columns}
              sortBy={['state', 'up']}
              onRow={({ name }) => go(checkHref(name))}
              empty={<Nothing some={all.length > 0} trouble={shown === 'bad'} />}
            />
          )}
        </Loaded>
      </Card>
    </Page>
  )
}

function Nothing({ some, trouble }: { some: boolean; trouble: boolean }) {
  if (!some)
    return (
      <EmptyState title="There are no checks yet">
        Write them under <code>health.checks</code> in the configuration: HTTP, TCP, certificates, DNS, databases, disks, commands.
      </EmptyState>
    )
  return trouble ? (
    <EmptyState title="Nothing is in trouble">Every check is up, or paused.</EmptyState>
  ) : (
    <EmptyState title="No check fits the filter" />
  )
}
