/**
 * Finds the control process: what the options say, else the environment, else what it left in the data directory.
 * The token of the data directory is this machine's admin credential: it goes to the address it was written
 * with, never to one that was typed.
 */
import { HoldfastError } from '../kernel/errors.ts'
import { ApiClient } from './client.ts'
import { isAlive } from '../kernel/process-identity.ts'
import { candidateDirectories, findControl, findReadableControl, type Where } from './configuration.ts'
import { usageError } from './errors.ts'

export function connect(where: Where): ApiClient {
  const url = where.options.url ?? nonEmpty(where.env.HOLDFAST_URL)
  const token = where.options.token ?? nonEmpty(where.env.HOLDFAST_TOKEN)
  return url === undefined ? connectLocally(where, token) : connectTo(checkedUrl(url), token ?? localTokenFor(url, where))
}

function connectTo(url: string, token: string | undefined): ApiClient {
  return new ApiClient({
    url,
    token,
    unreachable: (cause) =>
      new HoldfastError('unreachable', `could not reach holdfast at ${url}`, { cause, hint: 'is it running, and is the address right?' }),
  })
}

function connectLocally(where: Where, token: string | undefined): ApiClient {
  const { dataDirectories } = candidateDirectories(where)
  const found = findControl(dataDirectories)
  if (!found) throw notRunning(dataDirectories[0] ?? where.cwd, where)
  const { control, dataDirectory } = found
  return new ApiClient({ url: control.url, token: token ?? control.token, unreachable: () => notRunning(dataDirectory, where) })
}

/** Nobody answers there: never started, stopped, or died and left its services and balancer running. */
export function notRunning(dataDirectory: string, { options }: Pick<Where, 'options'>): HoldfastError {
  const suffix = options.config === undefined ? '' : ` --config ${options.config}`
  const start = `holdfast up${suffix}`
  const left = findReadableControl(dataDirectory)?.control
  if (left && !isAlive(left.pid, left.startTicks)) {
    return new HoldfastError('not_running', `holdfast (pid ${left.pid}) has died, its services and balancer may still run`, {
      hint: `take over with: ${start}, stop them with: holdfast down${suffix}`,
      details: { dataDirectory, pid: left.pid },
    })
  }
  return new HoldfastError('not_running', `holdfast is not running in ${dataDirectory}`, {
    hint: `start it with: ${start}`,
    details: { dataDirectory },
  })
}

/** The local token, when the address typed is the local one. */
function localTokenFor(url: string, where: Where): string | undefined {
  try {
    const found = findControl(candidateDirectories(where).dataDirectories)
    return found && new URL(found.control.url).origin === new URL(url).origin ? found.control.token : undefined
  } catch {
    // An unreadable control file only means that there is no token to be had from it.
    return undefined
  }
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw usageError(`--url: expected an address like http://127.0.0.1:3006, got "${text}"`)
  }
  if (url.username !== '' || url.password !== '')
    throw usageError('--url: an address with a password in it is not taken', 'use --token or HOLDFAST_TOKEN')
  return text.replace(/\/+$/, '').replace(/\/api\/infrastructure$/, '')
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
