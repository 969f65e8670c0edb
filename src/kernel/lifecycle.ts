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

/** How long the parts that had started get to stop again after a failed start. */
const failedStartStopTimeout: Duration = seconds(10)

/** Starts parts in order; stops them in reverse; a failed start leaves nothing running. */
export class Lifecycle {
  readonly #components: readonly Component[]
  #running: Component[] = []

  constructor(components: readonly Component[]) {
    this.#components = components
  }

  async start(): Promise<void> {
    for (const component of this.#components) {
      try {
        await component.start()
      } catch (cause) {
        const stopErrors = await this.#stopAll(AbortSignal.timeout(failedStartStopTimeout))
        if (stopErrors.length === 0) throw cause
        throw new AggregateError([cause, ...stopErrors], `${component.name} failed to start, and some parts did not stop cleanly`, { cause })
      }
      this.#running.push(component)
    }
  }

  async stop(deadline: AbortSignal): Promise<void> {
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
