/** Asks again when an event says that what is shown may have changed: an alert that fires is there at once, not at the next look. */
import { useEffect } from 'preact/hooks'
import { newEvents } from './live.ts'

export function useNews(prefixes: readonly string[], reload: () => void): void {
  useEffect(
    () =>
      newEvents.subscribe((events) => {
        if (events.some(({ type }) => prefixes.some((prefix) => type.startsWith(prefix)))) reload()
      }),
    [prefixes.join(), reload],
  )
}
