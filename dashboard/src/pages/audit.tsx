/** Who did what, from where, and how it ended: from the events that every changing request leaves. */
import { useState } from 'preact/hooks'
import { get } from '../lib/api.ts'
import type { ApiEvent } from '../lib/events.ts'
import { query, setQuery } from '../lib/router.ts'
import { useLoad } from '../lib/use-load.ts'
import { Shape } from '../ui/icon.tsx'
import { Loaded } from '../ui/loaded.tsx'
import { Card, Page, Segments } from '../ui/page.tsx'
import { EmptyState } from '../ui/states.tsx'
import { Status } from '../ui/status.tsx'
import { ListTable, type Column } from '../ui/table.tsx'
import { Time } from '../ui/time.tsx'
import { Why } from './parts/why.tsx'

/** The grants come before the actions and say no more than these. */
const kinds = ['action', 'access.denied', 'token', 'apikey', 'config'] as const
const limit = 300

const say = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '–')
const isBad = ({ type }: ApiEvent): boolean => type === 'action.failed' || type === 'access.denied' || type === 'config.refused'
const outcomeOf = ({ type, data }: ApiEvent): string =>
  type === 'action.done'
    ? 'done'
    : type === 'action.failed'
      ? `failed${data.status === undefined ? '' : ` (${say(data.status)})`}`
      : type === 'access.denied'
        ? 'denied'
        : (type.split('.')[1] ?? '')

const columns: readonly Column<ApiEvent>[] = [
  { key: 'time', label: 'When', sort: ({ seq }) => seq, cell: ({ time }) => <Time at={time} /> },
  { key: 'who', label: 'Who', sort: ({ data }) => say(data.actor), cell: ({ data }) => <strong class="nowrap">{say(data.actor)}</strong> },
  { key: 'role', label: 'Role', hide: 'narrow', cell: ({ data }) => say(data.role) },
  { key: 'from', label: 'From', hide: 'medium', cell: ({ data }) => <span class="mono">{say(data.address)}</span> },
  {
    key: 'outcome',
    label: 'Outcome',
    hide: 'narrow',
    sort: outcomeOf,
    cell: (event) => <Status tone={isBad(event) ? 'warn' : 'ok'}>{outcomeOf(event)}</Status>,
  },
  {
    key: 'what',
    label: 'What',
    cell: (event) => (
      <span class="break">
        <span class={`status ${isBad(event) ? 'warn' : 'ok'} only-narrow`} title={outcomeOf(event)}>
          <Shape tone={isBad(event) ? 'warn' : 'ok'} />
        </span>{' '}
        <What {...event} />
      </span>
    ),
  },
]

/** Without the part of the path that all have. */
const What = ({ data, message, type }: ApiEvent) =>
  type.startsWith('action.') || type === 'access.denied' ? (
    <span class="mono">{say(data.action).replace('/api/infrastructure', '')}</span>
  ) : (
    <>{message}</>
  )

type Shown = 'all' | 'refused'

export function Audit() {
  const [shown, setShown] = useState<Shown>('all')
  const trail = useLoad(
    async (signal) => {
      const lists = await Promise.all(kinds.map((type) => get<readonly ApiEvent[]>('/events', { type, limit }, { signal })))
      return lists.flat().toSorted((a, b) => b.seq - a.seq)
    },
    [],
    10_000,
  )
  return (
    <Page
      title="Audit"
      actions={
        <Segments<Shown>
          label="Show"
          value={shown}
          onChange={setShown}
          options={[
            ['all', 'All'],
            ['refused', 'Failed and denied'],
          ]}
        />
      }
    >
      <Card flush>
        <Loaded of={trail} height={500}>
          {(events) => (
            <ListTable
              label="Who did what"
              rows={shown === 'all' ? events : events.filter(isBad)}
              idOf={({ id }) => id}
              columns={columns}
              onRow={({ id }) => setQuery({ id })}
              empty={<EmptyState title={shown === 'all' ? 'Nobody has changed anything' : 'Nothing has failed or been denied'} />}
            />
          )}
        </Loaded>
      </Card>
      <Why id={query.value.get('id') ?? undefined} close={() => setQuery({ id: undefined })} />
    </Page>
  )
}
