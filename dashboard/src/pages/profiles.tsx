/** What instances were seen to do: recorded on demand, read as a flame graph or downloaded. */
import type { Profile } from '../../../src/api/types.ts'
import { del, fetchRaw, get, post } from '../lib/api.ts'
import { bytes, duration } from '../lib/format.ts'
import { services } from '../lib/live.ts'
import { href } from '../lib/router.ts'
import { may } from '../lib/session.ts'
import { useLoad } from '../lib/use-load.ts'
import { ActionButton, confirm } from '../ui/confirm.tsx'
import { Loaded } from '../ui/loaded.tsx'
import { Card, Page } from '../ui/page.tsx'
import { EmptyState } from '../ui/states.tsx'
import { Badge, Status } from '../ui/status.tsx'
import { ListTable, type Column } from '../ui/table.tsx'
import { complain } from '../ui/toast.tsx'
import { Time } from '../ui/time.tsx'

const everyMs = 2_000
const tones = { running: 'info', done: 'ok', failed: 'bad' } as const
const kindNames = { cpu: 'CPU', heap: 'heap snapshot', gc: 'collections' } as const
const extensions = { cpu: 'cpuprofile', heap: 'heapsnapshot', gc: 'gc.json' } as const
const permission = 'profile:service'

const columnsOf = (reload: () => void): readonly Column<Profile>[] => [
  {
    key: 'what',
    label: 'Recording',
    cell: ({ id, kind, instance, state }) => (
      <>
        <div>{kind === 'cpu' && state === 'done' ? <a href={href(`/profiles/${id}`)}>{instance}</a> : instance}</div>
        <span class="sub">{kindNames[kind]}</span>
      </>
    ),
  },
  {
    key: 'state',
    label: 'State',
    cell: ({ state, error }) => (
      <Status tone={tones[state]} title={error ?? undefined}>
        {state}
      </Status>
    ),
    width: 96,
  },
  { key: 'kind', label: 'Kind', cell: ({ kind }) => <Badge>{kindNames[kind]}</Badge>, hide: 'narrow', width: 128 },
  { key: 'at', label: 'Began', cell: ({ startedAt }) => <Time at={startedAt} />, sort: ({ startedAt }) => startedAt, hide: 'narrow', width: 132 },
  { key: 'long', label: 'For', cell: ({ durationMs }) => (durationMs === 0 ? '–' : duration(durationMs)), num: true, hide: 'narrow', width: 72 },
  { key: 'size', label: 'Size', cell: (one) => (one.state === 'done' ? bytes(one.bytes) : '–'), num: true, hide: 'medium', width: 96 },
  {
    key: 'actions',
    label: '',
    cell: (one) => (
      <span class="row">
        {one.state === 'done' && (
          <ActionButton permission={permission} kind="tiny" onClick={() => download(one)}>
            Download
          </ActionButton>
        )}
        {one.state !== 'running' && (
          <ActionButton permission={permission} kind="tiny" onClick={() => remove(one, reload)}>
            Remove
          </ActionButton>
        )}
      </span>
    ),
  },
]

/** With our credential, which a plain link would not carry. */
export function download({ id, kind, instance }: Profile): void {
  fetchRaw('GET', `/profiles/${encodeURIComponent(id)}`)
    .then((answer) => answer.blob())
    .then((file) => {
      const link = document.createElement('a')
      link.href = URL.createObjectURL(file)
      link.download = `${instance}-${id.slice(0, 8)}.${extensions[kind]}`
      link.click()
      URL.revokeObjectURL(link.href)
    }, complain)
}

function remove({ id, instance, kind }: Profile, reload: () => void): void {
  confirm({
    title: `Remove the recording of ${instance}`,
    consequence: `Its file (${kindNames[kind]}) is deleted. It cannot be made again: what the instance did then is over.`,
    action: 'Remove',
    grave: true,
    run: async () => {
      await del(`/profiles/${encodeURIComponent(id)}`)
      reload()
      return 'The recording is gone'
    },
  })
}

const costs = {
  cpu: 'The instance goes on, a little slower while it is recorded.',
  heap: 'The instance stands still while its memory is written: a second or more for each 100 MiB. The file holds every secret that the process holds.',
  gc: 'The instance goes on as it was.',
} as const

function record(reload: () => void): void {
  const names = services.peek().filter(({ kind }) => kind === 'process')
  confirm({
    title: 'Record an instance',
    consequence: ({ kind = 'cpu' }) => `${costs[kind as keyof typeof costs]} The service must load the reporter, holdfast/instance.`,
    action: 'Record',
    fields: [
      { name: 'service', label: 'Service', type: 'select', value: names[0]?.name ?? '', options: names.map(({ name }) => [name, name] as const) },
      {
        name: 'kind',
        label: 'What',
        type: 'select',
        value: 'cpu',
        options: [
          ['cpu', 'CPU: where the time goes'],
          ['heap', 'Heap snapshot: what is in memory'],
          ['gc', 'Collections and event loop'],
        ],
      },
      {
        name: 'seconds',
        label: 'Seconds',
        type: 'number',
        value: '10',
        min: 1,
        max: 120,
        required: true,
        hint: 'of a heap snapshot it means nothing',
      },
    ],
    run: async ({ service = '', kind, seconds }) => {
      const { instance } = await post<Profile>(`/services/${encodeURIComponent(service)}/profiles`, { kind, durationMs: Number(seconds) * 1_000 })
      reload()
      return `${instance} is being recorded`
    },
  })
}

/** A recording tells of the inside of a program, that of its memory every secret: who only looks on sees none. */
export const ForOperators = () => (
  <Page title="Profiles">
    <Card>
      <EmptyState title="Recordings are for operators">
        They show the inside of a program, and a heap snapshot every secret that it holds. Your role looks on only: ask an operator, or sign in with a
        credential of that role under <a href={href('/settings')}>Settings</a>.
      </EmptyState>
    </Card>
  </Page>
)

export const Profiles = () => (may(permission) ? <Recordings /> : <ForOperators />)

function Recordings() {
  const profiles = useLoad((signal) => get<readonly Profile[]>('/profiles', undefined, { signal }), [], everyMs)
  return (
    <Page
      title="Profiles"
      actions={
        <ActionButton permission={permission} onClick={() => record(profiles.reload)}>
          Record…
        </ActionButton>
      }
    >
      <Card flush>
        <Loaded of={profiles} height={240}>
          {(rows) => (
            <ListTable
              label="Profiles"
              rows={rows}
              idOf={({ id }) => id}
              columns={columnsOf(profiles.reload)}
              empty={
                <EmptyState title="Nothing was recorded yet">
                  A recording shows where the time of an instance goes, what is in its memory, or how long it collects garbage. The service must load{' '}
                  <code>holdfast/instance</code>.
                </EmptyState>
              }
            />
          )}
        </Loaded>
      </Card>
    </Page>
  )
}
