/**
 * Changing the configuration: the file as it is now, or another text. Both are checked first and say what applying would do. A text is applied with the tag that was read before
 * it was checked, so that whoever changes something meanwhile is not overwritten.
 */
import { useState } from 'preact/hooks'
import { ApiError, ask, hintOf, post, sayError } from '../../lib/api.ts'
import { plural } from '../../lib/format.ts'
import { may, whyNot } from '../../lib/session.ts'
import { ActionButton, confirm } from '../../ui/confirm.tsx'
import { Card } from '../../ui/page.tsx'
import { EmptyState } from '../../ui/states.tsx'
import { ListTable, type Column } from '../../ui/table.tsx'

interface Change {
  readonly path: string
  readonly from: unknown
  readonly to: unknown
  readonly effect: string
}
interface Problem {
  readonly path?: string
  readonly message?: string
  readonly line?: number
  readonly column?: number
  readonly hint?: string
}
interface Checked {
  /** undefined: the file. */
  readonly text: string | undefined
  readonly tag: string | null
  readonly changes: readonly Change[]
}

const shown = (value: unknown): string => (value === undefined || value === null ? '–' : typeof value === 'string' ? value : JSON.stringify(value))

const columns: readonly Column<Change>[] = [
  { key: 'path', label: 'Key', cell: ({ path }) => <span class="mono break">{path}</span> },
  { key: 'from', label: 'Now', hide: 'narrow', cell: ({ from }) => <span class="mono break muted">{shown(from)}</span> },
  { key: 'to', label: 'Then', cell: ({ to }) => <span class="mono break">{shown(to)}</span> },
  { key: 'effect', label: 'What it does', cell: ({ effect }) => effect },
]

export function ConfigEditor() {
  const [text, setText] = useState('')
  const [checked, setChecked] = useState<Checked | undefined>(undefined)
  const [error, setError] = useState<unknown>(undefined)
  const [checking, setChecking] = useState(false)
  const check = async (wanted: string | undefined): Promise<void> => {
    setChecking(true)
    setChecked(undefined)
    setError(undefined)
    try {
      const { headers } = await ask('GET', '/config')
      const changes = await post<readonly Change[]>('/config/check', wanted === undefined ? {} : { text: wanted })
      setChecked({ text: wanted, tag: headers.get('etag'), changes })
    } catch (reason) {
      setError(reason)
    } finally {
      setChecking(false)
    }
  }
  const done = (): void => {
    setChecked(undefined)
    setText('')
  }
  if (!may('manage:config')) return <EmptyState title="Changing the configuration">{whyNot('manage:config')}</EmptyState>
  return (
    <div class="stack">
      <Card title="The file, as it is now">
        <div class="row">
          <button type="button" class="button" disabled={checking} onClick={() => void check(undefined)}>
            Check the file
          </button>
          <span class="muted">Reads the file again and says what applying it would change.</span>
        </div>
      </Card>
      <Card title="Another text">
        <div class="stack">
          <label class="field">
            <span>YAML</span>
            <textarea
              rows={12}
              spellcheck={false}
              value={text}
              placeholder="The whole file. It replaces the one that the system runs from."
              onInput={(event) => setText(event.currentTarget.value)}
            />
          </label>
          <div class="row">
            <button type="button" class="button" disabled={checking || text.trim() === ''} onClick={() => void check(text)}>
              Check this text
            </button>
            <label class="button">
              Open a file…
              <input
                type="file"
                accept=".yml,.yaml"
                class="visually-hidden"
                onChange={(event) => void event.currentTarget.files?.[0]?.text().then(setText)}
              />
            </label>
          </div>
        </div>
      </Card>
      {error !== undefined && <Problems error={error} />}
      {checked && (
        <Card
          title={
            checked.changes.length === 0
              ? 'Nothing would change'
              : `${plural(checked.changes.length, 'change')} of ${checked.text === undefined ? 'the file' : 'this text'}`
          }
          flush
          beside={
            checked.changes.length > 0 && (
              <ActionButton permission="manage:config" kind="primary" onClick={() => apply(checked, done)}>
                Apply…
              </ActionButton>
            )
          }
        >
          <ListTable
            label="Changes"
            rows={checked.changes}
            idOf={({ path }) => path}
            columns={columns}
            empty={<EmptyState title="It says what holds already" />}
          />
        </Card>
      )}
    </div>
  )
}

function apply({ text, tag, changes }: Checked, done: () => void): void {
  const effects = [...new Set(changes.map(({ effect }) => effect))]
  confirm({
    title: `Apply ${plural(changes.length, 'change')}`,
    consequence: (
      <>
        <ul>
          {effects.map((effect) => (
            <li key={effect}>• {effect}</li>
          ))}
        </ul>
        {text !== undefined && (
          <p style={{ marginTop: '8px' }}>The text is also written to the file that the system runs from, in place of what is there.</p>
        )}
      </>
    ),
    action: 'Apply',
    grave: text !== undefined,
    run: async () => {
      const applied =
        text === undefined
          ? await post<readonly Change[]>('/config/reload')
          : (await ask<readonly Change[]>('PUT', '/config', { body: { text }, ...(tag !== null && { headers: { 'if-match': tag } }) })).data
      done()
      return `${plural(applied.length, 'change')} applied`
    },
  })
}

function Problems({ error }: { error: unknown }) {
  const { problems = [] } = (error instanceof ApiError ? (error.details as { problems?: readonly Problem[] } | null) : undefined) ?? {}
  return (
    <div class="notice bad" role="alert">
      <div class="break">
        <strong>{sayError(error)}</strong>
        {hintOf(error) !== undefined && <div class="small">{hintOf(error)}</div>}
        <ul>
          {problems.map(({ path, message, line, column, hint }, i) => (
            <li key={i} style={{ marginTop: '6px' }}>
              {line !== undefined && (
                <span class="muted">
                  line {line}, column {column}:{' '}
                </span>
              )}
              <span class="mono">{path}</span> {message}
              {hint !== undefined && <div class="small muted">{hint}</div>}
            </li>
          ))}
        </ul>
      </div>
    </div>
  )
}
