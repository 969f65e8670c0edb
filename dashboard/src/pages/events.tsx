/** What happened and what led to it: live, and back as far as the log goes. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { get } from '../lib/api.ts'
import { count, none } from '../lib/format.ts'
import type { ApiEvent } from '../lib/events.ts'
import { newEvents, services } from '../lib/live.ts'
import { query, setQuery } from '../lib/router.ts'
import { useLoad } from '../lib/use-load.ts'
import { Shape } from '../ui/icon.tsx'
import { Loaded } from '../ui/loaded.tsx'
import { Card, Page } from '../ui/page.tsx'
import { EmptyState } from '../ui/states.tsx'
import { levelTones, Status } from '../ui/status.tsx'
import { ListTable, type Column } from '../ui/table.tsx'
import { complain } from '../ui/toast.tsx'
import { Time } from '../ui/time.tsx'
import { Why } from './parts/why.tsx'

const pageSize = 200
/** That came while the page was open. */
const newerMax = 1_000
const levels = ['debug', 'info', 'warning', 'error', 'critical'] as const
/** What people ask for; any type may be typed. */
const nouns = [
  'instance',
  'service',
  'endpoint',
  'check',
  'alert',
  'incident',
  'breaker',
  'proxy',
  'config',
  'certificate',
  'cache',
  'access',
  'action',
] as const

const columns: readonly Column<ApiEvent>[] = [
  { key: 'time', label: 'When', width: 128, narrowWidth: 88, cell: ({ time }) => <Time at={time} /> },
  { key: 'level', label: 'Level', width: 92, hide: 'narrow', cell: ({ level }) => <Status tone={levelTones[level]}>{level}</Status> },
  { key: 'type', label: 'Type', width: 200, hide: 'narrow', cell: ({ type }) => <span class="mono">{type}</span> },
  { key: 'service', label: 'Service', width: 110, hide: 'medium', cell: ({ service }) => service ?? <span class="muted">{none}</span> },
  {
    key: 'message',
    label: 'What',
    cell: ({ message, id, level }) => (
      <button type="button" class="link" title={message} onClick={() => setQuery({ id })}>
        <span class={`status ${levelTones[level]} only-narrow`}>
          <Shape tone={levelTones[level]} />
        </span>{' '}
        {message}
      </button>
    ),
  },
]

export function Events() {
  const filter = {
    service: query.value.get('service') ?? '',
    type: query.value.get('type') ?? '',
    level: query.value.get('level') ?? 'info',
    text: query.value.get('text') ?? '',
  }
  return (
    <Page
      title="Events"
      actions={
        <>
          <select aria-label="Service" value={filter.service} onChange={(event) => setQuery({ service: event.currentTarget.value })}>
            <option value="">All services</option>
            {services.value.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
          <select aria-label="Kind" value={filter.type} onChange={(event) => setQuery({ type: event.currentTarget.value })}>
            <option value="">All kinds</option>
            {nouns.map((noun) => (
              <option key={noun}>{noun}</option>
            ))}
          </select>
          <select aria-label="Level" value={filter.level} onChange={(event) => setQuery({ level: event.currentTarget.value })}>
            {levels.map((level) => (
              <option key={level} value={level}>
                {level === 'critical' ? level : `${level} and graver`}
              </option>
            ))}
          </select>
          <input
            type="search"
            aria-label="Words in the message"
            placeholder="Words in the message"
            value={filter.text}
            onInput={(event) => setQuery({ text: event.currentTarget.value })}
          />
        </>
      }
    >
      <Card flush>
        <List key={`${filter.service} ${filter.type} ${filter.level}`} {...filter} />
      </Card>
      <Why id={query.value.get('id') ?? undefined} close={() => setQuery({ id: undefined })} />
    </Page>
  )
}

/** Words are looked for in what is here: of what is older nothing is said. */
const Nothing = ({ among, text, atEnd }: { among: number; text: string; atEnd: boolean }) =>
  text === '' || atEnd ? (
    <EmptyState title="Nothing like that has happened">Choose other words, another service, kind or level.</EmptyState>
  ) : (
    <EmptyState title={`Not among the newest ${count(among)}`}>Older events are looked at when they are fetched.</EmptyState>
  )

interface Filter {
  readonly service: string
  readonly type: string
  readonly level: string
  readonly text: string
}

function fits({ service, type, level }: ApiEvent, wanted: Filter): boolean {
  if (wanted.service !== '' && service !== wanted.service) return false
  if (wanted.type !== '' && type !== wanted.type && !type.startsWith(`${wanted.type}.`)) return false
  return levels.indexOf(level) >= levels.indexOf(wanted.level as ApiEvent['level'])
}

function List({ text, ...filter }: Filter) {
  const first = useLoad((signal) => get<readonly ApiEvent[]>('/events', { ...filter, limit: pageSize }, { signal }), [])
  const [older, setOlder] = useState<readonly ApiEvent[]>([])
  const fetching = useRef(false)
  // Asked for anew, as after a break of the stream: what is older joins on to what came now, not to what was there before.
  useEffect(() => {
    setOlder([])
    setAtEnd(false)
  }, [first.data])
  const [newer, setNewer] = useState<readonly ApiEvent[]>([])
  const [atEnd, setAtEnd] = useState(false)
  useEffect(
    () =>
      newEvents.subscribe((batch) => {
        const fresh = batch.filter((event) => fits(event, { ...filter, text: '' })).toReversed()
        if (fresh.length > 0) setNewer((before) => [...fresh, ...before])
      }),
    [],
  )
  // Left open all day it would grow for ever, and cut off it would have a hole: it begins again with the newest.
  useEffect(() => {
    if (newer.length <= newerMax) return
    setNewer([])
    first.reload()
  }, [newer.length > newerMax])
  return (
    <Loaded of={first} height={600}>
      {(loaded) => {
        const newest = loaded[0]?.seq ?? 0
        const all = [...newer.filter(({ seq }) => seq > newest), ...loaded, ...older]
        const last = all.at(-1)
        const shown = text === '' ? all : all.filter(({ message }) => message.toLowerCase().includes(text.toLowerCase()))
        const more = async (): Promise<void> => {
          if (fetching.current) return
          fetching.current = true
          try {
            const page = await get<readonly ApiEvent[]>('/events', { ...filter, limit: pageSize, after: last?.seq })
            setOlder((before) => [...before, ...page])
            setAtEnd(page.length < pageSize)
          } catch (error) {
            complain(error)
          } finally {
            fetching.current = false
          }
        }
        return (
          <>
            <ListTable
              label="Events"
              rows={shown}
              idOf={({ id }) => id}
              columns={columns}
              onRow={({ id }) => setQuery({ id })}
              empty={<Nothing among={all.length} text={text} atEnd={atEnd || loaded.length < pageSize} />}
            />
            {loaded.length === pageSize && !atEnd && (
              <div class="state" style={{ minHeight: '0', padding: '12px' }}>
                <button type="button" class="button" onClick={() => void more()}>
                  Older events
                </button>
              </div>
            )}
          </>
        )
      }}
    </Loaded>
  )
}
