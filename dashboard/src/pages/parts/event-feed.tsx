/** The newest events as lines: those that the page has seen, and before them those that the API remembers. */
import { get } from '../../lib/api.ts'
import type { ApiEvent } from '../../lib/events.ts'
import { recentEvents } from '../../lib/live.ts'
import { href } from '../../lib/router.ts'
import { useLoad } from '../../lib/use-load.ts'
import { Shape } from '../../ui/icon.tsx'
import { Loaded } from '../../ui/loaded.tsx'
import { EmptyState } from '../../ui/states.tsx'
import { levelTones } from '../../ui/status.tsx'
import { Time } from '../../ui/time.tsx'

/** What somebody did through the API is on the audit page. */
const isNews = ({ type }: ApiEvent): boolean => !/^(access|action|token)\./.test(type)

export function EventFeed({ limit, service }: { limit: number; service?: string }) {
  const before = useLoad((signal) => get<readonly ApiEvent[]>('/events', { limit: limit * 6, service }, { signal }), [limit, service])
  return (
    <Loaded of={before} height={limit * 32}>
      {(loaded) => {
        const newest = loaded[0]?.seq ?? 0
        const seen = recentEvents.value.filter((event) => event.seq > newest && (service === undefined || event.service === service))
        const shown = [...seen, ...loaded].filter(isNews).slice(0, limit)
        return shown.length === 0 ? <EmptyState title="Nothing has happened yet" /> : <Lines events={shown} />
      }}
    </Loaded>
  )
}

const Lines = ({ events }: { events: readonly ApiEvent[] }) => (
  <ul class="feed">
    {events.map(({ id, level, message, time }) => (
      <li key={id}>
        <span class={`status ${levelTones[level]}`} title={level}>
          <Shape tone={levelTones[level]} />
          <span class="visually-hidden">{level}</span>
        </span>
        <a class="what" style={{ color: 'inherit' }} href={href(`/events?id=${id}`)}>
          {message}
        </a>
        <span class="muted small">
          <Time at={time} />
        </span>
      </li>
    ))}
  </ul>
)
