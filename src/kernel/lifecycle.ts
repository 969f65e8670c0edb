import { HoldfastError } from './errors.ts'
import { seconds, type Duration } from './time.ts'

/** A part with a life. Constructors only store what they are given; all effects begin in `start`. */
export interface Component {
  readonly name: string
  /** Resolves once the part can do its job. Rejects if it cannot; it then needs no `stop`. */
  start(): Promise<void>
  /** Finishes what it began, until `deadline` aborts; then gives up at once. Safe to call twice. */
  stop(deadline: AbortSignal): Promise<void>
}

/** Resolves when the signal aborts; at once when it has. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    signal.addEventListener(
      'abort',
      () => {
        resolve()
      },
      { once: true },
    )
  })
}

/** How long the parts that had started get to stop again after a failed start. */
const failedStartStopTimeout: Duration = seconds(10)

/** Starts parts in order; stops them in reverse; a failed start, or one that a stop interrupts, leaves nothing running. */
export class Lifecycle {
  readonly #components: readonly Component[]
  #running: Component[] = []
  /** How often a stop was asked for. */
  #stops = 0

  constructor(components: readonly Component[]) {
    this.#components = components
  }

  /** Rejects with what the failing part threw, or with `stopped` when `stop` was called meanwhile. */
  async start(): Promise<void> {
    const stopsBefore = this.#stops
    for (const component of this.#components) {
      try {
        await component.start()
        this.#running.push(component)
        if (this.#stops !== stopsBefore) throw new HoldfastError('stopped', `stopped while ${component.name} was starting`)
      } catch (cause) {
        const stopErrors = await this.#stopAll(AbortSignal.timeout(failedStartStopTimeout))
        if (stopErrors.length === 0) throw cause
        throw new AggregateError([cause, ...stopErrors], `${component.name} failed to start, and some parts did not stop cleanly`, { cause })
      }
    }
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.#stops++
    const errors = await this.#stopAll(deadline)
    if (errors.length) throw new AggregateError(errors, 'some parts did not stop cleanly')
  }

  async #stopAll(deadline: AbortSignal): Promise<Error[]> {
    const errors: Error[] = []
    const running = this.#running.toReversed()
    this.#running = []
    for (const component of running) {
      try {
        await component.stop(deadline)
      } catch (cause) {
        errors.push(new HoldfastError('stop_failed', `${component.name} failed to stop`, { cause }))
      }
    }
    return errors
  }
}
