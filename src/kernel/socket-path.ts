/** Where the Unix sockets of a data directory are. Everybody who knows the directory finds them. */
import { createHash } from 'node:crypto'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

/** `sun_path` holds 108 bytes with its final zero on Linux, 104 on macOS. */
const socketPathBytesMax = 103

/** The Unix socket called `name`: in the data directory, or, when that path is too long for a socket, in a folder of the system's for temporary files. */
export function socketPath(directory: string, name: string): string {
  const path = join(directory, 'run', `${name}.sock`)
  if (Buffer.byteLength(path) <= socketPathBytesMax) return path
  const hash = createHash('sha256').update(directory).digest('hex').slice(0, 16)
  return join(tmpdir(), `holdfast-${userInfo().uid}-${hash}-${name}.sock`)
}
