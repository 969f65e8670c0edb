/** The three faces of what is loaded: on its way, failed, there. A failure of a refresh does not take away what is shown. */
import type { ComponentChildren } from 'preact'
import type { Loaded as State } from '../lib/use-load.ts'
import { ErrorState, Loading } from './states.tsx'

export function Loaded<T>({
  of: { data, error, reload },
  height,
  children,
}: {
  of: State<T>
  height: number
  children: (data: T) => ComponentChildren
}) {
  if (data !== undefined) return <>{children(data)}</>
  if (error !== undefined) return <ErrorState error={error} retry={reload} />
  return <Loading height={height} />
}
