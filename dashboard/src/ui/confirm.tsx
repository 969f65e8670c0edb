/**
 * Before anything is changed: a dialog that states the consequence, asks for what the action needs, and stays open with the reason when it is refused.
 *
 *   confirm({ title: 'Restart shop', consequence: '3 instances are replaced one by one; no request is lost.', action: 'Restart', run: () => post(…) })
 */
import { signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Permission } from '../../../src/access/core/permissions.ts'
import { hintOf, sayError } from '../lib/api.ts'
import { whyNot } from '../lib/session.ts'
import { complain, say } from './toast.tsx'

export interface ConfirmField {
  readonly name: string
  readonly label: string
  readonly hint?: string
  readonly type?: 'text' | 'number' | 'select' | 'textarea' | 'checkbox'
  readonly options?: readonly (readonly [value: string, label: string])[]
  readonly value?: string
  readonly required?: boolean
  readonly min?: number
  readonly max?: number
  readonly placeholder?: string
}

export interface Confirmation {
  readonly title: string
  readonly consequence: ComponentChildren | ((values: Values) => ComponentChildren)
  /** What the button says. */
  readonly action: string
  /** It cannot be undone, or takes something away. */
  readonly grave?: boolean
  readonly fields?: readonly ConfirmField[]
  /** Must be typed: for what stops everything. */
  readonly typed?: string
  /** Resolves with what to say; rejects with why it was not done. */
  readonly run: (values: Values) => Promise<ComponentChildren | string | undefined>
  readonly wide?: boolean
}

export type Values = Readonly<Record<string, string>>

const open = signal<Confirmation | undefined>(undefined)
export function confirm(question: Confirmation): void {
  open.value = question
}

export const ConfirmHost = () => (open.value ? <ConfirmDialog key={numberOf(open.value)} {...open.value} /> : null)

/** Each question is a dialog of its own, also when it has the title of the one before. */
const numbers = new WeakMap<Confirmation, number>()
let asked = 0
function numberOf(one: Confirmation): number {
  const known = numbers.get(one) ?? ++asked
  numbers.set(one, known)
  return known
}

function ConfirmDialog({ title, consequence, action, grave = false, fields = [], typed, run, wide = false }: Confirmation) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [values, setValues] = useState<Values>(() => Object.fromEntries(fields.map(({ name, value = '' }) => [name, value])))
  const [echo, setEcho] = useState('')
  const [running, setRunning] = useState(false)
  const [error, setError] = useState<unknown>(undefined)
  const [done, setDone] = useState<ComponentChildren>(undefined)
  const [mine] = useState(() => open.peek())
  // Two clicks come before the button is drawn as switched off.
  const busy = useRef(false)
  useEffect(() => dialog.current?.showModal(), [])
  const isOpen = (): boolean => open.peek() === mine
  const close = (): void => {
    if (isOpen()) open.value = undefined
  }
  const submit = (event: SubmitEvent): void => {
    event.preventDefault()
    if (busy.current) return
    busy.current = true
    setRunning(true)
    setError(undefined)
    run(values)
      .then(
        (result) => {
          if (typeof result === 'object' && result !== null) {
            setDone(result)
            return
          }
          close()
          if (typeof result === 'string') say(result)
        },
        (reason: unknown) => {
          if (isOpen()) setError(reason)
          else complain(reason, title)
        },
      )
      .finally(() => {
        busy.current = false
        setRunning(false)
      })
  }
  return (
    <dialog ref={dialog} class={`sheet ${wide ? 'wide' : ''}`} onClose={close} aria-labelledby="confirm-title">
      <form onSubmit={submit}>
        <h2 id="confirm-title">{title}</h2>
        {done ?? (
          <>
            <div class={`consequence ${grave ? 'grave' : ''}`}>{typeof consequence === 'function' ? consequence(values) : consequence}</div>
            {fields.map((field) => (
              <Field
                key={field.name}
                field={field}
                value={values[field.name] ?? ''}
                onInput={(value) => setValues((before) => ({ ...before, [field.name]: value }))}
              />
            ))}
            {typed !== undefined && (
              <label class="field">
                <span>
                  Type <code>{typed}</code> to go on
                </span>
                <input value={echo} autocomplete="off" onInput={(event) => setEcho(event.currentTarget.value)} />
              </label>
            )}
            {error !== undefined && (
              <div class="notice bad" role="alert">
                <div>
                  {sayError(error)}
                  {hintOf(error) !== undefined && <div class="small">{hintOf(error)}</div>}
                </div>
              </div>
            )}
          </>
        )}
        <footer>
          {running && <span class="muted small">Closing this does not stop it; what comes of it will be said.</span>}
          <button type="button" class="button" onClick={close}>
            {done === undefined && !running ? 'Cancel' : 'Close'}
          </button>
          {done === undefined && (
            <button type="submit" class={`button ${grave ? 'danger' : 'primary'}`} disabled={running || (typed !== undefined && echo !== typed)}>
              {running ? 'Working…' : action}
            </button>
          )}
        </footer>
      </form>
    </dialog>
  )
}

function Field({ field, value, onInput }: { field: ConfirmField; value: string; onInput: (value: string) => void }) {
  const { name, label, hint, type = 'text', options = [], required = false, min, max, placeholder } = field
  const take = (event: { currentTarget: { value: string } }): void => onInput(event.currentTarget.value)
  if (type === 'checkbox') {
    return (
      <label class="row">
        <input type="checkbox" name={name} checked={value === 'true'} onChange={(event) => onInput(String(event.currentTarget.checked))} />
        {label}
      </label>
    )
  }
  return (
    <label class="field">
      <span>{label}</span>
      {type === 'select' ? (
        <select name={name} value={value} onChange={take}>
          {options.map(([option, text]) => (
            <option key={option} value={option}>
              {text}
            </option>
          ))}
        </select>
      ) : type === 'textarea' ? (
        <textarea name={name} rows={4} value={value} required={required} placeholder={placeholder} onInput={take} />
      ) : (
        <input
          name={name}
          type={type}
          value={value}
          required={required}
          min={min}
          max={max}
          placeholder={placeholder}
          autocomplete="off"
          onInput={take}
        />
      )}
      {hint !== undefined && <span class="hint">{hint}</span>}
    </label>
  )
}

/** A button for what needs a permission: for others it stands there, off, and says why. */
export function ActionButton({
  permission,
  unavailable,
  kind = '',
  onClick,
  children,
}: {
  permission: Permission
  unavailable?: string | undefined
  kind?: string
  onClick: () => void
  children: ComponentChildren
}) {
  const why = whyNot(permission) ?? unavailable
  return (
    <button
      type="button"
      class={`button ${kind}`}
      aria-disabled={why !== undefined}
      title={why}
      onClick={() => (why === undefined ? onClick() : say(why, 'info'))}
    >
      {children}
    </button>
  )
}
