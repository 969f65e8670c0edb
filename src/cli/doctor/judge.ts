/** Which readings of a machine are good enough. Decides only; `readings.ts` reads. */
import { formatCount, formatSize } from '../format.ts'
import type { Finding } from './finding.ts'

export const nodeOldest = [20, 19] as const

export function judgeNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const ok = major > nodeOldest[0] || (major === nodeOldest[0] && minor >= nodeOldest[1])
  if (ok) return { check: 'node', verdict: 'ok', text: `version ${version}` }
  return { check: 'node', verdict: 'fail', text: `version ${version} is too old`, mend: `install Node ${nodeOldest.join('.')} or later` }
}

export function judgePlatform(platform: string, arch: string): Finding {
  const check = 'platform'
  const name = `${platform} ${arch}`
  if (platform === 'linux' && (arch === 'x64' || arch === 'arm64')) return { check, verdict: 'ok', text: name }
  if (platform === 'win32') return { check, verdict: 'fail', text: name, mend: 'run holdfast inside WSL' }
  const text = platform === 'darwin' ? `${name}: for development; CPU, memory and port readings are left out` : `${name}: not tested`
  return { check, verdict: 'warn', text, mend: 'use Linux on x64 or arm64 for production' }
}

/** Each proxied connection takes two files: one to the client, one to the service. */
const openFilesWanted = 10_240
const openFilesLeast = 1_024

/** undefined: could not be read. */
export function judgeOpenFiles(limit: number | undefined): Finding {
  const check = 'open files'
  const mend = 'raise it: `ulimit -n 65536`, or LimitNOFILE=65536 in the systemd unit'
  if (limit === undefined) return { check, verdict: 'warn', text: 'the limit could not be read', mend }
  const text = limit === Infinity ? 'no limit' : `at most ${formatCount(limit)}, enough for about ${formatCount(limit / 2)} connections`
  if (limit < openFilesLeast) return { check, verdict: 'fail', text, mend }
  return limit < openFilesWanted ? { check, verdict: 'warn', text, mend } : { check, verdict: 'ok', text }
}

const freeBytesWanted = 1_073_741_824
const freeBytesLeast = 104_857_600

export function judgeFreeSpace(check: string, directory: string, freeBytes: number): Finding {
  const text = `${directory} is writable, ${formatSize(freeBytes)} free`
  const mend = 'free some space, or choose another `data` or `log.directory`'
  if (freeBytes < freeBytesLeast) return { check, verdict: 'fail', text, mend }
  return freeBytes < freeBytesWanted ? { check, verdict: 'warn', text, mend } : { check, verdict: 'ok', text }
}

/** Before this program was written, so that a smaller reading is wrong for sure. */
const earliestWallTime = Date.UTC(2026, 0, 1)
const fileTimeSkewMax = 2_000

/** `fileTime`: what the file system gave a file written at `now`; both wall time in milliseconds. */
export function judgeClock(now: number, fileTime: number | undefined): Finding {
  const check = 'clock'
  const mend = 'set the clock and keep it right with NTP (systemd-timesyncd or chrony)'
  const shown = new Date(now).toISOString()
  if (now < earliestWallTime) return { check, verdict: 'fail', text: `${shown} is in the past`, mend }
  const skew = fileTime === undefined ? 0 : Math.abs(now - fileTime)
  if (skew > fileTimeSkewMax)
    return { check, verdict: 'warn', text: `${shown} is ${Math.round(skew / 1_000)} s away from the clock of the data directory`, mend }
  return { check, verdict: 'ok', text: shown }
}

/** What came of trying to listen. `ours`: a running holdfast of this configuration holds it; `left`: a dead one has left its balancer there. */
export function judgePort(
  what: string,
  host: string,
  port: number,
  outcome: 'free' | 'ours' | 'left' | { readonly code: string; readonly message: string; readonly owner?: string | undefined },
): Finding {
  const check = `port ${port}`
  const where = `${host}:${port} (${what})`
  if (outcome === 'free') return { check, verdict: 'ok', text: `${where} is free` }
  if (outcome === 'ours') return { check, verdict: 'ok', text: `${where} is held by the running holdfast` }
  if (outcome === 'left') {
    const mend = `take over with \`holdfast up\`, or stop what is left with \`holdfast down\`; who it is: \`ss -ltnp 'sport = :${port}'\``
    return { check, verdict: 'warn', text: `${where} seems to be held by the balancer that a dead holdfast has left`, mend }
  }
  switch (outcome.code) {
    case 'EADDRINUSE':
      return {
        check,
        verdict: 'fail',
        text: `${where} is taken by ${outcome.owner ?? 'another program'}`,
        mend: `${outcome.owner === undefined ? 'find' : 'see more of'} it with \`ss -ltnp 'sport = :${port}'\`, or choose another port`,
      }
    case 'EACCES':
      return {
        check,
        verdict: 'fail',
        text: `${where} may not be opened by this user`,
        mend: 'choose a port above 1023, or give node the right: `setcap cap_net_bind_service=+ep $(which node)`',
      }
    case 'EADDRNOTAVAIL':
      return {
        check,
        verdict: 'fail',
        text: `${where}: this machine does not have that address`,
        mend: 'choose an address of this machine, or 0.0.0.0 for all',
      }
    default:
      return { check, verdict: 'fail', text: `${where} could not be opened: ${outcome.message}`, mend: 'choose another host or port' }
  }
}
