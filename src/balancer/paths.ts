/** Where the data plane of a data directory lives. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export { socketPath } from '../kernel/socket-path.ts'

/** Not handed on: a debugger of the parent's listens on one port only; heap sizes are each process's own. */
const ownFlags = ['--inspect', '--max-semi-space-size', '--initial-old-space-size', '--no-memory-reducer']

/** How a process of the data plane is started: node's arguments and the module, which has the ending that this file itself runs with. */
export function processArguments(module: 'primary' | 'worker'): { readonly node: readonly string[]; readonly module: string } {
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  return {
    node: process.execArgv.filter((argument) => !ownFlags.some((flag) => argument.startsWith(flag))),
    module: fileURLToPath(new URL(`./${module}/main.${ending}`, import.meta.url)),
  }
}

/** It is there as long as somebody wants the data plane to run: a shutdown removes it, a death does not. */
export const wantedFile = (directory: string): string => join(directory, 'run', 'proxy-wanted')
export const viewFile = (directory: string): string => join(directory, 'run', 'proxy-view.json')
export const rateLevelsFile = (directory: string): string => join(directory, 'run', 'proxy-rates.json')
export const proxyLogFile = (directory: string): string => join(directory, 'logs', 'proxy.log')
