/** Credentials: API keys for programs, tokens and login links for people. Each secret is shown once. */
import { del, get, post } from '../../lib/api.ts'
import { may, whyNot } from '../../lib/session.ts'
import { useLoad } from '../../lib/use-load.ts'
import { ActionButton, confirm } from '../../ui/confirm.tsx'
import { Loaded } from '../../ui/loaded.tsx'
import { Card } from '../../ui/page.tsx'
import { EmptyState } from '../../ui/states.tsx'
import { Badge } from '../../ui/status.tsx'
import { ListTable, type Column } from '../../ui/table.tsx'
import { say } from '../../ui/toast.tsx'
import { Time } from '../../ui/time.tsx'

interface ApiKey {
  readonly id: string
  readonly name: string
  readonly role: string
  readonly createdAt: string
  readonly createdBy: string
  readonly expiresAt: string
  readonly lastUsedAt: string | null
}

const roleField = {
  name: 'role',
  label: 'Role',
  type: 'select',
  value: 'viewer',
  options: [
    ['viewer', 'viewer: sees'],
    ['operator', 'operator: also scales, restarts, maintains'],
    ['admin', 'admin: also configures and gives access'],
  ],
} as const

export function AccessSettings() {
  if (!may('manage:access')) return <EmptyState title="Credentials">{whyNot('manage:access')}</EmptyState>
  return <Keys />
}

function Keys() {
  const keys = useLoad((signal) => get<readonly ApiKey[]>('/auth/api-keys', { limit: 1_000 }, { signal }), [])
  const columns: readonly Column<ApiKey>[] = [
    { key: 'name', label: 'Name', sort: ({ name }) => name, cell: ({ name }) => <strong class="break">{name}</strong> },
    { key: 'role', label: 'Role', sort: ({ role }) => role, cell: ({ role }) => <Badge tone={role === 'admin' ? 'warn' : 'quiet'}>{role}</Badge> },
    { key: 'by', label: 'Made by', hide: 'narrow', cell: ({ createdBy }) => createdBy },
    { key: 'made', label: 'Made', hide: 'narrow', cell: ({ createdAt }) => <Time at={createdAt} /> },
    {
      key: 'used',
      label: 'Last used',
      hide: 'narrow',
      cell: ({ lastUsedAt }) => (lastUsedAt === null ? <span class="muted">never</span> : <Time at={lastUsedAt} />),
    },
    { key: 'ends', label: 'Ends', sort: ({ expiresAt }) => Date.parse(expiresAt), cell: ({ expiresAt }) => <Time at={expiresAt} /> },
    {
      key: 'actions',
      label: '',
      cell: (key) => (
        <div class="right">
          <ActionButton permission="manage:access" kind="tiny" onClick={() => revoke(key, keys.reload)}>
            Revoke
          </ActionButton>
        </div>
      ),
    },
  ]
  return (
    <div class="stack">
      <Card
        title="API keys, for programs"
        flush
        beside={
          <ActionButton permission="manage:access" onClick={() => create(keys.reload)}>
            Make a key
          </ActionButton>
        }
      >
        <Loaded of={keys} height={120}>
          {(all) => (
            <ListTable
              label="API keys"
              rows={all}
              idOf={({ id }) => id}
              columns={columns}
              empty={<EmptyState title="No API keys">Programs need one; people sign in by a link or a token.</EmptyState>}
            />
          )}
        </Loaded>
      </Card>
      <Card title="For people">
        <div class="row">
          <ActionButton permission="manage:access" onClick={token}>
            Make a token
          </ActionButton>
          <ActionButton permission="manage:access" onClick={link}>
            Make a login link
          </ActionButton>
          <span class="muted">A token has a role and ends when it ends. A link signs an admin in, once, within 15 minutes.</span>
        </div>
      </Card>
    </div>
  )
}

/** Shown once; a click selects or copies it. */
function Secret({ label, value }: { label: string; value: string }) {
  const copy = (): void => {
    navigator.clipboard.writeText(value).then(
      () => say('Copied'),
      () => say('This browser does not allow copying here: select the text', 'info'),
    )
  }
  return (
    <div class="field">
      <span>{label}</span>
      <code class="secret break">{value}</code>
      <div>
        <button type="button" class="button tiny" onClick={copy}>
          Copy
        </button>
      </div>
    </div>
  )
}

function create(done: () => void): void {
  confirm({
    title: 'Make an API key',
    consequence: 'Whoever has the key may do what its role may, until it ends or is revoked. It is shown once.',
    action: 'Make it',
    fields: [
      { name: 'name', label: 'Name', required: true, placeholder: 'ci' },
      roleField,
      { name: 'ttl', label: 'Lives', value: '90d', hint: 'At most 365d.', required: true },
    ],
    run: async ({ name, role, ttl }) => {
      const { key } = await post<{ key: string }>('/auth/api-keys', { name, role, ttl })
      done()
      return <Secret label="The key. It is not shown again." value={key} />
    },
  })
}

function revoke({ id, name }: ApiKey, done: () => void): void {
  confirm({
    title: `Revoke ${name}`,
    consequence: 'Programs that use it are refused from now on. It cannot be given back.',
    action: 'Revoke',
    grave: true,
    run: async () => {
      await del(`/auth/api-keys/${encodeURIComponent(id)}`)
      done()
      return `${name} is revoked`
    },
  })
}

function token(): void {
  confirm({
    title: 'Make a token',
    consequence: 'Whoever has the token may do what its role may until it ends. It cannot be taken back before.',
    action: 'Make it',
    fields: [
      { name: 'subject', label: 'For whom', required: true, placeholder: 'alice' },
      roleField,
      { name: 'ttl', label: 'Lives', value: '8h', hint: 'At most 24h.', required: true },
    ],
    run: async ({ subject, role, ttl }) => {
      const made = await post<{ token: string }>('/auth/token', { subject, role, ttl })
      return <Secret label="The token. It is not shown again." value={made.token} />
    },
  })
}

function link(): void {
  confirm({
    title: 'Make a login link',
    consequence: 'Whoever opens the link first is signed in as admin.',
    action: 'Make it',
    run: async () => {
      const { code } = await post<{ code: string }>('/auth/login-codes')
      return <Secret label="The link. It works once, within 15 minutes." value={`${location.origin}/#login=${code}`} />
    },
  })
}
