/** One check: how it stands, what its last runs found, and what may be done with it. */
import type { CheckDetail } from '../../../src/api/types.ts'
import { useRef, useState } from 'preact/hooks'
import { get, post } from '../lib/api.ts'
import { duration, milliseconds, share } from '../lib/format.ts'
import { href } from '../lib/router.ts'
import { useLoad } from '../lib/use-load.ts'
import { ActionButton, confirm } from '../ui/confirm.tsx'
import { Loaded } from '../ui/loaded.tsx'
import { Card, Page, Tile } from '../ui/page.tsx'
import { EmptyState } from '../ui/states.tsx'
import { complain, say } from '../ui/toast.tsx'
import { Ago, Time } from '../ui/time.tsx'
import { CheckState, inUnit, measured } from './parts/check-words.tsx'
import { serviceHref } from './parts/service-table.tsx'
import { Trace } from './parts/trace.tsx'

const everyMs = 2_000
const stripMost = 60

export function CheckPage({ name }: { name: string }) {
  const check = useLoad((signal) => get<CheckDetail>(`/health/checks/${encodeURIComponent(name)}`, undefined, { signal }), [name], everyMs)
  const { data, reload } = check
  return (
    <Page
      title={name}
      under={['/checks', 'Checks']}
      beside={data && <CheckState {...data} />}
      actions={data && <Actions check={data} reload={reload} />}
    >
      <Loaded of={check} height={320}>
        {(detail) => <Detail check={detail} />}
      </Loaded>
    </Page>
  )
}

function Actions({ check: { name, kind, state }, reload }: { check: CheckDetail; reload: () => void }) {
  const at = `/health/checks/${encodeURIComponent(name)}`
  const probed = kind === 'service' ? 'The balancer probes services by itself.' : undefined
  const paused = state === 'paused'
  const running = useRef(false)
  const [runs, setRuns] = useState(false)
  const run = (): void => {
    if (running.current) return
    running.current = true
    setRuns(true)
    post<CheckDetail>(`${at}/run`)
      .then(({ last }) => {
        say(`${name}: ${last?.message ?? 'made'}`, last?.outcome === 'fail' ? 'bad' : 'ok')
        reload()
      }, complain)
      .finally(() => {
        running.current = false
        setRuns(false)
      })
  }
  const pause = (): void =>
    confirm({
      title: paused ? `Resume ${name}` : `Pause ${name}`,
      consequence: paused
        ? 'It is made again, beginning with the next run; what it finds counts.'
        : 'It is not made until it is resumed, also after a restart. Its alert ends, and nobody hears of it if what it looks at fails.',
      action: paused ? 'Resume' : 'Pause',
      grave: !paused,
      run: async () => {
        await post(`${at}/${paused ? 'resume' : 'pause'}`)
        reload()
        return paused ? `${name} is made again` : `${name} is paused`
      },
    })
  return (
    <>
      <ActionButton permission="act:checks" unavailable={probed ?? (paused ? 'It is paused: resume it first.' : undefined)} onClick={run}>
        {runs ? 'Running…' : 'Run now'}
      </ActionButton>
      <ActionButton permission="act:checks" unavailable={probed} onClick={pause}>
        {paused ? 'Resume' : 'Pause'}
      </ActionButton>
    </>
  )
}

function Detail({ check }: { check: CheckDetail }) {
  const { state, level, message, cause, since, last, failures, blips, uptime, outcomes, unit } = check
  // Of one whose measure is the time that it takes, once is enough.
  const values = outcomes.some(({ value, latencyMs }) => value !== null && !(unit === 'ms' && value === latencyMs))
  return (
    <>
      {message !== null && (state === 'down' || state === 'suspect' || level !== 'ok') && (
        <div class={`notice break ${state === 'down' || level === 'critical' ? 'bad' : 'warn'}`}>
          {message}
          {cause !== null && ` (${cause})`}
        </div>
      )}
      <div class="tiles">
        <Tile
          name={state === 'up' ? 'Up for' : `${state} for`}
          value={<Ago at={since} />}
          note={<Time at={since} />}
          tone={state === 'down' ? 'bad' : undefined}
        />
        <Tile name="Took" value={milliseconds(last?.latencyMs)} note="the last run" />
        {values && (
          <Tile
            name="Measured"
            value={measured(check)}
            tone={level === 'critical' ? 'bad' : level === 'warning' ? 'warn' : undefined}
            note="the last run"
          />
        )}
        {typeof last?.certificateDays === 'number' && (
          <Tile
            name="Certificate"
            value={`${Math.floor(last.certificateDays)} days`}
            tone={last.certificateDays < 7 ? 'bad' : last.certificateDays < 21 ? 'warn' : undefined}
            note="until it expires"
          />
        )}
        <Tile name="Up" value={share(uptime)} note="of the time that is known" />
        <Tile name="Failures" value={failures} note={`in a row; ${blips} came to nothing`} />
      </div>
      <Card title="Last runs">{outcomes.length === 0 ? <EmptyState title="It has not been made yet" /> : <Runs outcomes={outcomes} />}</Card>
      {outcomes.length > 1 && (
        <div class="columns">
          <Card title="How long it took">
            <Trace
              points={outcomes.map(({ at, latencyMs }) => ({ at: Date.parse(at), value: latencyMs }))}
              say={milliseconds}
              label="How long each run took"
            />
          </Card>
          {values && (
            <Card title="What it measured">
              <Trace
                points={outcomes.map(({ at, value }) => ({ at: Date.parse(at), value: value ?? undefined }))}
                say={(value) => inUnit(value, unit)}
                label="What each run measured"
              />
            </Card>
          )}
        </div>
      )}
      <Facts check={check} />
    </>
  )
}

function Runs({ outcomes }: { outcomes: CheckDetail['outcomes'] }) {
  const shown = outcomes.slice(-stripMost)
  const failed = shown.filter(({ outcome }) => outcome === 'fail').length
  return (
    <>
      <div class="outcomes" role="img" aria-label={`The last ${shown.length} runs: ${failed} failed`}>
        {shown.map(({ at, outcome, level, message, latencyMs }) => (
          <i
            key={at}
            class={outcome === 'pass' && level !== 'ok' ? 'warning' : outcome}
            title={`${at}: ${outcome}, ${message} (${milliseconds(latencyMs)})`}
          />
        ))}
      </div>
      <div class="table-wrap">
        <table class="table" aria-label="The last ten runs">
          <tbody>
            {outcomes
              .slice(-10)
              .toReversed()
              .map(({ at, outcome, message, latencyMs }) => (
                <tr key={at}>
                  <td>
                    <Time at={at} />
                  </td>
                  <td>{outcome}</td>
                  <td class="break">{message}</td>
                  <td class="num">{milliseconds(latencyMs)}</td>
                </tr>
              ))}
          </tbody>
        </table>
      </div>
    </>
  )
}

const Facts = ({
  check: { kind, target, severity, service, dependsOn, intervalMs, timeoutMs, alertAfter, warnAt, criticalAt, nextAt },
}: {
  check: CheckDetail
}) => (
  <Card title="About">
    <dl class="facts">
      <dt>Looks at</dt>
      <dd class="mono">{target === '' ? kind : `${kind}: ${target}`}</dd>
      <dt>How often</dt>
      <dd>
        every {duration(intervalMs)}, for at most {duration(timeoutMs)}
      </dd>
      <dt>Down after</dt>
      <dd>
        {alertAfter} failures in a row; its alert is {severity}
      </dd>
      {(warnAt !== null || criticalAt !== null) && (
        <>
          <dt>Thresholds</dt>
          <dd>{[warnAt !== null && `warning at ${warnAt}`, criticalAt !== null && `critical at ${criticalAt}`].filter(Boolean).join(', ')}</dd>
        </>
      )}
      {service !== null && (
        <>
          <dt>Service</dt>
          <dd>
            <a href={href(serviceHref(service))}>{service}</a>
          </dd>
        </>
      )}
      <dt>Needs</dt>
      <dd>{dependsOn.length === 0 ? 'nothing that is declared' : dependsOn.join(', ')}</dd>
      <dt>Next run</dt>
      <dd>
        <Time at={nextAt} />
      </dd>
    </dl>
  </Card>
)
