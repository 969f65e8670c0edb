/** An engine in virtual time, whose probes do what a script says. */
import type { EventInput, EventSink, EventType } from '../../kernel/events.ts'
import { Prng } from '../../kernel/random.ts'
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts'
import { Checks, type ChecksDeps } from '../checks.ts'
import type { CheckDefinition, Probe, ProbeResult } from '../types.ts'

export interface Told {
  readonly type: EventType
  readonly message: string
  readonly data: Readonly<Record<string, unknown>>
}

export class Recorder implements EventSink {
  readonly told: Told[] = []

  emit<T extends EventType>(type: T, { message, data }: EventInput<T>): string {
    this.told.push({ type, message, data: data as Readonly<Record<string, unknown>> })
    return String(this.told.length)
  }

  /** `database down`, of events of one type. */
  of(type: EventType): string[] {
    return this.told.filter((one) => one.type === type).map(({ data }) => [data.check, data.to ?? data.cause ?? ''].join(' ').trim())
  }
}

export type Behaviour = 'pass' | 'fail' | 'hang' | 'never' | ProbeResult

/** What a probe does now; the test changes it. */
export class Scripted implements Probe {
  now: Behaviour
  runs = 0

  constructor(now: Behaviour = 'pass') {
    this.now = now
  }

  run(signal: AbortSignal): Promise<ProbeResult> {
    this.runs++
    const { now } = this
    if (typeof now === 'object') return Promise.resolve(now)
    if (now === 'pass' || now === 'fail') return Promise.resolve({ outcome: now, message: now })
    return new Promise((_resolve, reject) => {
      if (now === 'hang')
        signal.addEventListener(
          'abort',
          () => {
            reject(new Error('cut'))
          },
          { once: true },
        )
    })
  }
}

export const definition = (name: string, probe: Probe, changes: Partial<CheckDefinition> = {}): CheckDefinition => ({
  name,
  kind: 'tcp',
  target: `${name}:1`,
  address: `${name}:1`,
  intervalMs: 10_000,
  timeoutMs: 2_000,
  alertAfter: 3,
  rise: 2,
  warnAt: undefined,
  criticalAt: undefined,
  falling: false,
  hysteresis: 0.05,
  severity: 'critical',
  service: undefined,
  dependsOn: [],
  identity: name,
  probe: () => probe,
  ...changes,
})

export function engine(deps: Partial<ChecksDeps> = {}): { readonly checks: Checks; readonly clock: VirtualClock; readonly events: Recorder } {
  const clock = new VirtualClock()
  const events = new Recorder()
  const checks = new Checks({ clock, random: new Prng(1), events, canaries: () => [], ...deps })
  return { checks, clock, events }
}
