/** The kinds of single values that the configuration knows, each with what is right, in words. */
import { minutes, ms, seconds, type Duration } from '../../kernel/time.ts'
import type { Rate, RateLimitKey } from '../types.ts'
import type { Scalar } from './schema.ts'
import { readDuration, readPercent, readRate, readSize, writeDuration, writePercent, writeRate, writeSize } from './units.ts'
import { either, nearest } from './words.ts'

/** Longer texts are surely a mistake; one value of a process environment may be 128 KiB, which is the largest of all. */
const textMax = 4_096

interface TextFacts {
  readonly max?: number
  readonly expected?: string
  readonly matching?: RegExp
}

/** Any text without control characters; a process could not take a zero byte in any case. */
export function text(name: string, { max = textMax, expected = 'a text', matching = /^\P{Cc}*$/u }: TextFacts = {}): Scalar<string> {
  return {
    kind: 'scalar',
    name,
    expected,
    read: (text) => (text.length <= max && matching.test(text) ? text : undefined),
    write: (value) => value,
    hint: (text) => (text.length > max ? `it may have at most ${max} characters` : undefined),
  }
}

/** A text that says something: trimmed, not empty. */
export function filled(name: string, expected: string, facts: Omit<TextFacts, 'expected'> = {}): Scalar<string> {
  const inner = text(name, { ...facts, expected })
  const read = (text: string): string | undefined => {
    const trimmed = text.trim()
    return trimmed === '' ? undefined : inner.read(trimmed)
  }
  return { ...inner, read }
}

/** Names that go into paths, URLs and metric labels as they are. */
export function nameOf(what: string): Scalar<string> {
  return text('name', { expected: `a ${what} of letters, digits, "-" and "_" (at most 63, a letter or digit first)`, matching: /^[A-Za-z0-9][\w-]{0,62}$/ })
}

/** What an operating system takes as the name of an environment variable. */
export const variableName: Scalar<string> = text('name', {
  expected: 'a variable name of letters, digits, "_", "." and "-" that begins with a letter or "_"',
  matching: /^[A-Za-z_][\w.-]{0,255}$/,
})

/** A user or group as the operating system knows it: its name or its number. */
export function accountName(what: 'user' | 'group'): Scalar<string> {
  const hint = 'to give a group too, write user: { name: …, group: … }'
  return {
    ...text('name or number', { max: 256, expected: `the name or number of a ${what}`, matching: /^[^\s:/,\p{Cc}-][^\s:/,\p{Cc}]*$/u }),
    hint: (text) => (what === 'user' && text.includes(':') ? hint : undefined),
  }
}

export function integer(min: number, max: number, expected = `a whole number from ${min} to ${max}`): Scalar<number> {
  const read = (text: string): number | undefined => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN
    return value >= min && value <= max ? value : undefined
  }
  return { kind: 'scalar', name: `number, ${min} to ${max}`, expected, read, write: (value) => value }
}

export const port: Scalar<number> = { ...integer(1, 65_535, 'a port from 1 to 65535'), name: 'port' }

export const boolean: Scalar<boolean> = {
  kind: 'scalar',
  name: 'boolean',
  expected: 'true or false',
  read: (text) => (text === 'true' ? true : text === 'false' ? false : undefined),
  write: (value) => value,
  hint(text) {
    const plain = text.toLowerCase()
    if (['yes', 'on', 'true', '1'].includes(plain)) return 'write true'
    return ['no', 'off', 'false', '0'].includes(plain) ? 'write false' : undefined
  },
}

export function oneOf<const W extends string>(words: readonly W[]): Scalar<W> {
  return {
    kind: 'scalar',
    name: either(words.map((word) => `\`${word}\``)),
    expected: either(words),
    read: (text) => words.find((word) => word === text),
    write: (value) => value,
    hint(text) {
      const near = nearest(text, words)
      return near === undefined ? undefined : `did you mean "${near}"?`
    },
  }
}

/** A word in place of a value: `auto`, `off`. */
export function orWord<const W extends string, T>(word: W, inner: Scalar<T>): Scalar<T | W> {
  return {
    kind: 'scalar',
    name: `${inner.name} or \`${word}\``,
    expected: `${inner.expected}, or ${word}`,
    read: (text) => (text === word ? word : inner.read(text)),
    write: (value) => (value === word ? word : inner.write(value as T)),
    hint: (text) => inner.hint?.(text),
  }
}

/** Longest of all: a timer of Node holds 24 days. */
export const durationMax: Duration = readDuration('7d') ?? ms(0)

export function duration(min: Duration, max: Duration = durationMax): Scalar<Duration> {
  return {
    kind: 'scalar',
    name: `duration, ${writeDuration(min)} to ${writeDuration(max)}`,
    expected: `a duration from ${writeDuration(min)} to ${writeDuration(max)}, such as 500ms, 10s or 5m`,
    read(text) {
      const value = readDuration(text)
      return value !== undefined && value >= min && value <= max ? value : undefined
    },
    write: writeDuration,
  }
}
/** The usual range of a timeout. */
export const timeout = duration(ms(1), minutes(60))
/** A timeout for which zero means: do not wait. */
export const patience = duration(seconds(0), minutes(60))

export function size(min: number, max: number): Scalar<number> {
  return {
    kind: 'scalar',
    name: `size, ${writeSize(min)} to ${writeSize(max)}`,
    expected: `a size from ${writeSize(min)} to ${writeSize(max)}, such as 64KiB or 16MiB`,
    read(text) {
      const value = readSize(text)
      return value !== undefined && value >= min && value <= max ? value : undefined
    },
    write: writeSize,
    hint(text) {
      const [, number, prefix] = /^(\d+(?:\.\d+)?)\s*([kmg])i?b?$/i.exec(text) ?? []
      return number === undefined || prefix === undefined ? undefined : `did you mean "${number}${prefix.toUpperCase()}iB"?`
    },
  }
}

export const percent: Scalar<number> = {
  kind: 'scalar',
  name: 'percent',
  expected: 'a share from 0% to 100%, such as 20%',
  read: readPercent,
  write: writePercent,
  hint: (text) => (/^\d+(\.\d+)?$/.test(text) ? `write the sign: ${Number(text) > 0 && Number(text) < 1 ? writePercent(Number(text)) : `${text}%`}` : undefined),
}

export const rate: Scalar<Rate> = {
  kind: 'scalar',
  name: 'rate',
  expected: 'a rate such as 100/s or 600/m',
  read: readRate,
  write: writeRate,
}

/** A token: the name of a header or a cookie (RFC 9110 §5.6.2, RFC 6265 §4.1.1). */
const keyed = /^(header|cookie):([!#$%&'*+.^`|~\w-]{1,128})$/

export const rateLimitKey: Scalar<RateLimitKey> = {
  kind: 'scalar',
  name: '`client-ip`, `service`, `header:NAME` or `cookie:NAME`',
  expected: 'client-ip, service, header:NAME or cookie:NAME',
  read(text) {
    if (text === 'client-ip' || text === 'service') return { by: text }
    const [, by, name = ''] = keyed.exec(text) ?? []
    if (by === 'header') return { by, name: name.toLowerCase() }
    return by === 'cookie' ? { by, name } : undefined
  },
  write: (key) => ('name' in key ? `${key.by}:${key.name}` : key.by),
  hint: (text) => (/^(ip|client|address)$/i.test(text) ? 'did you mean "client-ip"?' : undefined),
}
