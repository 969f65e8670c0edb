/** Fields that tell browsers to be careful. Source of the values: OWASP Secure Headers Project; `basic` breaks no ordinary page, `strict` may. */
import type { HeaderRules } from './head-edit.ts'

export const securityPresets = ['basic', 'strict'] as const
export type SecurityPreset = (typeof securityPresets)[number]

const basic: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'SAMEORIGIN',
  'referrer-policy': 'strict-origin-when-cross-origin',
}

const presets: Readonly<Record<SecurityPreset, Readonly<Record<string, string>>>> = {
  basic,
  strict: {
    ...basic,
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'content-security-policy': "default-src 'self'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'; object-src 'none'",
    'cross-origin-opener-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=()',
    'strict-transport-security': 'max-age=31536000; includeSubDomains',
  },
}

/** The preset under the rules: a rule that sets or removes a field of the preset wins. */
export function withPreset(preset: SecurityPreset | 'off' | undefined, rules: HeaderRules | undefined): HeaderRules | undefined {
  if (preset === undefined || preset === 'off') return rules
  const removed = new Set(rules?.remove)
  const set = Object.fromEntries(Object.entries(presets[preset]).filter(([name]) => !removed.has(name)))
  return { ...rules, set: { ...set, ...rules?.set }, remove: [...removed].filter((name) => !Object.hasOwn(set, name)) }
}
