/**
 * May this request be sent again? One pure rule for every way an attempt can fail (RFC 9110 §9.2.2; the table in
 * `docs/balancer.md`). What provably never reached a process may always go elsewhere; what may have run goes again
 * only if it is idempotent; and one death of one endpoint is one event, however many requests it catches, so those are
 * not held back by the retry budget, while a steady trickle of failures is.
 */

export type Failure =
  /** Refused, unreachable, timed out before it was established: nothing was sent. */
  | { readonly kind: 'notConnected' }
  /** The first write failed at once, or it left after the process had exited: nothing was received. */
  | { readonly kind: 'notReceived' }
  /** A reused connection closed without a byte of answer: usually the idle race, possibly a death. */
  | { readonly kind: 'staleConnection' }
  /** A connection broke after the request was sent and before the answer began. */
  | { readonly kind: 'died' }
  /** No answer in time. */
  | { readonly kind: 'timedOut' }

/** What is known of a request whose connection broke, and of the process behind it. */
/** The code of a connection on which came what HTTP has no place for. (EPROTO is what Node.js says of TLS.) */
export const notHttp = 'EBADMSG'

export interface BrokenConnection {
  readonly sentAt: number
  /** When the process exited, as its parent saw it; Infinity: it lives, as far as is known. */
  readonly exitedAt: number
  /** It was ended by SIGKILL: it closed no socket itself, the kernel closed them all. */
  readonly killed: boolean
  /** The connection ended with a reset, not with an orderly close. */
  readonly reset: boolean
  /** All of the request left in one write of at most `oneReadBytesMax` bytes. */
  readonly oneRead: boolean
  /** Bytes of an answer had come. */
  readonly answerBegun: boolean
}

/**
 * A request of at most this many bytes travels in one segment on any network, and a server gets it with its first read:
 * the smallest first read in wide use is nginx's, of 1 KiB. Had it read a part, "unread bytes" would say nothing.
 */
export const oneReadBytesMax = 1_024

/**
 * Whether the request provably never got into the process, so that it may be sent again whatever its method. Either it
 * left after the process had exited. Or the process was killed and its kernel reset the connection: a kernel does that
 * for a socket that still holds unread bytes, and closes in good order one that holds none (RFC 1122 §4.2.2.13,
 * RFC 2525 §2.17); and of a request that comes with one read, bytes unread are all of it unread.
 */
export function neverRead(broken: BrokenConnection): boolean {
  if (broken.answerBegun) return false
  return broken.sentAt > broken.exitedAt || (broken.killed && broken.reset && broken.oneRead)
}

/** How the supervisor ends the reason of an exit after which other processes of the instance live on. */
export const childrenLeft = ', children left'

/** How the supervisor names the exit of a process that was ended by SIGKILL. */
export const killedReason = 'exit signal=SIGKILL'

export interface Attempted {
  readonly idempotent: boolean
  /** Every body byte that was sent is still at hand. */
  readonly replayable: boolean
  /** Times it has been sent again because an endpoint died with it. */
  readonly resent: number
  /** `retries.attempts` of the service. */
  readonly attemptsMax: number
  /** It was on its way when the endpoint's run of failures began. */
  readonly caughtInDeath: boolean
  /** `retries.on` of the service names `timeout`. */
  readonly onTimeout?: boolean
  /** Free places in the retry budget. */
  readonly budgetFree: boolean
}

/** A request that two endpoints died with is not tried on a third: it may be what kills them. */
export const rescuesMax = 2

export const mayResend = (failure: Failure, attempted: Attempted): boolean => resendRefusal(failure, attempted) === undefined

/** Why it may not be sent again, to complete "not tried again: "; undefined: it may. */
export function resendRefusal(failure: Failure, attempted: Attempted): string | undefined {
  const { idempotent, replayable, resent, attemptsMax, caughtInDeath, budgetFree } = attempted
  if (!replayable) return notAtHand
  switch (failure.kind) {
    case 'notConnected':
      return undefined
    case 'notReceived':
      // An endpoint that takes connections and drops them at once would otherwise be asked without end.
      return resent < rescuesMax ? undefined : sentOften
    case 'staleConnection':
    case 'died':
      if (attemptsMax === 0) return noRetries
      if (!idempotent) return mayHaveRun
      if (caughtInDeath) return resent < Math.max(rescuesMax, attemptsMax) ? undefined : sentOften
      return resent >= attemptsMax ? sentOften : budgetFree ? undefined : budgetSpent
    case 'timedOut':
      // What did not answer in time may run still: only where somebody has asked for it.
      if (attempted.onTimeout !== true) return 'retries.on does not name timeout'
      if (!idempotent) return mayHaveRun
      return resent >= attemptsMax ? sentOften : budgetFree ? undefined : budgetSpent
  }
}

export const notAtHand = 'its body is no longer at hand'
export const sentOften = 'it has been sent again as often as it may'
export const mayHaveRun = 'it may have run, and may not run twice'
export const budgetSpent = 'the retry budget is spent'
export const noRetries = 'retries are off, or left to its caller'

/** Retries under way at once are at most this share of the requests in flight, and never fewer than three (Envoy's retry budget). */
export function budgetFree(retrying: number, active: number, share: number): boolean {
  return retrying < Math.max(3, share * active)
}
