/** Who can be told, whether it works, and what never arrived. */
import type { DeadLetter } from '../../../src/api/types.ts'
import { get, post } from '../lib/api.ts'
import { plural } from '../lib/format.ts'
import { useLoad } from '../lib/use-load.ts'
import { useNews } from '../lib/use-news.ts'
import { ActionButton, confirm } from '../ui/confirm.tsx'
import { Loaded } from '../ui/loaded.tsx'
import { Card, Page, Tabs } from '../ui/page.tsx'
import { EmptyState } from '../ui/states.tsx'
import { Badge } from '../ui/status.tsx'
import { ListTable, type Column } from '../ui/table.tsx'
import { Time } from '../ui/time.tsx'
import { alertTabs } from './alerts.tsx'

interface Receiver {
  readonly name: string
  readonly ways: readonly string[]
  readonly sent: number
  readonly failed: number
}

const everyMs = 10_000

const receiverColumns = (reload: () => void): readonly Column<Receiver>[] => [
  { key: 'name', label: 'Receiver', cell: ({ name }) => <strong>{name}</strong>, sort: ({ name }) => name },
  {
    key: 'ways',
    label: 'By',
    cell: ({ ways }) => (
      <span class="row">
        {ways.map((way) => (
          <Badge key={way}>{way}</Badge>
        ))}
      </span>
    ),
  },
  { key: 'sent', label: 'Sent', cell: ({ sent }) => sent, sort: ({ sent }) => sent, num: true, width: 88 },
  {
    key: 'failed',
    label: 'Failed',
    cell: ({ failed }) => (failed > 0 ? <Badge tone="bad">{failed}</Badge> : 0),
    sort: ({ failed }) => failed,
    num: true,
    width: 88,
  },
  {
    key: 'test',
    label: '',
    cell: ({ name }) => (
      <ActionButton permission="change:alerts" kind="tiny" onClick={() => test(name, reload)}>
        Test
      </ActionButton>
    ),
    width: 76,
  },
]

function test(name: string, reload: () => void): void {
  confirm({
    title: `Send a test to ${name}`,
    consequence: 'A made-up alert is sent, once, and says that it is a test. Whoever is behind the receiver is told of it.',
    action: 'Send it',
    run: async () => {
      const { ways } = await post<{ ways: readonly string[] }>(`/alerts/receivers/${encodeURIComponent(name)}/test`)
      reload()
      return `${name} has taken the test (${ways.join(', ')})`
    },
  })
}

function resend({ id, receiver, alerts }: DeadLetter, reload: () => void): void {
  confirm({
    title: `Send it to ${receiver} again`,
    consequence: `${plural(alerts, 'alert')} as ${alerts === 1 ? 'it' : 'they'} stood then. What has been resolved since may be told as firing.`,
    action: 'Send it again',
    run: async () => {
      await post(`/alerts/dead-letters/${encodeURIComponent(id)}/resend`)
      reload()
      return `${receiver} has taken it`
    },
  })
}

export function Receivers() {
  const receivers = useLoad((signal) => get<readonly Receiver[]>('/alerts/receivers', undefined, { signal }), [], everyMs)
  const letters = useLoad((signal) => get<readonly DeadLetter[]>('/alerts/dead-letters', undefined, { signal }), [], everyMs)
  useNews(['notification.'], receivers.reload)
  useNews(['notification.'], letters.reload)
  const reload = (): void => {
    receivers.reload()
    letters.reload()
  }
  return (
    <Page title="Receivers">
      <div>
        <Tabs tabs={alertTabs} current="/alerts/receivers" />
        <Card flush>
          <Loaded of={receivers} height={120}>
            {(rows) => (
              <ListTable
                label="Receivers"
                rows={rows}
                idOf={({ name }) => name}
                columns={receiverColumns(reload)}
                empty={
                  <EmptyState title="Nobody is told of alerts">
                    Name somebody under <code>alerting.receivers</code> in the configuration: a webhook, Slack, e-mail, PagerDuty, an Alertmanager.
                  </EmptyState>
                }
              />
            )}
          </Loaded>
        </Card>
      </div>
      <Card title="What never arrived" flush>
        <Loaded of={letters} height={80}>
          {(rows) =>
            rows.length === 0 ? (
              <EmptyState title="Nothing was given up">What a receiver does not take is tried again for a while before it is listed here.</EmptyState>
            ) : (
              rows.map((letter) => (
                <div class="alert-row" key={letter.id}>
                  <div class="main-part">
                    <div class="row">
                      <strong>{letter.receiver}</strong>
                      <Badge>{letter.integration}</Badge>
                      <span class="muted small">
                        <Time at={letter.at} />, {plural(letter.alerts, 'alert')}, tried {plural(letter.attempts, 'time')}
                      </span>
                    </div>
                    <p class="break">{letter.error}</p>
                  </div>
                  <div class="actions">
                    <ActionButton permission="change:alerts" kind="tiny" onClick={() => resend(letter, reload)}>
                      Send again
                    </ActionButton>
                  </div>
                </div>
              ))
            )
          }
        </Loaded>
      </Card>
    </Page>
  )
}
