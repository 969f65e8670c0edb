/** What stands where there is nothing to show: nothing there, something wrong, not yet. */
import type { ComponentChildren } from 'preact'
import { hintOf, sayError } from '../lib/api.ts'

export const EmptyState = ({ title, children }: { title: string; children?: ComponentChildren }) => (
  <div class="state">
    <strong>{title}</strong>
    {children !== undefined && <p>{children}</p>}
  </div>
)

export const ErrorState = ({ error, retry }: { error: unknown; retry?: (() => void) | undefined }) => (
  <div class="state error" role="alert">
    <strong>{sayError(error)}</strong>
    {hintOf(error) !== undefined && <p>{hintOf(error)}</p>}
    {retry && (
      <button type="button" class="button" onClick={retry}>
        Try again
      </button>
    )}
  </div>
)

/** Of the height that what comes will have, so that nothing jumps. */
export const Loading = ({ height }: { height: number }) => (
  <div class="skeleton" style={{ height: `${height}px` }} role="status" aria-label="Loading" />
)
