/** Why: an event with what led to it and what it led to, or the trail of a request. */
import { useEffect, useRef } from 'preact/hooks'
import { get } from '../../lib/api.ts'
import { milliseconds } from '../../lib/format.ts'
import type { ApiEvent } from '../../lib/events.ts'
import { setQuery } from '../../lib/router.ts'
import { useLoad } from '../../lib/use-load.ts'
import { Loaded } from '../../ui/loaded.tsx'
import { EmptyState } from '../../ui/states.tsx'
import { levelTones, Status } from '../../ui/status.tsx'
import { Time } from '../../ui/time.tsx'

interface Trail {
  readonly id: string
  readonly startedAt: number
  readonly method: string
  readonly target: string
  readonly status: number
  readonly durationMs: number
  readonly steps: readonly { readonly at: number; readonly step: string; readonly endpoint?: string; readonly note?: string }[]
}
interface Explanation {
  readonly requests: readonly Trail[]
  readonly events: readonly ApiEvent[]
}

export function Why({ id, close }: { id: string | undefined; close: () => void }) {
  return id === undefined ? null : <WhyDialog key={id} id={id} close={close} />
}

function WhyDialog({ id, close }: { id: string; close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const explained = useLoad((signal) => get<Explanation>(`/explain/${encodeURIComponent(id)}`, undefined, { signal }), [id])
  useEffect(() => {
    if (dialog.current?.open === false) dialog.current.showModal()
  }, [])
  return (
    <dialog ref={dialog} class="sheet wide" onClose={close} aria-labelledby="why-title">
      <div class="sheet-body">
        <h2 id="why-title">Why</h2>
        <Loaded of={explained} height={200}>
          {({ events, requests }) => (
            <>
              {events.length === 0 && requests.length === 0 && <EmptyState title="Nothing is known of it">It may have left the log.</EmptyState>}
              {events.length > 0 && <Chain events={events} id={id} />}
              {requests.map((trail) => (
                <RequestTrail key={trail.id} trail={trail} />
              ))}
            </>
          )}
        </Loaded>
        <footer>
          <form method="dialog" style={{ padding: '0' }}>
            <button class="button">Close</button>
          </form>
        </footer>
      </div>
    </dialog>
  )
}

/** How far each event is from the first cause. */
function depthsOf(events: readonly ApiEvent[]): ReadonlyMap<string, number> {
  const byId = new Map(events.map((event) => [event.id, event]))
  const depths = new Map<string, number>()
  const depthOf = (event: ApiEvent): number => {
    const known = depths.get(event.id)
    if (known !== undefined) return known
    depths.set(event.id, 0)
    const cause = event.cause === undefined ? undefined : byId.get(event.cause)
    const depth = cause ? depthOf(cause) + 1 : 0
    depths.set(event.id, depth)
    return depth
  }
  for (const event of events) depthOf(event)
  return depths
}

function Chain({ events, id }: { events: readonly ApiEvent[]; id: string }) {
  const depths = depthsOf(events)
  const sorted = events.toSorted((a, b) => a.seq - b.seq)
  const subject = events.find((event) => event.id === id)
  return (
    <>
      <ol class="chain">
        {sorted.map((event) => (
          <li
            key={event.id}
            class={event.id === id ? 'subject' : ''}
            style={{ marginLeft: `${(depths.get(event.id) ?? 0) * 18}px` }}
            aria-current={event.id === id ? 'true' : undefined}
          >
            <div class="row">
              <Status tone={levelTones[event.level]}>{event.type}</Status>
              <span class="muted small">
                <Time at={event.time} />
              </span>
            </div>
            {event.id === id ? (
              <div class="break">{event.message}</div>
            ) : (
              <button type="button" class="link break" onClick={() => setQuery({ id: event.id })}>
                {event.message}
              </button>
            )}
          </li>
        ))}
      </ol>
      {subject && (
        <details>
          <summary class="muted small">All that it says</summary>
          <pre class="log" style={{ height: 'auto', borderRadius: '5px', marginTop: '8px' }} tabIndex={0}>
            {JSON.stringify(subject, undefined, 2)}
          </pre>
        </details>
      )}
    </>
  )
}

const RequestTrail = ({ trail: { method, target, status, durationMs, startedAt, steps } }: { trail: Trail }) => (
  <section>
    <h3 class="break">
      {method} {target} <span class="muted">{status === 0 ? 'cut' : status}</span>
    </h3>
    <p class="muted small">
      <Time at={startedAt} />, {milliseconds(durationMs)}
    </p>
    <ol class="chain">
      {steps.map(({ at, step, endpoint, note }, i) => (
        <li key={i}>
          <span class="muted">{milliseconds(at)}</span> {step} {endpoint !== undefined && <span class="mono">{endpoint}</span>} {note}
        </li>
      ))}
    </ol>
  </section>
)
