/** An event as one line: when, how grave, what, and the sentence. */
import type { AnyEvent } from '../kernel/events.ts'
import { formatDateTime, toneOfLevel } from './format.ts'
import type { Output } from './output.ts'
import { printable } from './style.ts'

/** `2026-11-21 08:12:03 warning  instance.exited shop-3f2a9c exited with code 1`. */
export function renderEvent(event: AnyEvent, { paint }: Pick<Output, 'paint'>): string {
  const level = paint(toneOfLevel[event.level], event.level.padEnd(8))
  return `${paint('dim', formatDateTime(event.time))} ${level} ${paint('bold', event.type)} ${printable(event.message, false)}`
}
