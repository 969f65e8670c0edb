/** What an heir needs to serve before a control process comes: the last view, and what the proxy calls itself. */
import { readFileSync, rmSync } from 'node:fs'
import { messageOf } from '../../kernel/errors.ts'
import { writeFileAtomic } from '../../kernel/files.ts'
import type { RoutingView } from '../core/routing-view.ts'
import { viewFile } from '../paths.ts'
import type { CoordinationState } from './coordination.ts'

export interface SavedState extends CoordinationState {
  readonly workers: number
  readonly pseudonym: string
  readonly view: RoutingView | undefined
}

export async function saveState(directory: string, state: SavedState): Promise<void> {
  try {
    await writeFileAtomic(viewFile(directory), JSON.stringify(state), 0o600)
  } catch (error) {
    // A full disk must not stop traffic; only an heir would miss the file, and the control process sends the view again.
    process.stderr.write(`saving the routing view failed: ${messageOf(error)}\n`)
  }
}

export function loadState(directory: string): SavedState | undefined {
  try {
    return JSON.parse(readFileSync(viewFile(directory), 'utf8')) as SavedState
  } catch (error) {
    process.stderr.write(`reading the routing view of the proxy before failed: ${messageOf(error)}\n`)
    return undefined
  }
}

export function removeState(directory: string): void {
  rmSync(viewFile(directory), { force: true })
}
