/** What is kept quiet, by whom, why, and until when. */
import type { Silence } from '../../../src/api/types.ts'
import { get } from '../lib/api.ts'
import { query, setQuery } from '../lib/router.ts'
import { useLoad } from '../lib/use-load.ts'
import { useNews } from '../lib/use-news.ts'
import { ActionButton } from '../ui/confirm.tsx'
import { Loaded } from '../ui/loaded.tsx'
import { Card, Page, Segments, Tabs } from '../ui/page.tsx'
import { EmptyState } from '../ui/states.tsx'
import { Badge } from '../ui/status.tsx'
import { ListTable, type Column } from '../ui/table.tsx'
import { Time } from '../ui/time.tsx'
import { alertTabs } from './alerts.tsx'
import { endSilence, silence } from './parts/alert-actions.tsx'

const everyMs = 10_000
const tones = { active: 'info', pending: 'quiet', expired: 'quiet' } as const

const columnsOf = (reload: () => void): readonly Column<Silence>[] => [
  { key: 'matchers', label: 'Alerts with', cell: ({ matchers }) => <code class="break">{matchers.join(', ')}</code> },
  { key: 'state', label: 'State', cell: ({ state }) => <Badge tone={tones[state]}>{state}</Badge>, width: 92 },
  { key: 'until', label: 'Until', cell: ({ endsAt }) => <Time at={endsAt} />, sort: ({ endsAt }) => endsAt, width: 132 },
  { key: 'comment', label: 'Why', cell: ({ comment, createdBy }) => <span class="break">{`${comment} (${createdBy})`}</span>, hide: 'narrow' },
  { key: 'matched', label: 'Kept quiet', cell: ({ matched }) => matched, sort: ({ matched }) => matched, num: true, hide: 'narrow', width: 104 },
  {
    key: 'end',
    label: '',
    cell: (one) =>
      one.state === 'expired' ? null : (
        <ActionButton permission="change:alerts" kind="tiny" onClick={() => endSilence(one, reload)}>
          End
        </ActionButton>
      ),
    width: 76,
  },
]

export function Silences() {
  const all = query.value.get('show') === 'all'
  const silences = useLoad((signal) => get<readonly Silence[]>('/silences', { all: all || undefined }, { signal }), [all], everyMs)
  useNews(['silence.'], silences.reload)
  return (
    <Page
      title="Silences"
      actions={
        <ActionButton permission="change:alerts" onClick={() => silence('', silences.reload)}>
          New silence
        </ActionButton>
      }
    >
      <div>
        <Tabs tabs={alertTabs} current="/alerts/silences" />
        <Segments
          label="Which"
          value={all ? 'all' : 'now'}
          options={[
            ['now', 'In force'],
            ['all', 'Also expired'],
          ]}
          onChange={(value) => setQuery({ show: value === 'all' ? 'all' : undefined })}
        />
      </div>
      <Card flush>
        <Loaded of={silences} height={200}>
          {(rows) => (
            <ListTable
              label="Silences"
              rows={rows}
              idOf={({ id }) => id}
              columns={columnsOf(silences.reload)}
              empty={<EmptyState title="Nothing is kept quiet">Whoever should be told of an alert is told.</EmptyState>}
            />
          )}
        </Loaded>
      </Card>
    </Page>
  )
}
