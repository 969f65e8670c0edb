/** What is configured and where each value comes from; changing it; credentials; what this release has and has not. */
import { useMemo } from 'preact/hooks'
import { get, post } from '../lib/api.ts'
import { system } from '../lib/live.ts'
import { query, setQuery } from '../lib/router.ts'
import { useLoad } from '../lib/use-load.ts'
import { ActionButton, confirm } from '../ui/confirm.tsx'
import { Loaded } from '../ui/loaded.tsx'
import { Card, Page, Tabs } from '../ui/page.tsx'
import { EmptyState } from '../ui/states.tsx'
import { Badge } from '../ui/status.tsx'
import { ListTable, type Column } from '../ui/table.tsx'
import { AccessSettings } from './parts/access-settings.tsx'
import { ConfigEditor } from './parts/config-editor.tsx'

const parts = [
  ['/settings', 'Configuration'],
  ['/settings/change', 'Change'],
  ['/settings/access', 'Access'],
  ['/settings/about', 'About'],
] as const

export function Settings({ part = '' }: { part?: string }) {
  return (
    <Page title="Settings">
      <div>
        <Tabs tabs={parts} current={part === '' ? '/settings' : `/settings/${part}`} />
        {part === '' && <Explained />}
        {part === 'change' && <ConfigEditor />}
        {part === 'access' && <AccessSettings />}
        {part === 'about' && <About />}
      </div>
    </Page>
  )
}

interface Origin {
  readonly path: string
  readonly value: unknown
  readonly source: 'default' | 'file' | 'environment'
  readonly where?: string
}

const tones = { default: 'quiet', file: 'accent', environment: 'info' } as const
const shown = (value: unknown): string => (typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value))

const columns: readonly Column<Origin>[] = [
  { key: 'path', label: 'Key', width: 330, sort: ({ path }) => path, cell: ({ path }) => <span class="mono break">{path}</span> },
  {
    key: 'value',
    label: 'Value',
    cell: ({ value }) => (
      <span class="mono break" title={shown(value)}>
        {shown(value)}
      </span>
    ),
  },
  {
    key: 'source',
    label: 'From',
    width: 110,
    hide: 'narrow',
    sort: ({ source }) => source,
    cell: ({ source }) => <Badge tone={tones[source]}>{source}</Badge>,
  },
  { key: 'where', label: 'Where', width: 210, hide: 'narrow', cell: ({ where }) => <span class="mono muted">{where ?? ''}</span> },
]

function Explained() {
  const origins = useLoad((signal) => get<readonly Origin[]>('/config', { format: 'explain' }, { signal }), [])
  const filter = query.value.get('filter') ?? ''
  const source = query.value.get('source') ?? ''
  return (
    <Card
      title="Every value that holds, and where it comes from"
      flush
      beside={
        <div class="row">
          <select aria-label="From" value={source} onChange={(event) => setQuery({ source: event.currentTarget.value })}>
            <option value="">From anywhere</option>
            <option value="file">From the file</option>
            <option value="environment">From the environment</option>
            <option value="default">Defaults</option>
          </select>
          <input
            type="search"
            aria-label="Filter by key or value"
            placeholder="Key or value"
            value={filter}
            onInput={(event) => setQuery({ filter: event.currentTarget.value })}
          />
        </div>
      }
    >
      <Loaded of={origins} height={500}>
        {(all) => <OriginTable all={all} filter={filter} source={source} />}
      </Loaded>
    </Card>
  )
}

function OriginTable({ all, filter, source }: { all: readonly Origin[]; filter: string; source: string }) {
  const rows = useMemo(
    () =>
      all.filter((one) => (source === '' || one.source === source) && `${one.path} ${shown(one.value)}`.toLowerCase().includes(filter.toLowerCase())),
    [all, filter, source],
  )
  return (
    <ListTable label="Configuration" rows={rows} idOf={({ path }) => path} columns={columns} empty={<EmptyState title="No key is like that" />} />
  )
}

const missing = [
  ['Rollouts', 'canary and blue-green; for now, PUT /config with a new version replaces instances one by one'],
  ['Backups, recovery objectives, drills', 'RPO and RTO are not measured'],
  ['Regions, nodes in a cluster', 'this is one node in one region'],
  ['Automatic scaling with forecast', 'the number of instances is set by hand or in the configuration'],
] as const

function About() {
  const { version, name, region, pid } = system.value ?? {}
  const stop = (): void =>
    confirm({
      title: 'Stop everything',
      consequence:
        'All services are drained and stopped, then the balancer and the control process end. Nothing serves until holdfast up is run on the machine again; this page cannot do that.',
      action: 'Stop everything',
      grave: true,
      typed: name ?? 'stop',
      run: async () => {
        await post('/system/down')
        return 'It drains and stops'
      },
    })
  return (
    <div class="stack">
      <Card title="Holdfast">
        <dl class="facts">
          <dt>Version</dt>
          <dd>{version}</dd>
          <dt>System</dt>
          <dd>
            {name} in {region}
          </dd>
          <dt>Control process</dt>
          <dd>pid {pid}</dd>
          <dt>API</dt>
          <dd>
            <a href="/api/docs">documentation</a>, <a href="/api/docs/openapi.json">OpenAPI 3.1</a>, <a href="/metrics">metrics for Prometheus</a>
          </dd>
        </dl>
      </Card>
      <Card title="Not part of this release">
        <dl class="facts">
          {missing.map(([what, note]) => (
            <>
              <dt key={what}>{what}</dt>
              <dd>{note}</dd>
            </>
          ))}
        </dl>
      </Card>
      <Card title="Stopping">
        <div class="row">
          <ActionButton permission="stop:system" onClick={stop}>
            Stop everything
          </ActionButton>
          <span class="muted">Drains and stops all services, the balancer and this control process.</span>
        </div>
      </Card>
    </div>
  )
}
