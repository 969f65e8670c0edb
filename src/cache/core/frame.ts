/**
 * What caches tell each other: which keys, tags or everything changed, when (logical time), by whom, and the how-manieth message of that sender it is, so
 * that one that was lost is missed. Those that could not be sent are named: they are said again later, and nobody need miss them.
 *
 *   kind (1) · sender (8) · number (8) · time (8) · how many were not sent (1) · { number (8) }* · { length (2) · name }*
 */
export type FrameKind = 'keys' | 'tags' | 'all' | 'beat'

export interface Frame {
  readonly kind: FrameKind
  /** 16 hex digits. */
  readonly sender: string
  readonly number: number
  /** Of the same sender, and not sent: the last of them. */
  readonly unsent: readonly number[]
  readonly at: number
  readonly names: readonly string[]
}

const kinds: readonly FrameKind[] = ['keys', 'tags', 'all', 'beat']
const headBytes = 26
export const unsentMax = 255

export function encodeFrame({ kind, sender, number, unsent, at, names }: Frame): Buffer {
  const head = Buffer.allocUnsafe(headBytes + 8 * unsent.length)
  head[0] = kinds.indexOf(kind)
  head.write(sender, 1, 'hex')
  head.writeDoubleBE(number, 9)
  head.writeDoubleBE(at, 17)
  head[25] = unsent.length
  unsent.forEach((each, i) => head.writeDoubleBE(each, headBytes + 8 * i))
  const parts = names.flatMap((name) => {
    const bytes = Buffer.from(name)
    const length = Buffer.allocUnsafe(2)
    length.writeUInt16BE(bytes.length)
    return [length, bytes]
  })
  return Buffer.concat([head, ...parts])
}

/** undefined: it is none of ours. */
export function decodeFrame(bytes: Buffer): Frame | undefined {
  const kind = kinds[bytes[0] ?? kinds.length]
  if (kind === undefined || bytes.length < headBytes) return undefined
  const unsent: number[] = []
  const namesAt = headBytes + 8 * (bytes[25] ?? 0)
  if (bytes.length < namesAt) return undefined
  for (let at = headBytes; at < namesAt; at += 8) unsent.push(bytes.readDoubleBE(at))
  const names: string[] = []
  for (let at = namesAt; at < bytes.length;) {
    if (at + 2 > bytes.length) return undefined
    const end = at + 2 + bytes.readUInt16BE(at)
    if (end > bytes.length) return undefined
    names.push(bytes.toString('utf8', at + 2, end))
    at = end
  }
  return { kind, sender: bytes.toString('hex', 1, 9), number: bytes.readDoubleBE(9), unsent, at: bytes.readDoubleBE(17), names }
}
