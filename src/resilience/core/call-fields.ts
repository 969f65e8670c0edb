/**
 * The fields by which all hops of a tree of calls know of one deadline and of tries that were made above them. Read and written by the
 * library and by the balancer. Pure: wall clock and time left are arguments.
 *
 *   X-Deadline: 1767225600000;remaining=250     X-Retry-Attempt: 1     X-Retry-Spent: 1 (in an answer)
 */

/** Less than this is not worth beginning: the answer would come too late. */
export const deadlineLeastMs = 5
export const attemptMax = 1_000

/** Milliseconds that are left: by the wall clock or as it was counted, whichever is less. Infinity: the field is missing or malformed. */
export function remainingOf(value: string | undefined, wallNow: number): number {
  const [, at, , remaining] = /^(\d{1,15})(;remaining=(\d{1,12}))?$/.exec(value ?? '') ?? []
  return at === undefined ? Infinity : Math.min(Number(at) - wallNow, remaining === undefined ? Infinity : Number(remaining))
}

/** Which try it is; 0, the first, when the field is missing or malformed. */
export function attemptOf(value: string | undefined): number {
  const [, attempt = '0'] = /^(\d{1,4})$/.exec(value ?? '') ?? []
  return Math.min(attemptMax, Number(attempt))
}

/** The value of `X-Deadline` with so much left. */
export function deadlineField(remainingMs: number, wallNow: number): string {
  const left = Math.max(0, Math.floor(remainingMs))
  return `${Math.floor(wallNow) + left};remaining=${left}`
}

const hourMs = 3_600_000
const grpcUnits: Readonly<Record<string, number>> = { H: hourMs, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 }

/** Milliseconds of a `grpc-timeout` (gRPC over HTTP/2, "Timeout"). Infinity: it is missing or malformed. */
export function grpcTimeoutOf(value: string | undefined): number {
  const [, amount, unit = ''] = /^(\d{1,8})([HMSmun])$/.exec(value ?? '') ?? []
  return amount === undefined ? Infinity : Number(amount) * (grpcUnits[unit] ?? Infinity)
}

/** The value of `grpc-timeout` with so much left: eight digits at most, so long times lose their milliseconds. */
export function grpcTimeoutField(remainingMs: number): string {
  const left = Math.max(0, Math.floor(remainingMs))
  if (left < 1e8) return `${left}m`
  return left < 1e11 ? `${Math.floor(left / 1_000)}S` : `${Math.min(99_999_999, Math.floor(left / hourMs))}H`
}
