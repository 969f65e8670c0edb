/** Byte tables for parsing in place. A table look-up costs less than any comparison chain and reads like the grammar it encodes. */

export const CR = 13
export const LF = 10
export const SP = 32
export const HTAB = 9
export const COLON = 58

/** RFC 9110 §5.6.2 `tchar`: the byte in lower case, 0 for everything else. */
export const tokenLower = new Uint8Array(256)
/** RFC 9110 §5.5 field values: 1 for HTAB, SP, VCHAR and obs-text; CR, LF, NUL and the other controls are 0. */
export const fieldValueByte = new Uint8Array(256)
/** What may stand in a request target: visible ASCII without `#`, `"`, `<`, `>`, `\`, `^`, `` ` ``, `{`, `|`, `}` refused only where RFC 3986 and every browser agree. */
export const targetByte = new Uint8Array(256)
/** The value of a hex digit plus one; 0 for everything else. */
export const hexDigit = new Uint8Array(256)
/** Lower case for ASCII letters, itself for all else. */
export const lowerByte = new Uint8Array(256)

for (let i = 0; i < 256; i++) {
  const char = String.fromCharCode(i)
  if (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(char)) tokenLower[i] = char.toLowerCase().charCodeAt(0)
  if (i === HTAB || (i >= 0x20 && i !== 0x7f)) fieldValueByte[i] = 1
  // A fragment never belongs on the wire; `"`, `<`, `>` and `\` are refused by RFC 3986 and are the bytes of most injection attempts.
  if (i > 0x20 && i < 0x7f && !'#"<>\\'.includes(char)) targetByte[i] = 1
  if (/[0-9a-fA-F]/.test(char)) hexDigit[i] = parseInt(char, 16) + 1
  lowerByte[i] = i >= 65 && i <= 90 ? i + 32 : i
}

/** Bytes as a `Buffer`, for constants that are copied into heads. */
export const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

/** Compares bytes with a lower-case word, ignoring ASCII case. */
export function equalsIgnoringCase(buffer: Buffer, start: number, end: number, word: string): boolean {
  if (end - start !== word.length) return false
  for (let i = 0; i < word.length; i++) {
    if (lowerByte[buffer[start + i]!] !== word.charCodeAt(i)) return false
  }
  return true
}

/** The bytes of [start, end) as text, one character per byte. */
export const text = (buffer: Buffer, start: number, end: number): string => buffer.toString('latin1', start, end)

/** Writes a whole number as decimal digits, so many, into [at, at + digits). */
export function fillDigits(target: Buffer, at: number, digits: number, whole: number): void {
  let rest = whole
  for (let i = at + digits - 1; i >= at; i--) {
    const higher = Math.floor(rest / 10)
    target[i] = 48 + rest - higher * 10
    rest = higher
  }
}

/** Copies [start, end) of `source` to `target` at `at`; returns the offset behind. Short runs are cheaper by hand than through the runtime. */
export function copyBytes(source: Buffer, start: number, end: number, target: Buffer, at: number): number {
  if (end - start > 48) {
    source.copy(target, at, start, end)
    return at + end - start
  }
  let to = at
  for (let i = start; i < end; i++) target[to++] = source[i]!
  return to
}
