/** The check of what a caller hands in: one sentence for each wrong number, thrown where the policy is made and never later. */
import { HoldfastError } from '../../kernel/errors.ts'

const fail = (policy: string, name: string, value: unknown, expected: string): never => {
  throw new HoldfastError('invalid_option', `${policy}: ${name} must be ${expected}, got ${String(value)}`, {
    hint: `give ${name} as ${expected}`,
    details: { policy, path: name, found: value, expected },
  })
}

/** A whole number from `min` to `max`. */
export function whole(policy: string, name: string, value: number, min: number, max = 2 ** 30): number {
  return Number.isInteger(value) && value >= min && value <= max ? value : fail(policy, name, value, `a whole number from ${min} to ${max}`)
}

/** A length of time in milliseconds, 0 or more and finite. */
export function span(policy: string, name: string, value: number, min = 0): number {
  return Number.isFinite(value) && value >= min ? value : fail(policy, name, value, `a number of milliseconds from ${min}`)
}

/** A share from 0 to 1. */
export function share(policy: string, name: string, value: number): number {
  return value >= 0 && value <= 1 ? value : fail(policy, name, value, 'a share from 0 to 1')
}
