/** Where the data plane of a data directory lives. */
import { createHash } from 'node:crypto'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** `sun_path` holds 108 bytes with its final zero on Linux, 104 on macOS. */
const socketPathBytesMax = 103

/** The Unix socket called `name`: in the data directory, or, when that path is too long for a socket, in a folder of the system's for temporary files. */
export function socketPath(directory: string, name: string): string {
  const path = join(directory, 'run', `${name}.sock`)
  if (Buffer.byteLength(path) <= socketPathBytesMax) return path
  const hash = createHash('sha256').update(directory).digest('hex').slice(0, 16)
  return join(tmpdir(), `holdfast-${userInfo().uid}-${hash}-${name}.sock`)
}

/** How a process of the data plane is started: node's arguments and the module, which has the ending that this file itself runs with. */
export function processArguments(module: 'primary' | 'worker'): { readonly node: readonly string[]; readonly module: string } {
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  return {
    // A debugger of the parent's listens on one port only; heap sizes are each process's own.
    node: process.execArgv.filter((argument) => !argument.startsWith('--inspect') && !argument.startsWith('--max-semi-space-size')),
    module: fileURLToPath(new URL(`./${module}/main.${ending}`, import.meta.url)),
  }
}

export const viewFile = (directory: string): string => join(directory, 'run', 'proxy-view.json')
export const proxyLogFile = (directory: string): string => join(directory, 'logs', 'proxy.log')
