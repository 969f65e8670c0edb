/** Says what is wrong with a request: every offending field, what was expected there, and what was found. */
import type { FastifyRequest, FastifySchemaCompiler } from 'fastify'
import { validatorCompiler } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { HoldfastError } from '../kernel/errors.ts'

export interface FieldProblem {
  /** `body.instances`, `query.limit`, `path.name` */
  readonly field: string
  /** `must be a whole number, got "three"` */
  readonly message: string
}

/** Validates with zod. A body that is not there reaches us as null; to a schema it is undefined, so that it can be optional. */
export const compileValidator: FastifySchemaCompiler<z.ZodType> = (route) => {
  const validate = validatorCompiler(route)
  return route.httpPart === 'body' ? (body: unknown) => validate(body ?? undefined) : validate
}

const parts = [
  { schema: 'params', name: 'path' },
  { schema: 'querystring', name: 'query' },
  { schema: 'body', name: 'body' },
] as const

/** Checks all parts of the request again, for the library stops at the first part with a problem. */
export function invalidInput(request: FastifyRequest): HoldfastError {
  const schemas = request.routeOptions.schema ?? {}
  const values = { params: request.params, querystring: request.query, body: request.body ?? undefined }
  const problems = parts.flatMap(({ schema, name }) => {
    const type = schemas[schema]
    return type instanceof z.ZodType ? problemsOf(type, values[schema], name) : []
  })
  return invalidFields(problems)
}

export function invalidFields(problems: readonly FieldProblem[]): HoldfastError {
  const sentence = problems.map(({ field, message }) => `${field} ${message}`).join('; ')
  return new HoldfastError('invalid_input', sentence === '' ? 'the request is not valid' : sentence, { details: { fields: problems } })
}

/** The fields of `invalidFields`: for a record of what was wrong that does not repeat what was sent, which may be a secret in the wrong place. */
export function isInvalidFields(details: unknown): details is { readonly fields: readonly FieldProblem[] } {
  return typeof details === 'object' && details !== null && 'fields' in details && Array.isArray(details.fields)
}

export function problemsOf(type: z.ZodType, value: unknown, name: string): readonly FieldProblem[] {
  const { error } = type.safeParse(value)
  return error ? error.issues.flatMap((issue) => problemsOfIssue(issue, value, name)) : []
}

function problemsOfIssue(issue: z.core.$ZodIssue, root: unknown, name: string): readonly FieldProblem[] {
  const field = [name, ...issue.path.map(String)].join('.')
  const got = `got ${shown(valueAt(root, issue.path))}`
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ field: `${field}.${printable(key)}`, message: 'is not known here' }))
    case 'invalid_union': {
      const closest = issue.errors.toSorted((a, b) => a.length - b.length)[0] ?? []
      if (closest.length === 0) return [{ field, message: `does not fit, ${got}` }]
      return closest.flatMap((inner) => problemsOfIssue({ ...inner, path: [...issue.path, ...inner.path] }, root, name))
    }
    case 'invalid_type':
      return [
        { field, message: valueAt(root, issue.path) === undefined ? 'is missing' : `must be ${typeNames[issue.expected] ?? issue.expected}, ${got}` },
      ]
    case 'invalid_value':
      return [{ field, message: `must be ${issue.values.map((one) => shown(one)).join(' or ')}, ${got}` }]
    case 'too_small':
      return [{ field, message: `must ${measure(issue.origin, 'at least', Number(issue.minimum))}, ${got}` }]
    case 'too_big':
      return [{ field, message: `must ${measure(issue.origin, 'at most', Number(issue.maximum))}, ${got}` }]
    case 'invalid_format':
    case 'not_multiple_of':
    case 'invalid_key':
    case 'invalid_element':
    case 'custom':
      return [{ field, message: `${issue.message}, ${got}` }]
  }
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  array: 'a list',
  record: 'an object',
}

function measure(origin: string, bound: string, limit: number): string {
  if (origin === 'string') return `have ${bound} ${limit} character${limit === 1 ? '' : 's'}`
  return origin === 'array' ? `have ${bound} ${limit} item${limit === 1 ? '' : 's'}` : `be ${bound} ${limit}`
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Record<PropertyKey, unknown>)[key]
  }
  return value
}

/** A value for a sentence: short and on one line. */
function shown(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  return printable(JSON.stringify(value))
}

const printable = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}…` : text).replace(/[^\x20-\x7e…]/g, '?')
