/**
 * Whether the process behind a connection that broke goes on: then nothing is to be waited for. It must run, as the kernel says, and take connections,
 * for the process that we started may be a shell or `npm`, and outlive by a moment the one that served. In doubt it does not live.
 */
import { connect } from 'node:net'
import { surelyLives } from '../../kernel/process-identity.ts'
import type { EndpointView } from '../core/routing-view.ts'
import { crashNewsMs } from './limits.ts'

/** Calls back once, with true, when it does; else never, or with false. */
export type LookAt = (view: EndpointView, answer: (lives: boolean) => void) => void

export const lookAt: LookAt = ({ process: identity, host, port }, answer) => {
  const runs = (): boolean => identity !== undefined && surelyLives(identity.pid, identity.startTicks)
  if (!runs()) {
    answer(false)
    return
  }
  const socket = connect({ host, port, timeout: crashNewsMs })
  const say = (lives: boolean): void => {
    socket.removeAllListeners()
    // What else happens to it is nobody's concern.
    socket.on('error', () => undefined).destroy()
    answer(lives)
  }
  // Connections that the kernel took for a process that has just ended are not its own.
  socket.once('connect', () => {
    say(runs())
  })
  for (const event of ['error', 'timeout'] as const)
    socket.once(event, () => {
      say(false)
    })
}
