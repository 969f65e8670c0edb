/**
 * What an alert is between its being put and its being forgotten, and how a newer word about it is joined with what is known (Alertmanager, types.Alert.Merge and
 * provider/mem): who says nothing of an end is believed for the resolve timeout.
 */
import { HoldfastError } from '../../kernel/errors.ts'
import { fingerprint, type Labels } from '../../kernel/labels.ts'
import type { PutAlert } from '../types.ts'

export interface Alert {
  /** Of its labels. */
  readonly fingerprint: string
  readonly labels: Labels
  readonly annotations: Labels
  /** Times are wall time in milliseconds. */
  readonly startsAt: number
  readonly endsAt: number
  readonly updatedAt: number
  /** Whoever put it said nothing of its end. */
  readonly timesOut: boolean
  readonly generatorUrl: string | undefined
}

export const alertLimits = {
  /** Alerts held at once; more are refused. Ten times what the API must answer quickly with. */
  alertsMax: 100_000,
  /** Labels and annotations of one alert, each. */
  pairsMax: 64,
  /** Characters of the value of a label; a description may be long. */
  valueCharactersMax: 8_192,
  /** Of all its labels and annotations, and the address it comes from: it has to fit into the store, and many of them into memory. */
  charactersMax: 65_536,
  /** Of all alerts held. */
  heldCharactersMax: 128 * 1_048_576,
} as const

/** That a receiver cannot be told; the label `receiver` names it. It is no outage, and that receiver need not hear of it. */
export const failingName = 'NotificationsFailing'

export const isResolved = (alert: Pick<Alert, 'endsAt'>, now: number): boolean => alert.endsAt <= now

const labelName = /^[a-zA-Z_][a-zA-Z0-9_]*$/

/** Throws `invalid_input` for one that no alert can be. */
export function received(put: PutAlert, now: number, resolveTimeoutMs: number): Alert {
  const labels = cleaned(put.labels, 'label')
  const annotations = cleaned(put.annotations, 'annotation')
  if (Object.keys(labels).length === 0) throw invalid('it has no label')
  const startsAt = put.startsAt ?? put.endsAt ?? now
  if (put.endsAt !== undefined && put.endsAt < startsAt) throw invalid('it ends before it begins')
  const { charactersMax } = alertLimits
  if (charactersOf({ labels, annotations, generatorUrl: put.generatorUrl }) > charactersMax)
    throw invalid(`its labels and annotations have more than ${charactersMax} characters`)
  return {
    fingerprint: fingerprint(labels),
    labels,
    annotations,
    startsAt,
    endsAt: put.endsAt ?? now + resolveTimeoutMs,
    updatedAt: now,
    timesOut: put.endsAt === undefined,
    generatorUrl: put.generatorUrl,
  }
}

/** What it takes to hold it, nearly. */
export function charactersOf({ labels, annotations, generatorUrl = '' }: Pick<Alert, 'labels' | 'annotations' | 'generatorUrl'>): number {
  let sum = generatorUrl.length
  for (const pairs of [labels, annotations]) for (const name of Object.keys(pairs)) sum += name.length + (pairs[name]?.length ?? 0)
  return sum
}

const invalid = (why: string): HoldfastError => new HoldfastError('invalid_input', `tried to take an alert: ${why}`)

/** Without what is empty. */
function cleaned(pairs: Labels, what: string): Labels {
  const entries = Object.entries(pairs).filter(([, value]) => value !== '')
  if (entries.length > alertLimits.pairsMax) throw invalid(`it has more than ${alertLimits.pairsMax} ${what}s`)
  for (const [name, value] of entries) {
    if (!labelName.test(name)) throw invalid(`${JSON.stringify(name.slice(0, 100))} is no name of a ${what}`)
    if (value.length > alertLimits.valueCharactersMax)
      throw invalid(`the value of ${name} is longer than ${alertLimits.valueCharactersMax} characters`)
  }
  return Object.fromEntries(entries)
}

/** What is known after `newer` has been heard: joined where the two overlap in time, else the newer alone. */
export function joined(older: Alert | undefined, newer: Alert, now: number): Alert {
  if (older === undefined) return newer
  const overlaps =
    (newer.endsAt > older.startsAt && newer.endsAt < older.endsAt) || (newer.startsAt > older.startsAt && newer.startsAt < older.endsAt)
  return overlaps ? merged(older, newer, now) : newer
}

function merged(a: Alert, b: Alert, now: number): Alert {
  if (b.updatedAt < a.updatedAt) return merged(b, a, now)
  const startsAt = Math.min(a.startsAt, b.startsAt)
  const later = a.endsAt > b.endsAt && (isResolved(b, now) ? isResolved(a, now) : !a.timesOut)
  return { ...b, startsAt, endsAt: later ? a.endsAt : b.endsAt }
}

/** By job, instance, then all labels. */
export const ordered = (alerts: Iterable<Alert>): Alert[] => {
  const keyed = [...alerts].map((alert) => ({ alert, key: sortKey(alert.labels) }))
  return keyed.sort((a, b) => compareKeys(a.key, b.key)).map(({ alert }) => alert)
}

/** Thousands are put into order again and again: what each is ordered by is made once. */
const sortKeys = new WeakMap<Labels, readonly string[]>()

function sortKey(labels: Labels): readonly string[] {
  let key = sortKeys.get(labels)
  if (key === undefined) {
    const names = Object.keys(labels).sort()
    key = [labels.job ?? '', labels.instance ?? '', ...names.flatMap((name) => [name, labels[name] ?? ''])]
    sortKeys.set(labels, key)
  }
  return key
}

function compareKeys(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [x = '', y = ''] = [a[i], b[i]]
    if (x !== y) return x < y ? -1 : 1
  }
  return a.length - b.length
}
