/** The engine of checks in somebody else's program: it keeps no process alive, begins with the first check and ends when it is told to. */
import type { EventSink, EventType } from '../kernel/events.ts'
import { backgroundClock, newId, systemRandom } from '../kernel/system.ts'
import type { Clock } from '../kernel/time.ts'
import { Checks } from './checks.ts'
import { MachineView } from './machine/machine-view.ts'

/** What happens to a check: `check.changed` and its like. */
export type CheckListener = (type: EventType, check: string, data: Readonly<Record<string, unknown>>) => void

export interface Embedded {
  readonly checks: Checks
  readonly machine: MachineView
  readonly clock: Clock
}

/** `clock`: for tests. */
export function embedChecks(listener: CheckListener, clock: Clock = backgroundClock): Embedded {
  const events: EventSink = {
    emit(type, { data }) {
      const facts = data as Readonly<Record<string, unknown>>
      if (typeof facts.check === 'string') listener(type, facts.check, facts)
      return newId()
    },
  }
  return { checks: new Checks({ clock, random: systemRandom, events, canaries: () => [] }), machine: new MachineView(clock), clock }
}

/** A listener that throws is a fault of the program, which hears of it as of any other; it keeps nobody from hearing, from escalating, from responding. */
export function tell(emit: () => unknown): void {
  try {
    emit()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
