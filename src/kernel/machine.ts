import { after, ms, type Clock, type Instant } from './time.ts'

/**
 * A decision process without I/O. Given where it stands and what just happened, it says where it
 * stands now, what the caller should do, and when to be woken if nothing happens before.
 */
export interface Machine<State, Input, Command> {
  start(now: Instant): Step<State, Command>
  step(state: State, input: Input | Wake, now: Instant): Step<State, Command>
}

export interface Step<State, Command> {
  readonly state: State
  readonly commands: readonly Command[]
  readonly wakeAt?: Instant | undefined
}

/** The input every machine knows: the time it asked for has come. */
export interface Wake {
  readonly type: 'wake'
}

export interface DriveOptions<State, Input, Command> {
  readonly clock: Clock
  /** Carries one command out. What comes of it returns through `send`, now or later. */
  readonly execute: (command: Command, send: (input: Input) => void) => void
  readonly onState?: (state: State, previous: State | undefined) => void
}

export interface Drive<State, Input> extends Disposable {
  readonly state: State
  send(input: Input): void
}

/**
 * Runs a machine against the world: one input at a time, one timer, no decision of its own.
 * What a step, a command or `onState` throws is thrown on by the `send` (or `drive`) that set it off, once all that waits is done.
 */
export function drive<State, Input, Command>(
  machine: Machine<State, Input, Command>,
  { clock, execute, onState }: DriveOptions<State, Input, Command>,
): Drive<State, Input> {
  const inbox: (Input | Wake)[] = []
  let state: State | undefined
  let timer: Disposable | undefined
  let busy = false
  let disposed = false

  const take = (step: Step<State, Command>): void => {
    timer?.[Symbol.dispose]()
    timer =
      step.wakeAt === undefined
        ? undefined
        : clock.schedule(after(step.wakeAt, ms(0)), () => {
            send({ type: 'wake' })
          })
    const previous = state
    state = step.state
    attempt(() => onState?.(step.state, previous))
    for (const command of step.commands) if (!disposed) attempt(() => execute(command, send))
  }

  // A command that fails must not keep the others, which the state takes for ordered, from being carried out.
  let errors: unknown[] = []
  const attempt = (work: () => void): void => {
    try {
      work()
    } catch (error) {
      errors.push(error)
    }
  }

  // A command may answer at once; its input then waits until the current step is done.
  const run = (first: () => Step<State, Command>): void => {
    busy = true
    attempt(() => take(first()))
    for (let input = inbox.shift(); input !== undefined && !disposed; input = inbox.shift()) {
      const current = input
      attempt(() => take(machine.step(state as State, current, clock.now())))
    }
    busy = false
    const thrown = errors
    errors = []
    if (thrown.length === 1) throw thrown[0]
    if (thrown.length > 1) throw new AggregateError(thrown, 'several steps or commands failed')
  }

  const send = (input: Input | Wake): void => {
    if (disposed) return
    if (busy) inbox.push(input)
    else run(() => machine.step(state as State, input, clock.now()))
  }

  const dispose = (): void => {
    disposed = true
    timer?.[Symbol.dispose]()
  }

  try {
    run(() => machine.start(clock.now()))
  } catch (error) {
    // The caller gets nothing that it could dispose.
    dispose()
    throw error
  }
  return {
    get state() {
      return state as State
    },
    send,
    [Symbol.dispose]: dispose,
  }
}
