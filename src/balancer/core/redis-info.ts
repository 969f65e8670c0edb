/** Reads the answer of Redis to `INFO replication`. Source: redis.io, "INFO". */
import type { RoleAnswer } from './roles.ts'

/** The second id of whoever was never promoted. */
const noHistory = /^0*$/

export function readInfo(text: string): RoleAnswer {
  const fields = new Map(
    text
      .split(/\r?\n/)
      .flatMap((line) => (/^(\w+):(.*)$/.exec(line) ? [[line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)] as const] : [])),
  )
  const number = (name: string): number | undefined => {
    const value = Number(fields.get(name))
    return fields.has(name) && Number.isFinite(value) ? value : undefined
  }
  if (fields.get('role') !== 'master') {
    const isLinked = fields.get('master_link_status') === 'up'
    const downSeconds = number('master_link_down_since_seconds')
    return {
      role: 'replica',
      history: fields.get('master_replid'),
      lagMs: isLinked ? 0 : downSeconds === undefined || downSeconds < 0 ? undefined : downSeconds * 1_000,
      filling: fields.get('master_sync_in_progress') === '1',
    }
  }
  const ancestor = fields.get('master_replid2')
  return {
    role: 'primary',
    history: fields.get('master_replid'),
    ancestor: ancestor === undefined || noHistory.test(ancestor) ? undefined : ancestor,
    replicas: number('connected_slaves'),
  }
}
