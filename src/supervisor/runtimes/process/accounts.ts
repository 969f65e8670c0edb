/**
 * As whom an instance runs: the user of its service, looked up where this system keeps its accounts.
 *
 * The groups of the user come along, as after a login and as with systemd's `User=`. Node gives a child a uid and a gid and takes
 * every other group away, so where the user has further ones `setpriv` sets them; it then becomes the program, so the pid stays.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import type { UserConfig } from '../../../config/types.ts'
import { after, seconds, type Clock, type Duration, type Instant } from '../../../kernel/time.ts'

export interface Account {
  readonly uid: number
  readonly gid: number
  /** Further groups, without `gid`. */
  readonly groups: readonly number[]
  /** undefined: a number that has no account here; then there is no home and no shell either. */
  readonly name: string | undefined
  readonly home: string | undefined
  readonly shell: string | undefined
}

/** `current`: whoever runs Holdfast is that user already. `impossible`: one sentence why it cannot be done. */
export type Identity =
  | { readonly type: 'current' }
  | { readonly type: 'other'; readonly account: Account; /** Absolute path; undefined: not needed. */ readonly setpriv: string | undefined }
  | { readonly type: 'impossible'; readonly reason: string }

/** What is asked of the machine. */
export interface AccountSources {
  /** Those of Holdfast itself; undefined: a system without them. */
  readonly own: { readonly uid: number; readonly gid: number } | undefined
  /** undefined: it cannot be read. */
  readonly read: (path: string) => string | undefined
  /** What a program of the system prints; undefined: it is not there, or failed. */
  readonly ask: (program: string, args: readonly string[]) => string | undefined
  /** Where util-linux's setpriv is. */
  readonly setpriv: () => string | undefined
}

/** An account is looked up again after this: somebody may have given it another group meanwhile. */
const lookAgainAfter: Duration = seconds(10)
/** Asking a directory server must not hold up everything else for longer. */
const askTimeoutMs = 2_000
/** Never from the PATH of a service: what is started from here still is root. */
const systemFolders = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'] as const

export class Accounts {
  readonly #clock: Clock
  readonly #sources: AccountSources
  readonly #known = new Map<string, { readonly identity: Identity; readonly until: Instant }>()

  constructor(clock: Clock, sources: AccountSources = systemSources) {
    this.#clock = clock
    this.#sources = sources
  }

  identify(user: UserConfig): Identity {
    const key = JSON.stringify([user.name, user.group])
    const now = this.#clock.now()
    const known = this.#known.get(key)
    if (known && now < known.until) return known.identity
    const identity = identify(user, this.#sources)
    this.#known.set(key, { identity, until: after(now, lookAgainAfter) })
    return identity
  }
}

export function identify({ name, group }: UserConfig, sources = systemSources): Identity {
  const impossible = (reason: string): Identity => ({ type: 'impossible', reason: `could not become user ${name}: ${reason}` })
  const { own } = sources
  if (!own) return impossible('this system has no users of that kind')
  const entry = passwdEntry(name, sources)
  if (!entry && !isNumber(name)) return impossible('there is no such user on this machine')
  const uid = entry?.uid ?? Number(name)
  const gid = group === undefined ? entry?.gid : groupId(group, sources)
  if (gid === undefined) {
    const why =
      group === undefined ? 'it is a number without an account, so its group must be given too' : `there is no group ${group} on this machine`
    return impossible(why)
  }
  if (uid === own.uid && gid === own.gid) return { type: 'current' }
  if (own.uid !== 0) return impossible(`holdfast runs as uid ${own.uid} with gid ${own.gid}, and only root may run programs as somebody else`)
  const groups = entry ? furtherGroups(entry.name, gid, sources) : []
  const setpriv = groups.length > 0 ? sources.setpriv() : undefined
  if (groups.length > 0 && setpriv === undefined) {
    return impossible(`it is in further groups (${groups.join(', ')}), which only setpriv can set; install setpriv (util-linux)`)
  }
  return { type: 'other', account: { uid, gid, groups, name: entry?.name, home: entry?.home, shell: entry?.shell }, setpriv }
}

interface PasswdEntry {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string | undefined
  readonly shell: string | undefined
}

/** passwd(5): `name:x:uid:gid:comment:home:shell`. */
function passwdEntry(user: string, sources: AccountSources): PasswdEntry | undefined {
  const fields = databaseEntry('passwd', user, sources)
  if (fields) {
    const [name = '', , uid, gid, , home = '', shell = ''] = fields
    return { name, uid: Number(uid), gid: Number(gid), home: home === '' ? undefined : home, shell: shell === '' ? undefined : shell }
  }
  if (isNumber(user)) return undefined
  // A system that keeps its accounts elsewhere, and has no getent.
  const [uid, gid] = [sources.ask('id', ['-u', user]), sources.ask('id', ['-g', user])]
  return uid === undefined || gid === undefined ? undefined : { name: user, uid: Number(uid), gid: Number(gid), home: undefined, shell: undefined }
}

function groupId(group: string, sources: AccountSources): number | undefined {
  const gid = databaseEntry('group', group, sources)?.[2] ?? (isNumber(group) ? group : undefined)
  return gid === undefined ? undefined : Number(gid)
}

/** The fields of the line whose name, or else whose number, is the one asked for. */
function databaseEntry(database: 'passwd' | 'group', key: string, sources: AccountSources): readonly string[] | undefined {
  const lines = (sources.read(`/etc/${database}`) ?? '').split('\n').map((line) => line.split(':'))
  const found = lines.find(([name]) => name === key) ?? (isNumber(key) ? lines.find(([, , number]) => number === key) : undefined)
  if (found) return found
  const answer = sources.ask('getent', [database, key])?.split(':')
  return answer && answer.length >= 3 ? answer : undefined
}

function furtherGroups(name: string, gid: number, { ask }: AccountSources): readonly number[] {
  const ids = (ask('id', ['-G', name]) ?? '').split(/\s+/).filter(isNumber).map(Number)
  return ids.filter((id) => id !== gid)
}

const isNumber = (text: string): boolean => /^\d+$/.test(text)

const systemSources: AccountSources = {
  own: process.getuid && process.getgid && { uid: process.getuid(), gid: process.getgid() },
  read: (path) => {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      // A system that keeps its accounts elsewhere; it is asked for them.
      return undefined
    }
  },
  ask: (program, args) => {
    const path = inSystem(program)
    if (path === undefined) return undefined
    const { status, stdout } = spawnSync(path, args, { encoding: 'utf8', timeout: askTimeoutMs, stdio: ['ignore', 'pipe', 'ignore'] })
    return status === 0 ? stdout.trim() : undefined
  },
  setpriv: () => {
    const path = inSystem('setpriv')
    // BusyBox has one of that name which cannot change users.
    return path === undefined || realpathSync(path).endsWith('busybox') ? undefined : path
  },
}

function inSystem(program: string): string | undefined {
  return systemFolders.map((folder) => `${folder}/${program}`).find((path) => existsSync(path))
}
