/**
 * Whose the answer on an instance's port is. Between the choice of a port and the moment in which the program binds it
 * somebody else may take it; requests must never go there, however friendly the stranger.
 */
import { marks } from './environment.ts'
import type { Holder } from './process-table.ts'

export interface Owner {
  /** Id of the instance. */
  readonly id: string
  readonly dataDirectory: string
  /** Its leader: pid and process group at once. */
  readonly pid: number
  readonly startTicks: number
}

/**
 * `own`: the instance or something it has started. `stranger`: what is marked as another instance, or was there before it.
 * `unknown`: nobody to be seen (another network namespace, no rights), or something younger without a mark, which a daemon may
 * have started for it, as `docker run` does.
 */
export function judgeHolders(holders: readonly Holder[], owner: Owner): 'own' | 'stranger' | 'unknown' {
  if (holders.some((holder) => isOwn(holder, owner))) return 'own'
  return holders.length > 0 && holders.every((holder) => isStranger(holder, owner)) ? 'stranger' : 'unknown'
}

const isOwn = ({ pid, group, environment }: Holder, { id, dataDirectory, pid: leader }: Owner): boolean =>
  pid === leader || group === leader || (environment.get(marks.instance) === id && environment.get(marks.data) === dataDirectory)

const isStranger = ({ startTicks, environment }: Holder, owner: Owner): boolean => environment.has(marks.instance) || startTicks < owner.startTicks
