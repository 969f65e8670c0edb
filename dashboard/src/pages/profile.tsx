/** One CPU profile as a flame graph. */
import { useMemo } from 'preact/hooks'
import { get } from '../lib/api.ts'
import type { FlameNode } from '../lib/flame.ts'
import { count, duration, milliseconds } from '../lib/format.ts'
import { href } from '../lib/router.ts'
import { may } from '../lib/session.ts'
import { useLoad } from '../lib/use-load.ts'
import { ActionButton } from '../ui/confirm.tsx'
import { FlameGraph } from '../ui/flame-graph.tsx'
import { Loaded } from '../ui/loaded.tsx'
import { Card, Page } from '../ui/page.tsx'
import { EmptyState } from '../ui/states.tsx'
import { Badge } from '../ui/status.tsx'
import { Time } from '../ui/time.tsx'
import { serviceHref } from './parts/service-table.tsx'
import type { Profile } from '../../../src/api/types.ts'
import { download, ForOperators } from './profiles.tsx'

interface Node {
  readonly name: string
  readonly at: string
  readonly selfMs: number
  readonly totalMs: number
  readonly children: readonly Node[]
}

interface Flame {
  readonly root: Node
  readonly samples: number
  readonly omitted: number
}

export const ProfilePage = ({ id }: { id: string }) => (may('profile:service') ? <Recording id={id} /> : <ForOperators />)

function Recording({ id }: { id: string }) {
  const profiles = useLoad((signal) => get<readonly Profile[]>('/profiles', undefined, { signal }), [id])
  const flame = useLoad((signal) => get<Flame>(`/profiles/${encodeURIComponent(id)}/flame`, undefined, { signal }), [id])
  const profile = profiles.data?.find((one) => one.id === id)
  return (
    <Page
      title={profile?.instance ?? 'Profile'}
      under={['/profiles', 'Profiles']}
      beside={profile && <Badge>CPU, {duration(profile.durationMs)}</Badge>}
      actions={
        profile && (
          <ActionButton permission="profile:service" onClick={() => download(profile)}>
            Download
          </ActionButton>
        )
      }
    >
      {profile && (
        <p class="muted">
          Of <a href={href(serviceHref(profile.service))}>{profile.service}</a>, recorded <Time at={profile.startedAt} /> for {profile.actor}
        </p>
      )}
      <Card title="Where the time went">
        <Loaded of={flame} height={420}>
          {(shown) => <Shown flame={shown} />}
        </Loaded>
      </Card>
    </Page>
  )
}

function Shown({ flame: { root, samples, omitted } }: { flame: Flame }) {
  const tree = useMemo(() => working(root), [root])
  if (tree.total <= 0) return <EmptyState title="It did nothing while it was recorded">Record it again under load.</EmptyState>
  const idle = root.totalMs - tree.total
  return (
    <div class="stack">
      <FlameGraph root={tree} say={milliseconds} />
      <p class="muted small">
        {count(samples)} samples{idle > 0 && `, idle for ${milliseconds(idle)}, which is left out`}
        {omitted > 0 && `, ${count(omitted)} calls too small to be seen`}. The file opens in Chrome’s developer tools, too.
      </p>
    </div>
  )
}

/** Waiting is no work: with it, everything else would be too narrow to be read. */
function working({ children, ...root }: Node): FlameNode {
  const busy = children.filter(({ name }) => name !== '(idle)')
  const total = root.selfMs + busy.reduce((sum, { totalMs }) => sum + totalMs, 0)
  return { name: 'all', total, self: root.selfMs, children: busy.map(asNode) }
}

const asNode = ({ name, at, selfMs, totalMs, children }: Node): FlameNode => ({
  name,
  ...(at !== '' && { where: at.replace(/^file:\/\//, '') }),
  self: selfMs,
  total: totalMs,
  children: children.map(asNode),
})
