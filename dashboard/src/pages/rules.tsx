/** The rules of alerts: where each stands, why it is there, and what it would have told; and what is done by itself. */
import type { AlertRule } from '../../../src/api/types.ts'
import { Fragment } from 'preact'
import { get } from '../lib/api.ts'
import { duration } from '../lib/format.ts'
import { query, setQuery } from '../lib/router.ts'
import { useLoad } from '../lib/use-load.ts'
import { useNews } from '../lib/use-news.ts'
import { Loaded } from '../ui/loaded.tsx'
import { Card, Page, Segments } from '../ui/page.tsx'
import { EmptyState } from '../ui/states.tsx'
import { Badge, Status } from '../ui/status.tsx'
import { ListTable, type Column } from '../ui/table.tsx'
import { BacktestDialog, backtested, openBacktest } from './parts/backtest.tsx'
import { Policies } from './parts/policies.tsx'

const everyMs = 5_000
const tones = { inactive: 'ok', pending: 'warn', firing: 'bad', failing: 'warn', off: 'quiet' } as const
const names = { inactive: 'quiet', pending: 'pending', firing: 'firing', failing: 'fails', off: 'switched off' } as const
const order = { firing: 0, failing: 1, pending: 2, inactive: 3, off: 4 } as const

const columns: readonly Column<AlertRule>[] = [
  { key: 'name', label: 'Rule', cell: (rule) => <Name rule={rule} />, sort: ({ name }) => name },
  {
    key: 'state',
    label: 'State',
    cell: (rule) => (
      <Status tone={tones[rule.state]} title={rule.error ?? undefined}>
        {names[rule.state]}
      </Status>
    ),
    sort: ({ state }) => order[state],
    width: 116,
  },
  { key: 'severity', label: 'Severity', cell: ({ severity }) => severity, sort: ({ severity }) => severity, hide: 'narrow', width: 96 },
  { key: 'when', label: 'Fires when', cell: (rule) => <When rule={rule} />, hide: 'narrow' },
  {
    key: 'backtest',
    label: '',
    cell: (rule) => (
      <button type="button" class="button tiny" onClick={() => openBacktest(rule)}>
        Back-test
      </button>
    ),
    width: 104,
  },
]

const Name = ({ rule: { name, shipped, why, owner } }: { rule: AlertRule }) => (
  <>
    <strong>
      {name.split(/(?=[A-Z])/).map((word) => (
        <Fragment key={word}>
          {word}
          <wbr />
        </Fragment>
      ))}
    </strong>{' '}
    {shipped && (
      <span class="narrow-hidden">
        <Badge>shipped</Badge>
      </span>
    )}
    {(why ?? owner) !== null && <span class="sub">{why ?? `of ${owner ?? ''}`}</span>}
  </>
)

const When = ({ rule: { when, forMs, error, alerts } }: { rule: AlertRule }) => (
  <>
    <code class="break">{when}</code>
    <span class="sub">
      {forMs > 0 ? `for ${duration(forMs)}` : 'at once'}
      {alerts.length > 0 && `; ${alerts.length} now`}
      {error !== null && `; ${error}`}
    </span>
  </>
)

export function Rules() {
  const rules = useLoad((signal) => get<readonly AlertRule[]>('/alerts/rules', undefined, { signal }), [], everyMs)
  useNews(['alert.', 'config.'], rules.reload)
  const show = query.value.get('show') ?? 'all'
  const filter = (query.value.get('filter') ?? '').toLowerCase()
  const wanted = ({ name, when, state, shipped }: AlertRule): boolean =>
    (show === 'all' || (show === 'own' ? !shipped : state !== 'inactive' && state !== 'off')) && `${name} ${when}`.toLowerCase().includes(filter)
  return (
    <Page
      title="Rules"
      actions={
        <>
          <Segments
            label="Which"
            value={show}
            options={[
              ['all', 'All'],
              ['own', 'Yours'],
              ['active', 'Not quiet'],
            ]}
            onChange={(value) => setQuery({ show: value === 'all' ? undefined : value })}
          />
          <input
            type="search"
            aria-label="Filter by name or condition"
            placeholder="Filter"
            value={filter}
            onInput={(event) => setQuery({ filter: event.currentTarget.value })}
          />
        </>
      }
    >
      <Card flush>
        <Loaded of={rules} height={300}>
          {(all) => (
            <ListTable
              label="Rules"
              rows={all.filter(wanted)}
              idOf={({ name }) => name}
              columns={columns}
              sortBy={['state', 'up']}
              empty={<Nothing some={all.length > 0} />}
            />
          )}
        </Loaded>
      </Card>
      <Policies />
      {backtested.value && <BacktestDialog key={backtested.value.name} rule={backtested.value} />}
    </Page>
  )
}

const Nothing = ({ some }: { some: boolean }) =>
  some ? (
    <EmptyState title="No rule fits" />
  ) : (
    <EmptyState title="There are no rules">
      Write some under <code>alerting.rules</code>, or leave <code>alerting.defaultRules</code> on.
    </EmptyState>
  )
