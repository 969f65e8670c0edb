/** Rows of `/proc/net/tcp` and `/proc/net/tcp6` (proc(5)): established connections of this machine. */

export interface Connection {
  readonly localPort: number
  readonly remoteHost: string
  readonly remotePort: number
  /** Of the socket: who has it open has the connection. */
  readonly inode: string
}

const established = '01'

/** `wanted`: whether a connection to this port may be of interest; the others are not read further. */
export function connectionsIn(table: string, wanted: (remotePort: number) => boolean): readonly Connection[] {
  const found: Connection[] = []
  let from = table.indexOf('\n') + 1
  while (from > 0 && from < table.length) {
    const end = table.indexOf('\n', from)
    const line = table.slice(from, end < 0 ? table.length : end)
    from = end + 1
    const row = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]{2}) (?:\S+\s+){5}(\d+)/.exec(line)
    if (row?.[4] !== established || row[5] === '0') continue
    const remotePort = parseInt(row[3]!, 16)
    if (wanted(remotePort)) found.push({ localPort: parseInt(row[1]!, 16), remoteHost: hostOf(row[2]!), remotePort, inode: row[5]! })
  }
  return found
}

/** Four bytes each in the order of the machine, which is little-endian wherever Node runs; IPv4 in IPv6 is IPv4. */
export function hostOf(hex: string): string {
  const bytes = hex.match(/.{8}/g)!.flatMap((word) =>
    word
      .match(/../g)!
      .map((byte) => parseInt(byte, 16))
      .reverse(),
  )
  if (bytes.length === 4) return bytes.join('.')
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255
  if (mapped) return bytes.slice(12).join('.')
  const groups = Array.from({ length: 8 }, (_, index) => ((bytes[2 * index]! << 8) | bytes[2 * index + 1]!).toString(16))
  return groups.every((group, index) => group === (index === 7 ? '1' : '0')) ? '::1' : groups.join(':')
}
