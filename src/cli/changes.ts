/** Changes of a configuration as text. */
import type { ConfigChange } from '../app/operations.ts'
import { printable } from './style.ts'

export function renderChanges(changes: readonly ConfigChange[]): string {
  return changes.map((change) => `  ${change.path}: ${shown(change.from)} -> ${shown(change.to)}  (${change.effect})`).join('\n')
}

const shownMax = 60

/** null: what JSON leaves of an undefined. */
function shown(value: unknown): string {
  if (value === undefined || value === null) return 'none'
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  const clean = printable(text.replaceAll('\n', ' '), false)
  return clean.length > shownMax ? `${clean.slice(0, shownMax)}…` : clean
}
