/** Words for people: quoting what was found, listing what is known, and the nearest known word to a misspelt one. */

const quotedMax = 60
/** Longer words are not misspellings of ours; comparing them would only cost time. */
const comparedMax = 64

/** What stands in place of a secret. */
export const starred = '***'

/** `postgres://app:hunter2@db` → `postgres://app:***@db`, wherever it stands in the text. */
export function withoutPasswords(text: string): string {
  return text.replace(/(:\/\/[^\s/:@]{0,256}:)[^\s/@]{1,1024}@/g, `$1${starred}@`)
}

/** As a JSON string without passwords, cut to a readable length: nothing in it can break a line or steer a terminal. */
export function quote(text: string): string {
  const open = withoutPasswords(text)
  const short = open.length > quotedMax ? `${open.slice(0, quotedMax)}…` : open
  return JSON.stringify(short).replace(/\p{Cc}|\p{Bidi_Control}/gu, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** One line without anything that could steer a terminal or turn the direction of the text. */
export function plainLine(text: string, lengthMax = 200): string {
  return text.slice(0, lengthMax).replace(/\p{Cc}|\p{Bidi_Control}/gu, ' ')
}

/** `a`, `a or b`, `a, b or c`. */
export function either(words: readonly string[], last = 'or'): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1) ?? ''}`
}

/**
 * The known word that was probably meant; undefined when none is near. One wrong, missing, extra or swapped letter per
 * three is forgiven, case, dashes and underscores are not counted, and a word may be the beginning or end of another.
 */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (word.length > comparedMax) return undefined
  const plain = (text: string): string => text.toLowerCase().replace(/[-_ ]/g, '')
  const wanted = plain(word)
  if (wanted === '') return undefined
  const exact = known.find((candidate) => plain(candidate) === wanted)
  if (exact !== undefined) return exact
  const [best] = known
    .map((candidate) => ({ candidate, distance: distance(wanted, plain(candidate)) }))
    .filter(({ candidate, distance }) => distance <= Math.floor(Math.max(wanted.length, plain(candidate).length) / 3))
    .sort((a, b) => a.distance - b.distance)
  return best?.candidate ?? known.find((candidate) => shares(wanted, plain(candidate)))
}

/** One begins or ends with the other: `healthcheck` and `health`, `TERM` and `SIGTERM`. */
function shares(a: string, b: string): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a]
  return short.length >= 3 && (long.startsWith(short) || long.endsWith(short))
}

/** Edits between two words: insert, delete, replace, swap neighbours (optimal string alignment). */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    rows.push(row)
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let edits = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) edits = Math.min(edits, at(i - 2, j - 2) + 1)
      row.push(edits)
    }
  }
  return at(a.length, b.length)
}
