/** Sentences on a terminal of any width: broken between words, and cut where they would take too many lines. */
import { fit } from './live.ts'

/** At most `linesMax` lines of at most `width` characters; plain text only. What does not fit ends in `…`. */
export function wrap(text: string, width: number, linesMax: number): readonly string[] {
  const room = Math.max(1, width)
  const lines: string[] = []
  let line = ''
  const words = text.split(' ')
  for (const [i, word] of words.entries()) {
    const longer = line === '' ? word : `${line} ${word}`
    if (longer.length <= room || line === '') {
      line = longer
      continue
    }
    if (lines.length === linesMax - 1) return [...lines, fit([line, ...words.slice(i)].join(' '), room)]
    lines.push(fit(line, room))
    line = word
  }
  return [...lines, fit(line, room)]
}

/** The same behind `opening`, the lines after the first one as far to the right. */
export function hang(opening: string, text: string, width: number, linesMax = 3): readonly string[] {
  const indent = ' '.repeat(opening.length)
  return wrap(text, width - opening.length, linesMax).map((line, i) => (i === 0 ? opening : indent) + line)
}
