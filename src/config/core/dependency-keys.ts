/** The declaration of what needs what, `health.dependencies`: `shop: [auth, db-a|db-b, cache?]`. */
import type { NeedConfig } from '../types.ts'
import type { Report } from './checks.ts'
import { nameOf } from './scalars.ts'
import { key, list, map, type Draft, type Scalar, type Value } from './schema.ts'
import { either, nearest, quote } from './words.ts'

const alternativesMax = 32

/** `auth`; `db-a|db-b`: one of them is enough; `cache?`: it can do without. */
const need: Scalar<NeedConfig> = {
  kind: 'scalar',
  name: 'need',
  expected: 'the name of a service or check, several of which one is enough such as db-a|db-b, or with a "?" at its end when it can do without',
  read(text) {
    const hard = !text.endsWith('?')
    const anyOf = (hard ? text : text.slice(0, -1)).split('|').map((name) => name.trim())
    const valid = anyOf.length <= alternativesMax && anyOf.every((name) => nameOf('service').read(name) !== undefined)
    return valid ? { anyOf, hard } : undefined
  },
  write: ({ anyOf, hard }) => `${anyOf.join('|')}${hard ? '' : '?'}`,
}

const dependencies = map('need', nameOf('service or check'), list(need))

export const dependencyKeys = {
  dependencies: key(dependencies, {
    doc: 'What a service or check needs, in place of what is learned: `shop: [auth, db-a|db-b, cache?]` is auth, one of two databases, and a cache that it can do without.',
    default: {},
  }),
} as const

export function checkDependencyNames(needs: Draft<Value<typeof dependencies>>, known: readonly string[], report: Report): void {
  for (const [name, list = []] of Object.entries(needs ?? {})) {
    const path = `health.dependencies.${name}`
    if (!known.includes(name)) unknown(path, name, known, report, true)
    list.forEach((one, index) => {
      const names = (one as NeedConfig | undefined)?.anyOf ?? []
      for (const each of names) {
        if (each === name) report.problem(`${path}[${index}]`, { message: `${name} cannot need itself` })
        else if (!known.includes(each)) unknown(`${path}[${index}]`, each, known, report, false)
      }
    })
  }
}

function unknown(path: string, name: string, known: readonly string[], report: Report, atKey: boolean): void {
  const near = nearest(name, known)
  const listed = known.length === 0 ? 'there is none at all' : `known: ${either(known.slice(0, 8), 'and')}`
  const complaint = { message: `there is no service or check ${quote(name)}`, hint: near === undefined ? listed : `did you mean "${near}"?` }
  if (atKey) report.keyProblem(path, complaint)
  else report.problem(path, complaint)
}
