/** The three faces of what is loaded: on its way, failed, there. A failure of a refresh does not take away what is shown, and is told above it. */
import type { ComponentChildren } from 'preact'
import { sayError } from '../lib/api.ts'
import { moment } from '../lib/format.ts'
import type { Loaded as State } from '../lib/use-load.ts'
import { ErrorState, Loading } from './states.tsx'

export function Loaded<T>({
  of: { data, error, at, reload },
  height,
  children,
}: {
  of: State<T>
  height: number
  children: (data: T) => ComponentChildren
}) {
  if (data !== undefined) {
    return (
      <>
        {error !== undefined && (
          <div class="notice warn break" role="status">
            <span>
              As it was at {moment(at ?? 0)}: {sayError(error)}.{' '}
              <button type="button" class="button tiny" onClick={reload}>
                Ask again
              </button>
            </span>
          </div>
        )}
        {children(data)}
      </>
    )
  }
  if (error !== undefined) return <ErrorState error={error} retry={reload} />
  return <Loading height={height} />
}
