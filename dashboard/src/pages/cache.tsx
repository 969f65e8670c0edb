/** What the caches hold and what it is good for; looking at a value, and forgetting. */
import type { CacheStats } from '../../../src/api/types.ts'
import { useState } from 'preact/hooks'
import { ApiError, del, get, post } from '../lib/api.ts'
import { bytes, count, percent, plural } from '../lib/format.ts'
import { href } from '../lib/router.ts'
import { useLoad } from '../lib/use-load.ts'
import { ActionButton, confirm } from '../ui/confirm.tsx'
import { Loaded } from '../ui/loaded.tsx'
import { Card, Page, Tile } from '../ui/page.tsx'
import { EmptyState, ErrorState } from '../ui/states.tsx'
import { Status } from '../ui/status.tsx'
import { ListTable, type Column } from '../ui/table.tsx'
import { serviceHref } from './parts/service-table.tsx'

type Responses = NonNullable<CacheStats['responses']>
type Counts = Responses['services'][string]
type Layer = CacheStats['redis']

export function Cache() {
  const stats = useLoad((signal) => get<CacheStats>('/cache/stats', undefined, { signal }), [], 2_000)
  return (
    <Page
      title="Cache"
      actions={
        <>
          <ActionButton permission="change:cache" onClick={() => purge(stats.reload)}>
            Purge answers
          </ActionButton>
          <ActionButton permission="change:cache" onClick={() => clear(stats.reload)}>
            Clear everything
          </ActionButton>
        </>
      }
    >
      <Loaded of={stats} height={400}>
        {(now) => (
          <>
            <Card title="Answers that the balancer keeps" flush>
              <Responses responses={now.responses} />
            </Card>
            <Card title="Values of programs" flush beside={<RedisState layer={now.redis} />}>
              <div class="tiles plain">
                <Tile
                  name="Hit rate"
                  value={now.hits + now.misses === 0 ? '–' : percent(now.hitRate)}
                  note={`${count(now.hits)} of ${count(now.hits + now.misses)}`}
                />
                <Tile name="Values" value={count(now.keys)} note={`${count(now.evictions)} put out for room`} />
                <Tile name="Memory" value={bytes(now.memory.used)} note={`${percent(now.memory.percentage)} of ${bytes(now.memory.available)}`} />
                <Tile name="Redis failures" value={count(now.errors)} tone={now.errors > 0 ? 'warn' : undefined} note="did not answer in time" />
              </div>
            </Card>
            <Card title="Look at a value">
              <Lookup />
            </Card>
          </>
        )}
      </Loaded>
    </Page>
  )
}

const RedisState = ({ layer }: { layer: Layer }) =>
  layer === null ? (
    <span class="muted small">in memory only</span>
  ) : (
    <Status tone={layer.up ? 'ok' : 'warn'}>{layer.up ? 'Redis' : `Redis is away${layer.reason === null ? '' : `: ${layer.reason}`}`}</Status>
  )

type Row = Counts & { readonly name: string }
const given = ({ hit, stale, revalidated }: Counts): number => hit + stale + revalidated
const hitRate = (row: Counts): number | undefined => (given(row) + row.miss === 0 ? undefined : (given(row) / (given(row) + row.miss)) * 100)

const columns: readonly Column<Row>[] = [
  { key: 'name', label: 'Service', sort: ({ name }) => name, cell: ({ name }) => <a href={href(serviceHref(name))}>{name}</a> },
  { key: 'rate', label: 'Hit rate', num: true, sort: hitRate, cell: (row) => percent(hitRate(row)) },
  { key: 'hit', label: 'Hits', num: true, sort: ({ hit }) => hit, cell: ({ hit }) => count(hit) },
  { key: 'stale', label: 'Stale', num: true, hide: 'narrow', cell: ({ stale }) => count(stale) },
  { key: 'revalidated', label: 'Revalidated', num: true, hide: 'narrow', cell: ({ revalidated }) => count(revalidated) },
  { key: 'miss', label: 'Misses', num: true, sort: ({ miss }) => miss, cell: ({ miss }) => count(miss) },
  { key: 'bypass', label: 'Passed by', num: true, hide: 'narrow', cell: ({ bypass }) => count(bypass) },
  { key: 'collapsed', label: 'Waited for another', num: true, hide: 'medium', cell: ({ collapsed }) => count(collapsed) },
  { key: 'stored', label: 'Stored', num: true, hide: 'narrow', cell: ({ stored }) => count(stored) },
]

function Responses({ responses }: { responses: CacheStats['responses'] }) {
  if (responses === null) {
    return (
      <EmptyState title="No service asks for it">
        With <code>cache: {'{ enabled: true }'}</code> on a service, the balancer keeps its answers by the rules of HTTP.
      </EmptyState>
    )
  }
  const { store, services } = responses
  const rows = Object.entries(services).map(([name, counts]): Row => ({ name, ...counts }))
  return (
    <>
      <div class="tiles plain">
        <Tile name="Hit rate" value={percent(responses.hitRate)} note="of what could come from the store" />
        <Tile name="Answers" value={count(store?.entries)} note={`${count(store?.evicted)} put out for room`} />
        <Tile name="Memory" value={bytes(store?.bytes)} note={store ? `of ${bytes(store.maxBytes)}` : 'no store'} />
      </div>
      <ListTable label="Answers by service" rows={rows} idOf={({ name }) => name} columns={columns} empty={<EmptyState title="No requests yet" />} />
    </>
  )
}

function Lookup() {
  const [key, setKey] = useState('')
  const [found, setFound] = useState<{ readonly key: string; readonly value?: unknown; readonly error?: unknown } | undefined>(undefined)
  const path = (wanted: string): string => `/cache/keys/${encodeURIComponent(wanted)}`
  const look = (event: SubmitEvent): void => {
    event.preventDefault()
    get<{ value: unknown }>(path(key)).then(
      ({ value }) => setFound({ key, value }),
      (error: unknown) => setFound({ key, error }),
    )
  }
  const remove = (wanted: string): void =>
    confirm({
      title: 'Delete a value',
      consequence: `The value of ${wanted} is forgotten, in memory and in Redis. Whoever asks next makes it again.`,
      action: 'Delete',
      grave: true,
      run: async () => {
        await del(path(wanted))
        setFound(undefined)
        return `${wanted} is deleted`
      },
    })
  return (
    <div class="stack">
      <form class="row" onSubmit={look}>
        <input
          type="search"
          aria-label="Key"
          placeholder="Key"
          required
          value={key}
          onInput={(event) => setKey(event.currentTarget.value)}
          style={{ flex: '1 1 200px' }}
        />
        <button type="submit" class="button">
          Look
        </button>
        <ActionButton permission="change:cache" onClick={() => setValue(key)}>
          Set a value
        </ActionButton>
      </form>
      {found?.error instanceof ApiError && found.error.status === 404 && <p class="muted">There is no value {found.key}.</p>}
      {found?.error !== undefined && !(found.error instanceof ApiError && found.error.status === 404) && <ErrorState error={found.error} />}
      {found !== undefined && 'value' in found && (
        <>
          <pre class="log" style={{ height: 'auto', maxHeight: '300px', borderRadius: '5px' }} tabIndex={0}>
            {JSON.stringify(found.value, undefined, 2)}
          </pre>
          <div class="row">
            <ActionButton permission="change:cache" onClick={() => remove(found.key)}>
              Delete {found.key}
            </ActionButton>
          </div>
        </>
      )}
    </div>
  )
}

function setValue(key: string): void {
  confirm({
    title: 'Set a value',
    consequence: 'Programs that ask for the key get this value until it is too old. One that is there is replaced.',
    action: 'Set',
    fields: [
      { name: 'key', label: 'Key', value: key, required: true },
      { name: 'value', label: 'Value, as JSON', type: 'textarea', value: '""', required: true },
      { name: 'ttl', label: 'Seconds it lives', type: 'number', min: 1, hint: 'Empty: as configured.' },
      { name: 'tags', label: 'Tags', hint: 'With commas between them; it can be purged by each.' },
    ],
    run: async ({ key: name = '', value = '', ttl = '', tags = '' }) => {
      const list = tags.split(',').flatMap((tag) => tag.trim() || [])
      await post(`/cache/keys/${encodeURIComponent(name)}`, {
        value: parsed(value),
        ...(ttl && { ttl: Number(ttl) }),
        ...(list.length > 0 && { tags: list }),
      })
      return `${name} is set`
    },
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error('the value is not JSON: a text needs quotation marks')
  }
}

const ways = { tags: 'Tag', url: 'URL', prefix: 'URLs that begin with', release: 'Version', service: 'Service', all: 'All answers' } as const

function purge(done: () => void): void {
  confirm({
    title: 'Purge answers',
    consequence: 'What fits is forgotten, or only marked stale. The next requests for it go to the services, which have more to do for a while.',
    action: 'Purge',
    grave: true,
    fields: [
      { name: 'by', label: 'By', type: 'select', value: 'tags', options: Object.entries(ways) },
      {
        name: 'what',
        label: 'Which',
        hint: 'A tag, a URL such as https://shop.example.com/products, a version, a service. For all answers: nothing.',
      },
      { name: 'soft', label: 'Only mark them stale', type: 'checkbox' },
    ],
    run: async ({ by = 'tags', what = '', soft }) => {
      const value = by === 'all' ? true : by === 'tags' ? what.split(',').flatMap((tag) => tag.trim() || []) : what
      const { responses } = await post<{ responses: number }>('/cache/purge', { [by]: value, ...(soft === 'true' && { soft: true }) })
      done()
      return `${plural(responses, 'answer')} purged`
    },
  })
}

function clear(done: () => void): void {
  confirm({
    title: 'Clear every cache',
    consequence:
      'All values and all answers are forgotten, in memory and in Redis. All services have to make everything again at once: under load that may be more than they can bear.',
    action: 'Clear',
    grave: true,
    typed: 'clear',
    run: async () => {
      const { responses } = await del<{ responses: number }>('/cache/clear')
      done()
      return `Everything is cleared, ${plural(responses, 'answer')} among it`
    },
  })
}
