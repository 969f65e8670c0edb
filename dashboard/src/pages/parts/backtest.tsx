/** What a rule would have told over the last days: before it is changed, with another condition. Changes nothing. */
import type { AlertRule, Backtest } from '../../../../src/api/types.ts'
import { signal } from '@preact/signals'
import type { TargetedSubmitEvent } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { hintOf, post, sayError } from '../../lib/api.ts'
import { count, duration } from '../../lib/format.ts'
import { Tile } from '../../ui/page.tsx'
import { Time } from '../../ui/time.tsx'
import { LabelList } from './alert-words.tsx'

export const backtested = signal<AlertRule | undefined>(undefined)
export function openBacktest(rule: AlertRule): void {
  backtested.value = rule
}

const spans = [
  ['1h', 'the last hour'],
  ['24h', 'the last day'],
  ['7d', 'the last 7 days'],
  ['30d', 'the last 30 days'],
] as const
const shownMost = 20

export function BacktestDialog({ rule }: { rule: AlertRule }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [when, setWhen] = useState(rule.when)
  const [forS, setFor] = useState(String(rule.forMs / 1_000))
  const [from, setFrom] = useState('7d')
  const [running, setRunning] = useState(false)
  const [result, setResult] = useState<Backtest | undefined>(undefined)
  const [error, setError] = useState<unknown>(undefined)
  useEffect(() => dialog.current?.showModal(), [])
  const close = (): void => {
    backtested.value = undefined
  }
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>): void => {
    event.preventDefault()
    setRunning(true)
    setError(undefined)
    post<Backtest>('/alerts/rules/backtest', {
      rule: rule.name,
      from,
      forMs: Math.round(Number(forS) * 1_000),
      ...(when !== rule.when && { when }),
    }).then(
      (answer) => {
        setRunning(false)
        setResult(answer)
      },
      (reason: unknown) => {
        setRunning(false)
        setError(reason)
      },
    )
  }
  return (
    <dialog ref={dialog} class="sheet wide" onClose={close} aria-labelledby="backtest-title">
      <form onSubmit={submit}>
        <h2 id="backtest-title">What {rule.name} would have told</h2>
        <label class="field">
          <span>Fires when</span>
          <textarea name="when" rows={2} value={when} required onInput={(event) => setWhen(event.currentTarget.value)} />
        </label>
        <div class="row">
          <label class="row">
            for{' '}
            <input name="for" type="number" min={0} max={604_800} step="any" value={forS} onInput={(event) => setFor(event.currentTarget.value)} /> s
          </label>
          <label class="row">
            over
            <select name="from" value={from} onChange={(event) => setFrom(event.currentTarget.value)}>
              {spans.map(([value, text]) => (
                <option key={value} value={value}>
                  {text}
                </option>
              ))}
            </select>
          </label>
        </div>
        {error !== undefined && (
          <div class="notice bad break" role="alert">
            <div>
              {sayError(error)}
              {hintOf(error) !== undefined && <div class="small">{hintOf(error)}</div>}
            </div>
          </div>
        )}
        {result && <Result result={result} />}
        <footer>
          <button type="button" class="button" onClick={close}>
            Close
          </button>
          <button type="submit" class="button primary" disabled={running}>
            {running ? 'Working…' : 'Back-test'}
          </button>
        </footer>
      </form>
    </dialog>
  )
}

function Result({
  result: { sentence, evaluations, fired, firingMs, flapped, withoutImpact, failed, error, episodes, from, to },
}: {
  result: Backtest
}) {
  return (
    <div class="stack" role="status">
      <p class="break">{sentence}</p>
      <div class="tiles">
        <Tile name="Fired" value={count(fired)} note={fired === 1 ? 'time' : 'times'} tone={fired > 0 ? 'warn' : undefined} />
        <Tile name="Firing" value={duration(firingMs)} note={`of ${duration(to - from)}`} />
        <Tile name="Flapped" value={count(flapped)} note={flapped === 1 ? 'time' : 'times'} />
        <Tile name="Without impact" value={count(withoutImpact)} note="no budget burned" />
        <Tile
          name="Evaluations"
          value={count(evaluations)}
          note={failed > 0 ? `${count(failed)} failed${error === null ? '' : `: ${error}`}` : 'none failed'}
        />
      </div>
      {episodes.length > 0 && (
        <ul class="timeline">
          {episodes.slice(0, shownMost).map(({ labels, from: began, to: ended, flapped: flaps, impact }) => (
            <li key={`${began} ${JSON.stringify(labels)}`}>
              <Time at={began} />
              <span>
                {ended === null ? 'still fires' : `for ${duration(ended - began)}`}
                {flaps && ', flapped'}
                {impact === false && ', without impact'} <LabelList labels={labels} without={['alertname', 'severity']} />
              </span>
            </li>
          ))}
          {episodes.length > shownMost && <li>and {episodes.length - shownMost} more</li>}
        </ul>
      )}
    </div>
  )
}
