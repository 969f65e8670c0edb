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

/** Runs a machine against the world: one input at a time, one timer, no decision of its own. */
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
    onState?.(state, previous)
    for (const command of step.commands) execute(command, send)
  }

  // A command may answer at once; its input then waits until the current step is done.
  const run = (first: () => Step<State, Command>): void => {
    busy = true
    try {
      take(first())
      for (let input = inbox.shift(); input !== undefined && !disposed; input = inbox.shift()) {
        take(machine.step(state as State, input, clock.now()))
      }
    } finally {
      busy = false
    }
  }

  const send = (input: Input | Wake): void => {
    if (disposed) return
    if (busy) inbox.push(input)
    else run(() => machine.step(state as State, input, clock.now()))
  }

  run(() => machine.start(clock.now()))
  return {
    get state() {
      return state as State
    },
    send,
    [Symbol.dispose]() {
      disposed = true
      timer?.[Symbol.dispose]()
    },
  }
}
