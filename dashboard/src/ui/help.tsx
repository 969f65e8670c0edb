/** `?`: the keys, and where more is written. */
import { useEffect, useRef } from 'preact/hooks'
import { go } from '../lib/router.ts'
import { navigation } from '../pages/index.ts'

let dialog: HTMLDialogElement | null = null
export const openHelp = (): void => dialog?.showModal()

/** `g` and then a letter, as in other programs of the kind. */
const places: Readonly<Record<string, string>> = { o: '/', s: '/services', t: '/traffic', e: '/events', a: '/alerts', c: '/checks' }
const hasPage = (to: string): boolean => navigation.some(([, entries]) => entries.some(({ path }) => path === to))

export function HelpDialog() {
  const ref = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    dialog = ref.current
    let goes = false
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector('dialog[open]')) return
      const place = goes ? places[event.key] : undefined
      goes = event.key === 'g'
      if (event.key === '?') openHelp()
      else if (place !== undefined && hasPage(place)) go(place)
      else if (event.key === '/') focusSearch(event)
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])
  return (
    <dialog ref={ref} class="sheet" aria-labelledby="help-title">
      <div class="sheet-body">
        <h2 id="help-title">Help</h2>
        <dl class="facts">
          <dt>
            <kbd>?</kbd>
          </dt>
          <dd>This help</dd>
          <dt>
            <kbd>/</kbd>
          </dt>
          <dd>To the filter of the page</dd>
          {Object.entries(places)
            .filter(([, to]) => hasPage(to))
            .map(([letter, to]) => (
              <>
                <dt key={letter}>
                  <kbd>g</kbd> <kbd>{letter}</kbd>
                </dt>
                <dd>{navigation.flatMap(([, entries]) => entries).find(({ path }) => path === to)?.nav.label}</dd>
              </>
            ))}
          <dt>
            <kbd>Esc</kbd>
          </dt>
          <dd>Closes what is open</dd>
        </dl>
        <p class="muted">
          Times are in the zone of this browser; pointing at one shows it in UTC. Buttons that are off say why. The same can be done on the command
          line: <code>holdfast --help</code>, and by the <a href="/api/docs">API</a>.
        </p>
        <footer>
          <form method="dialog">
            <button class="button">Close</button>
          </form>
        </footer>
      </div>
    </dialog>
  )
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable]')

function focusSearch(event: KeyboardEvent): void {
  const search = document.querySelector<HTMLInputElement>('main input[type="search"]')
  if (!search) return
  event.preventDefault()
  search.focus()
}
