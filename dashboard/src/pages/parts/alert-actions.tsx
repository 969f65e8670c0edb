/** What may be done about alerts: take one up, keep some quiet, end that. Each says what comes of it, the silence with what it would match now. */
import type { Alert, Silence } from '../../../../src/api/types.ts'
import { useEffect, useState } from 'preact/hooks'
import { del, get, post, sayError } from '../../lib/api.ts'
import { count, plural } from '../../lib/format.ts'
import { ActionButton, confirm } from '../../ui/confirm.tsx'

const times = [
  ['30m', '30 minutes'],
  ['1h', '1 hour'],
  ['2h', '2 hours'],
  ['8h', '8 hours'],
  ['1d', '1 day'],
  ['7d', '7 days'],
] as const

export const AckButton = ({ alert, done }: { alert: Alert; done: () => void }) => (
  <ActionButton
    permission="change:alerts"
    kind="tiny"
    unavailable={alert.status === 'resolved' ? 'It is over.' : undefined}
    onClick={() => acknowledge(alert, done)}
  >
    Take up
  </ActionButton>
)

function acknowledge({ id, title, service }: Alert, done: () => void): void {
  confirm({
    title: `Take up ${title}${service === null ? '' : ` of ${service}`}`,
    consequence:
      'Nobody else is told while you are at it: escalation stops. If it still fires when the time is over, it counts as not taken up again.',
    action: 'Take it up',
    fields: [
      { name: 'for', label: 'For', type: 'select', value: '30m', options: times.slice(0, 4) },
      { name: 'comment', label: 'What are you doing?', placeholder: 'for those who look at it later' },
    ],
    run: async ({ comment, for: time }) => {
      await post(`/alerts/${id}/ack`, { for: time, ...(comment && { comment }) })
      done()
      return `${title}: taken up`
    },
  })
}

const quotable = (value: string): string => `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`

/** Name and subject of an alert: what one means by "this". */
export function matchersFor({ labels }: Pick<Alert, 'labels'>): string {
  const told = ['alertname', 'service', 'check'].filter((name) => labels[name] !== undefined)
  return told.map((name) => `${name}=${quotable(labels[name] ?? '')}`).join(', ')
}

export function silence(matchers: string, done: () => void): void {
  confirm({
    title: 'Keep alerts quiet',
    wide: true,
    consequence: ({ matchers: text = '' }) => (
      <>
        <p>Nobody is told of alerts that match, until the time is over or it is ended. They are shown all the same.</p>
        <Preview text={text} />
      </>
    ),
    action: 'Silence',
    grave: true,
    fields: [
      {
        name: 'matchers',
        label: 'Labels that must all hold',
        value: matchers,
        required: true,
        hint: 'service="shop", severity=~"warning|critical", team!="lab"',
      },
      { name: 'for', label: 'For', type: 'select', value: '2h', options: times },
      { name: 'comment', label: 'Why?', required: true },
      { name: 'endOnResolve', label: 'End it as soon as what it kept quiet is over', type: 'checkbox' },
    ],
    run: async ({ matchers: text = '', for: time, comment, endOnResolve }) => {
      await post<Silence>('/silences', { matchers: text, for: time, comment, ...(endOnResolve === 'true' && { endOnResolve: true }) })
      done()
      return 'The silence holds'
    },
  })
}

const shownMost = 6
const matchedMost = 1_000
/** After the last key. */
const typedMs = 150

type Matched = { readonly alerts: readonly Alert[] } | { readonly problem: string } | undefined

/** Which alerts it would match now, as the notifier has it. */
function Preview({ text }: { text: string }) {
  const [found, setFound] = useState<Matched>(undefined)
  useEffect(() => {
    if (text.trim() === '') {
      setFound({ problem: 'Give it at least one label.' })
      return undefined
    }
    const ended = new AbortController()
    const timer = setTimeout(() => {
      get<readonly Alert[]>('/alerts', { matchers: text, limit: matchedMost }, { signal: ended.signal }).then(
        (alerts) => setFound({ alerts }),
        (error: unknown) => ended.signal.aborted || setFound({ problem: sayError(error) }),
      )
    }, typedMs)
    return () => {
      clearTimeout(timer)
      ended.abort()
    }
  }, [text])
  if (found === undefined) return <p class="muted">Looking what it matches…</p>
  if ('problem' in found) return <p class="muted break">{found.problem}</p>
  const { alerts } = found
  const many = alerts.length >= matchedMost ? `${count(matchedMost)} alerts or more` : plural(alerts.length, 'alert')
  return (
    <div role="status" class="break">
      <strong>
        {alerts.length === 0 ? 'It matches no alert that fires now.' : `It matches ${many} that ${alerts.length === 1 ? 'fires' : 'fire'} now:`}
      </strong>
      <ul>
        {alerts.slice(0, shownMost).map(({ id, title, message }) => (
          <li key={id}>
            <bdi>{title}</bdi>: <bdi>{message}</bdi>
          </li>
        ))}
        {alerts.length > shownMost && <li>and {count(alerts.length - shownMost)} more</li>}
      </ul>
    </div>
  )
}

export const SilenceButton = ({ alert, done }: { alert: Alert; done: () => void }) => (
  <ActionButton permission="change:alerts" kind="tiny" onClick={() => silence(matchersFor(alert), done)}>
    Silence…
  </ActionButton>
)

export function endSilence({ id, matchers }: Silence, done: () => void): void {
  confirm({
    title: 'End the silence',
    consequence: `Alerts with ${matchers.join(', ')} are told again, at once if they fire.`,
    action: 'End it',
    run: async () => {
      await del(`/silences/${encodeURIComponent(id)}`)
      done()
      return 'The silence is over'
    },
  })
}
