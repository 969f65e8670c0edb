/** What an heir needs to serve before a control process comes: the last view, and what the proxy calls itself. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { messageOf } from '../../kernel/errors.ts'
import { writeFileAtomic } from '../../kernel/files.ts'
import type { RoutingView } from '../core/routing-view.ts'
import { protocolVersion } from '../messages.ts'
import { viewFile, wantedFile } from '../paths.ts'
import type { CoordinationState } from './coordination.ts'

export interface SavedState extends CoordinationState {
  readonly workers: number
  readonly pseudonym: string
  readonly view: RoutingView | undefined
}

export async function saveState(directory: string, state: SavedState): Promise<void> {
  try {
    await writeFileAtomic(viewFile(directory), JSON.stringify({ ...state, protocol: protocolVersion }), 0o600)
  } catch (error) {
    // A full disk must not stop traffic; only an heir would miss the file, and the control process sends the view again.
    process.stderr.write(`saving the routing view failed: ${messageOf(error)}\n`)
  }
}

/** undefined: there is none that can be used, and why is told on stderr. Then the heir waits for the control process. */
export function loadState(directory: string): SavedState | undefined {
  try {
    const found: unknown = JSON.parse(readFileSync(viewFile(directory), 'utf8'))
    if (isSavedState(found)) return found
    process.stderr.write('the saved routing view is not used: it is ruined, or of another release of holdfast\n')
  } catch (error) {
    process.stderr.write(`reading the routing view of the proxy before failed: ${messageOf(error)}\n`)
  }
  return undefined
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null
const isListOf = (value: unknown, is: (each: unknown) => boolean): boolean => Array.isArray(value) && value.every(is)
const isListOrNone = (value: unknown, is: (each: unknown) => boolean): boolean => value === undefined || isListOf(value, is)

/** A process of the same release has written it whole, or nobody has; so the shape of its parts is theirs. */
function isSavedState(found: unknown): found is SavedState {
  if (!isObject(found) || found.protocol !== protocolVersion) return false
  const { view } = found
  return (
    Number.isInteger(found.workers) &&
    typeof found.pseudonym === 'string' &&
    isListOrNone(found.isolated, (each) => typeof each === 'string') &&
    [found.breakers, found.ejected, found.quarantined].every((each) => isListOrNone(each, isObject)) &&
    (view === undefined ||
      (isObject(view) && Number.isInteger(view.version) && isListOf(view.listeners, isObject) && isListOf(view.services, isObject)))
  )
}

/** The data plane is to run. Whoever is left of it without a primary starts another as long as that holds. */
export function wantProxy(directory: string): void {
  writeFileSync(wantedFile(directory), '', { mode: 0o600 })
}

/** It has been shut down. A full disk does not keep a file from being removed. */
export function removeState(directory: string): void {
  for (const file of [wantedFile(directory), viewFile(directory)]) rmSync(file, { force: true })
}
