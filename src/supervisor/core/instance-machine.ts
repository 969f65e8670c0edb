/**
 * The life of one process, from the order to spawn it to the last of its group.
 *
 *   spawning ─▶ starting ─▶ ready ⇄ unhealthy
 *      │           │          └───┬────┘
 *      │      diagnosing          ▼
 *      │           │          draining ─▶ stopping ─▶ reaping
 *      └───────────┴──────────────┴───────────┴──────────┴───▶ exited      (an exit is handled wherever it happens)
 *
 * The order of a stop never varies: away from the routing, drained, stop signal, time to finish, SIGKILL to the whole
 * group. So no request can meet a process that was told to go. `reaping`: the process itself has ended as ordered, and
 * what it had started gets the rest of the same time.
 */
import { unreachable } from '../../kernel/errors.ts'
import type { Machine, Step, Wake } from '../../kernel/machine.ts'
import { after, seconds, type Duration, type Instant } from '../../kernel/time.ts'
import type { ProcessExit } from './exit.ts'

/** Why it is being stopped. `failed`: because it did not start, which is not our order but its end. */
export interface StopOrder {
  readonly reason: string
  readonly failed: boolean
}

/** It could not even be spawned. `config`: a missing command or folder; `resource`: this machine is out of something. */
export interface SpawnFailure {
  readonly kind: 'config' | 'resource'
  readonly reason: string
}

export type InstanceEnd =
  | { readonly type: 'exit'; readonly exit: ProcessExit; readonly stop: StopOrder | undefined; readonly signalled: boolean }
  | { readonly type: 'spawnFailure'; readonly failure: SpawnFailure }

export type InstanceState =
  | { readonly phase: 'spawning'; readonly stop: StopOrder | undefined }
  | { readonly phase: 'starting'; readonly deadline: Instant }
  /** Not ready in time: what it does instead is being found out. */
  | { readonly phase: 'diagnosing'; readonly deadline: Instant }
  | { readonly phase: 'ready'; readonly since: Instant; readonly admitted: boolean }
  | { readonly phase: 'unhealthy'; readonly since: Instant; readonly readySince: Instant; readonly admitted: boolean; readonly reason: string }
  | { readonly phase: 'draining'; readonly deadline: Instant; readonly readySince: Instant; readonly stop: StopOrder }
  | { readonly phase: 'stopping'; readonly killAt: Instant; readonly readySince: Instant | undefined; readonly stop: StopOrder }
  | {
      readonly phase: 'reaping'
      readonly killAt: Instant
      readonly readySince: Instant | undefined
      readonly stop: StopOrder
      readonly exit: ProcessExit
    }
  | { readonly phase: 'exited'; readonly readySince: Instant | undefined; readonly end: InstanceEnd }

export type InstanceInput =
  | { readonly type: 'spawned' }
  | { readonly type: 'spawnFailed'; readonly failure: SpawnFailure }
  | { readonly type: 'probePassed' }
  /** Every proxy worker routes to it. */
  | { readonly type: 'admitted' }
  | { readonly type: 'diagnosed'; readonly reason: string }
  | { readonly type: 'unhealthy'; readonly reason: string }
  | { readonly type: 'healthy' }
  | { readonly type: 'stop'; readonly reason: string }
  /** No more patience: kill it wherever it stands. */
  | { readonly type: 'kill'; readonly reason: string }
  /** No request is in flight to it, or the deadline for them has passed. */
  | { readonly type: 'drained' }
  | { readonly type: 'exited'; readonly exit: ProcessExit }
  /** The last of its process group has ended. */
  | { readonly type: 'groupGone' }

export type InstanceCommand =
  | { readonly type: 'probe' }
  | { readonly type: 'diagnose' }
  | { readonly type: 'admit' }
  | { readonly type: 'drain'; readonly timeout: Duration }
  | { readonly type: 'signal' }
  /** SIGKILL to the process group. */
  | { readonly type: 'kill' }
  /** Out of the routing at once, whatever is in flight. */
  | { readonly type: 'gone' }
  /** Tell when the process group is empty. */
  | { readonly type: 'awaitGroup' }
  /** Kill whatever still carries its mark, in its group or out of it. */
  | { readonly type: 'reap' }

export interface InstanceTimes {
  readonly start: Duration
  readonly drain: Duration
  readonly stop: Duration
}

/** How long evidence is gathered from an instance that did not start. */
const diagnosisTimeout: Duration = seconds(2)
/** How much later than its own deadline an answer about draining may come before the stop goes on without it. */
const drainGrace: Duration = seconds(5)
/** SIGKILL is repeated: a process in an uninterruptible call may have missed nothing, but a late child may. */
const killInterval: Duration = seconds(5)

type InstanceStep = Step<InstanceState, InstanceCommand>
type Live = Exclude<InstanceState, { phase: 'exited' }>

const to = (state: InstanceState, ...commands: readonly InstanceCommand[]): InstanceStep => ({ state, commands, wakeAt: wakeOf(state) })

/** When a state ends by itself. */
function wakeOf(state: InstanceState): Instant | undefined {
  switch (state.phase) {
    case 'starting':
    case 'diagnosing':
      return state.deadline
    case 'draining':
      return after(state.deadline, drainGrace)
    case 'stopping':
    case 'reaping':
      return state.killAt
    case 'spawning':
    case 'ready':
    case 'unhealthy':
    case 'exited':
      return undefined
    default:
      return unreachable(state)
  }
}

/** Since when it was ready; undefined: it never was. */
export function readySinceOf(state: InstanceState): Instant | undefined {
  switch (state.phase) {
    case 'spawning':
    case 'starting':
    case 'diagnosing':
      return undefined
    case 'ready':
      return state.since
    default:
      return state.readySince
  }
}

const isRouted = (state: InstanceState): boolean => readySinceOf(state) !== undefined

/** `times` is asked at every step, since a changed configuration changes them under way. */
export function instanceMachine(times: () => InstanceTimes): Machine<InstanceState, InstanceInput, InstanceCommand> {
  return {
    start: () => to({ phase: 'spawning', stop: undefined }),
    step(state, input, now) {
      if (state.phase === 'exited') return to(state)
      switch (input.type) {
        case 'exited':
          return exited(state, input.exit, times(), now)
        case 'stop':
          return stop(state, { reason: input.reason, failed: false }, times(), now)
        case 'kill':
          return kill(state, { reason: input.reason, failed: false }, now)
        case 'unhealthy':
          return state.phase === 'ready' ? to({ ...state, phase: 'unhealthy', since: now, readySince: state.since, reason: input.reason }) : to(state)
        case 'healthy':
          return state.phase === 'unhealthy' ? to({ phase: 'ready', since: state.readySince, admitted: state.admitted }) : to(state)
        case 'admitted':
          return state.phase === 'ready' || state.phase === 'unhealthy' ? to({ ...state, admitted: true }) : to(state)
        default:
          return proceed(state, input, times(), now)
      }
    },
  }
}

type Progress = Extract<InstanceInput, { type: 'spawned' | 'spawnFailed' | 'probePassed' | 'diagnosed' | 'drained' | 'groupGone' }> | Wake

/** The steps of a life that goes its way, each of which one phase only knows. */
function proceed(state: Live, input: Progress, times: InstanceTimes, now: Instant): InstanceStep {
  switch (state.phase) {
    case 'spawning':
      if (input.type === 'spawnFailed') {
        return to({ phase: 'exited', readySince: undefined, end: { type: 'spawnFailure', failure: input.failure } })
      }
      if (input.type !== 'spawned') return to(state)
      if (state.stop) return signal(state.stop, undefined, times, now)
      return to({ phase: 'starting', deadline: after(now, times.start) }, { type: 'probe' })
    case 'starting':
      if (input.type === 'probePassed') return to({ phase: 'ready', since: now, admitted: false }, { type: 'admit' })
      if (now < state.deadline) return to(state)
      return to({ phase: 'diagnosing', deadline: after(now, diagnosisTimeout) }, { type: 'diagnose' })
    case 'diagnosing':
      if (input.type === 'diagnosed') return signal({ reason: input.reason, failed: true }, undefined, times, now)
      if (now < state.deadline) return to(state)
      return signal({ reason: 'it did not become ready in time', failed: true }, undefined, times, now)
    case 'draining':
      if (input.type === 'drained') return signal(state.stop, state.readySince, times, now)
      if (now < after(state.deadline, drainGrace)) return to(state)
      // Nobody said that it is drained, and time is up: out of the routing by force, then as usual.
      return preceded({ type: 'gone' }, signal(state.stop, state.readySince, times, now))
    case 'stopping':
      return now >= state.killAt ? to({ ...state, killAt: after(now, killInterval) }, { type: 'kill' }) : to(state)
    case 'reaping':
      if (input.type === 'groupGone') return finish(state)
      return now >= state.killAt ? to({ ...state, killAt: after(now, killInterval) }, { type: 'kill' }) : to(state)
    case 'ready':
    case 'unhealthy':
      return to(state)
    default:
      return unreachable(state)
  }
}

function stop(state: Live, order: StopOrder, times: InstanceTimes, now: Instant): InstanceStep {
  switch (state.phase) {
    case 'spawning':
      return to({ ...state, stop: order })
    case 'starting':
    case 'diagnosing':
      return signal(order, undefined, times, now)
    case 'ready':
    case 'unhealthy': {
      const readySince = state.phase === 'ready' ? state.since : state.readySince
      const draining = { phase: 'draining', deadline: after(now, times.drain), readySince, stop: order } as const
      return to(draining, { type: 'drain', timeout: times.drain })
    }
    case 'draining':
    case 'stopping':
    case 'reaping':
      return to(state)
    default:
      return unreachable(state)
  }
}

const signal = (order: StopOrder, readySince: Instant | undefined, times: InstanceTimes, now: Instant): InstanceStep =>
  to({ phase: 'stopping', killAt: after(now, times.stop), readySince, stop: order }, { type: 'signal' })

const preceded = (first: InstanceCommand, step: InstanceStep): InstanceStep => ({ ...step, commands: [first, ...step.commands] })

function kill(state: Live, order: StopOrder, now: Instant): InstanceStep {
  if (state.phase === 'spawning') return to({ ...state, stop: order })
  if (state.phase === 'reaping') return to({ ...state, killAt: after(now, killInterval) }, { type: 'kill' })
  const stop = 'stop' in state ? state.stop : order
  const away: InstanceCommand[] = isRouted(state) ? [{ type: 'gone' }] : []
  return to({ phase: 'stopping', killAt: after(now, killInterval), readySince: readySinceOf(state), stop }, ...away, { type: 'kill' })
}

/** An ordered end waits for what the process had started; any other end takes the rest along at once. */
function exited(state: Live, exit: ProcessExit, times: InstanceTimes, now: Instant): InstanceStep {
  if (state.phase === 'reaping') return to(state)
  const away: InstanceCommand[] = isRouted(state) ? [{ type: 'gone' }] : []
  const readySince = readySinceOf(state)
  if (state.phase === 'stopping' && exit.group) {
    const killAt = Math.min(state.killAt, after(now, times.stop)) as Instant
    return to({ phase: 'reaping', killAt, readySince, stop: state.stop, exit }, ...away, { type: 'awaitGroup' })
  }
  const stop = 'stop' in state ? state.stop : undefined
  const end: InstanceEnd = { type: 'exit', exit, stop, signalled: state.phase === 'stopping' }
  return to({ phase: 'exited', readySince, end }, ...away, ...(exit.group ? [{ type: 'kill' } as const] : []), { type: 'reap' })
}

function finish({ readySince, stop, exit }: Extract<InstanceState, { phase: 'reaping' }>): InstanceStep {
  return to({ phase: 'exited', readySince, end: { type: 'exit', exit, stop, signalled: true } }, { type: 'reap' })
}
