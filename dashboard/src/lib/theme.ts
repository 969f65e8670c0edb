/** Dark, light, or as the system has it. */
import { effect, signal } from '@preact/signals'

const key = 'holdfast.theme'
export type Theme = 'system' | 'light' | 'dark'
const isTheme = (text: string | null): text is Theme => text === 'system' || text === 'light' || text === 'dark'

const kept = localStorage.getItem(key)
export const theme = signal<Theme>(isTheme(kept) ? kept : 'system')
/** Goes up when colours change: what draws on a canvas draws again. */
export const colours = signal(0)

effect(() => {
  const wanted = theme.value
  if (wanted === 'system') document.documentElement.removeAttribute('data-theme')
  else document.documentElement.dataset.theme = wanted
  localStorage.setItem(key, wanted)
  colours.value = colours.peek() + 1
})
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => colours.value++)

export function nextTheme(): void {
  theme.value = theme.peek() === 'system' ? 'dark' : theme.peek() === 'dark' ? 'light' : 'system'
}

/** A custom property as it is now: `--accent`. */
export function colour(name: string): string {
  probe.style.color = `var(${name})`
  return getComputedStyle(probe).color
}
const probe = document.createElement('span')
probe.hidden = true
document.documentElement.append(probe)
