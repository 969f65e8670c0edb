/**
 * What a client is told, in its own protocol, when no endpoint can take it. It is the answer to what the client has sent
 * first, so nothing is said to one who has sent nothing. Others see their connection reset.
 */
import type { TcpKind } from '../../config/types.ts'

/** undefined: there is no way to say it. */
export function farewell(kind: TcpKind, why: string): Buffer | undefined {
  switch (kind) {
    case 'plain':
      return undefined
    case 'postgres':
      return postgresError(why)
    case 'redis':
      return Buffer.from(`-MASTERDOWN holdfast: ${why}\r\n`)
  }
}

/** ErrorResponse, 57P03 cannot_connect_now. Source: PostgreSQL docs, "Message Formats" and "PostgreSQL Error Codes". */
function postgresError(why: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C57P03\0Mholdfast: ${why}\0\0`)
  const head = Buffer.alloc(5)
  head.write('E', 'latin1')
  head.writeInt32BE(fields.length + 4, 1)
  return Buffer.concat([head, fields])
}
