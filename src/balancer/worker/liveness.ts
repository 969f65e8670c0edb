/**
 * Whether the process behind a connection that broke goes on: then nothing is to be waited for. It must run, as the kernel says, and take connections,
 * for the process that we started may be a shell or `npm`, and outlive by a moment the one that served.
 */
import { connect } from 'node:net'
import { stateOf } from '../../kernel/process-identity.ts'
import type { EndpointView } from '../core/routing-view.ts'
import { crashNewsMs } from './limits.ts'

/** `ends`: it has ended, or is about to; undefined: it cannot be told. */
export type Liveness = 'lives' | 'ends' | undefined

/** Calls back once. */
export type LookAt = (view: EndpointView, answer: (found: Liveness) => void) => void

export const lookAt: LookAt = ({ process: identity, host, port }, answer) => {
  const state = (): 'runs' | 'ends' | undefined => identity && stateOf(identity.pid, identity.startTicks)
  const before = state()
  if (before !== 'runs') {
    answer(before)
    return
  }
  const socket = connect({ host, port, timeout: crashNewsMs })
  const say = (connected: boolean): void => {
    socket.removeAllListeners()
    // What else happens to it is nobody's concern.
    socket.on('error', () => undefined).destroy()
    // Connections that the kernel took for a process that has just ended are not its own.
    const after = state()
    answer(after === 'runs' ? (connected ? 'lives' : undefined) : after)
  }
  socket.once('connect', () => {
    say(true)
  })
  for (const event of ['error', 'timeout'] as const)
    socket.once(event, () => {
      say(false)
    })
}
