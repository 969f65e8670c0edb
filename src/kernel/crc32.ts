/** CRC-32 of ISO 3309, that of zlib and PNG: tells bytes that were damaged, or text that was mistyped, from what was written. */

/** What a byte makes of the remainder, worked out once. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  return crc >>> 0
})

/** Of the first `length` bytes. */
export function crc32(bytes: ArrayLike<number>, length: number = bytes.length): number {
  let crc = 0xffffffff
  for (let i = 0; i < length; i++) crc = (crc >>> 8) ^ (table[(crc ^ (bytes[i] ?? 0)) & 255] ?? 0)
  return (crc ^ 0xffffffff) >>> 0
}
