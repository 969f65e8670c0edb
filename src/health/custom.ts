/** Checks that are functions of a program. */
import type { CheckDefinition, CheckSeverity, Probe, ProbeResult, Threshold } from './types.ts'

/**
 * Looks once. What it throws, `false`, and `{ healthy: false }` are failures; a number is what it measured; anything else passes. It should end when `signal` aborts;
 * nobody waits for it after that.
 */
export type CheckFunction = (signal: AbortSignal) => unknown

export interface CustomCheck {
  readonly checkFunction: CheckFunction
  /** Milliseconds from one to the next. Default 30,000. */
  readonly interval?: number | undefined
  /** Milliseconds for one attempt. Default 5,000. */
  readonly timeout?: number | undefined
  /** Further attempts before a run counts as failed. Default 0. */
  readonly retries?: number | undefined
  /** Failed runs in a row until it is down. Default 3. */
  readonly alertThreshold?: number | undefined
  /** Of the alert. Default `critical`. */
  readonly level?: CheckSeverity | undefined
  /** Of the number that it returns. */
  readonly warnAt?: number | undefined
  readonly criticalAt?: number | undefined
  /** Names of checks and services without which it cannot pass. */
  readonly dependencies?: readonly string[] | undefined
}

/** Between two attempts of one run. */
const retryWaitMs = 100

export function customDefinition(name: string, check: CustomCheck, wait: (ms: number) => Promise<void>): CheckDefinition {
  const {
    checkFunction,
    interval = 30_000,
    timeout = 5_000,
    retries = 0,
    alertThreshold = 3,
    level = 'critical',
    warnAt,
    criticalAt,
    dependencies = [],
  } = check
  const attempts = 1 + retries
  const bound = (value: number | undefined): Threshold | undefined => (value === undefined ? undefined : { value, unit: 'count' })
  return {
    name,
    kind: 'custom',
    target: checkFunction.name === '' ? 'a function' : `${checkFunction.name}()`,
    address: undefined,
    intervalMs: interval,
    timeoutMs: attempts * timeout + retries * retryWaitMs,
    alertAfter: alertThreshold,
    rise: 1,
    warnAt: bound(warnAt),
    criticalAt: bound(criticalAt),
    falling: false,
    hysteresis: 0.05,
    severity: level,
    service: undefined,
    dependsOn: dependencies,
    identity: name,
    probe: () => functionProbe(checkFunction, attempts, timeout, wait),
  }
}

function functionProbe(look: CheckFunction, attempts: number, timeout: number, wait: (ms: number) => Promise<void>): Probe {
  const once = async (signal: AbortSignal): Promise<ProbeResult> => resultOf(await look(signal))
  return {
    async run(signal) {
      for (let left = attempts - 1; ; left--) {
        try {
          const result = attempts === 1 ? await once(signal) : await inTime(once, timeout, signal, wait)
          if (result.outcome === 'pass' || left === 0) return result
        } catch (error) {
          if (left === 0) throw error
        }
        signal.throwIfAborted()
        await wait(retryWaitMs)
      }
    },
  }
}

/** One attempt of several: the others have their time, too. */
async function inTime(
  once: (signal: AbortSignal) => Promise<ProbeResult>,
  timeout: number,
  signal: AbortSignal,
  wait: (ms: number) => Promise<void>,
): Promise<ProbeResult> {
  const own = new AbortController()
  const late = wait(timeout).then(() => {
    const error = new Error(`no answer within ${timeout} ms`)
    own.abort(error)
    throw error
  })
  late.catch(() => undefined)
  return Promise.race([once(AbortSignal.any([signal, own.signal])), late])
}

function resultOf(returned: unknown): ProbeResult {
  if (returned === false) return { outcome: 'fail', message: 'it returned false' }
  if (Number.isNaN(returned)) return { outcome: 'fail', message: 'it returned NaN, which is no number' }
  if (typeof returned === 'number') return { outcome: 'pass', message: `it measured ${returned}`, value: returned, unit: 'count' }
  if (typeof returned !== 'object' || returned === null) return { outcome: 'pass', message: typeof returned === 'string' ? returned : 'passed' }
  const { healthy, status, message, value } = returned as Readonly<Record<string, unknown>>
  const failed = healthy === false || status === 'unhealthy' || status === 'critical' || status === 'down'
  return {
    outcome: failed ? 'fail' : 'pass',
    message: typeof message === 'string' ? message : failed ? 'it says that it is not healthy' : 'passed',
    ...(typeof value === 'number' && { value, unit: 'count' as const }),
  }
}
