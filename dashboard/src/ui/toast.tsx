/** What came of an action: said once, read aloud, and gone by itself unless it failed. */
import { signal } from '@preact/signals'
import { hintOf, sayError } from '../lib/api.ts'
import { Shape, type Tone } from './icon.tsx'

interface Toast {
  readonly id: number
  readonly tone: Tone
  readonly text: string
  readonly hint?: string | undefined
}

const toasts = signal<readonly Toast[]>([])
const shownMs = 6_000
const toastsMax = 4
let next = 0

const remove = (id: number): void => {
  toasts.value = toasts.value.filter((toast) => toast.id !== id)
}

function add(toast: Omit<Toast, 'id'>): number {
  const id = next++
  toasts.value = [...toasts.value.slice(1 - toastsMax), { ...toast, id }]
  return id
}

export function say(text: string, tone: Tone = 'ok'): void {
  const id = add({ tone, text })
  setTimeout(remove, shownMs, id)
}

/** `of`: what was tried, where the reader cannot see it any more. */
export function complain(error: unknown, of?: string): void {
  add({ tone: 'bad', text: of === undefined ? sayError(error) : `${of}: ${sayError(error)}`, hint: hintOf(error) })
}

export const Toasts = () => (
  <div class="toasts" role="log" aria-live="polite" aria-label="What came of actions">
    {toasts.value.map(({ id, tone, text, hint }) => (
      <div class="toast" key={id}>
        <span class={`status ${tone}`}>
          <Shape tone={tone} size={11} />
        </span>
        <div>
          {text}
          {hint !== undefined && <div class="muted small">{hint}</div>}
        </div>
        <button type="button" class="button quiet tiny" onClick={() => remove(id)} aria-label="Dismiss">
          ✕
        </button>
      </div>
    ))}
  </div>
)
