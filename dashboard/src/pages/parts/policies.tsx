/** What is done by itself: what sets each policy off, what it does, and what became of it. */
import type { Policy } from '../../../../src/api/types.ts'
import { get } from '../../lib/api.ts'
import { count, plural } from '../../lib/format.ts'
import { useLoad } from '../../lib/use-load.ts'
import { useNews } from '../../lib/use-news.ts'
import { Loaded } from '../../ui/loaded.tsx'
import { Card } from '../../ui/page.tsx'
import { EmptyState } from '../../ui/states.tsx'
import { Badge, Status } from '../../ui/status.tsx'
import { ListTable, type Column } from '../../ui/table.tsx'
import { Ago, Time } from '../../ui/time.tsx'

const everyMs = 15_000

const isFailed = ({ lastFailure, lastRun }: Policy): boolean => lastFailure !== null && (lastRun === null || lastFailure.at >= lastRun)

const columns: readonly Column<Policy>[] = [
  { key: 'name', label: 'Policy', cell: (policy) => <Name policy={policy} />, sort: ({ name }) => name },
  {
    key: 'actions',
    label: 'Does',
    cell: ({ actions }) => actions.map((action) => <div key={action}>{action}</div>),
  },
  { key: 'state', label: 'State', cell: (policy) => <State policy={policy} />, sort: (policy) => (isFailed(policy) ? 0 : 1), width: 140 },
  {
    key: 'runs',
    label: 'Ran',
    num: true,
    hide: 'narrow',
    sort: ({ runs }) => runs,
    cell: ({ runs, lastRun }) => (
      <>
        {count(runs)}
        {lastRun !== null && (
          <span class="sub">
            <Ago at={lastRun} /> ago
          </span>
        )}
      </>
    ),
    width: 110,
  },
  { key: 'became', label: 'What became of it', cell: (policy) => <Became policy={policy} />, hide: 'narrow' },
]

const Name = ({ policy: { name, on, match } }: { policy: Policy }) => (
  <>
    <strong class="break">{name}</strong>
    <span class="sub">
      on {on}
      {Object.entries(match).map(([field, value]) => `, ${field} = ${value}`)}
    </span>
  </>
)

function State({ policy }: { policy: Policy }) {
  if (!policy.enabled) return <Status tone="quiet">switched off</Status>
  if (policy.running) return <Status tone="warn">acts now</Status>
  return (
    <>
      {isFailed(policy) ? <Status tone="bad">failed</Status> : <Status tone="ok">on guard</Status>} {policy.dryRun && <Badge>dry run</Badge>}
      {policy.againAt !== null && (
        <span class="sub">
          not before <Time at={policy.againAt} />
        </span>
      )}
    </>
  )
}

const Became = ({ policy }: { policy: Policy }) => (
  <span class="break">
    {isFailed(policy) && <div>{policy.lastFailure?.reason}</div>}
    {policy.lastRefusal !== null && (
      <div>
        refused{policy.refusals > 1 && ` ${plural(policy.refusals, 'time')}`}: {policy.lastRefusal.reason}
      </div>
    )}
  </span>
)

export function Policies() {
  const policies = useLoad((signal) => get<readonly Policy[]>('/policies', undefined, { signal }), [], everyMs)
  useNews(['policy.', 'config.'], policies.reload)
  return (
    <Card title="Done by itself" flush>
      <Loaded of={policies} height={80}>
        {(all) => (
          <ListTable
            label="Policies"
            rows={all}
            idOf={({ name }) => name}
            columns={columns}
            empty={
              <EmptyState title="Nothing is done by itself">
                <code>policies</code> restart, eject, scale or run a command when an alert, a check or an event says so.
              </EmptyState>
            }
          />
        )}
      </Loaded>
    </Card>
  )
}
