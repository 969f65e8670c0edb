/**
 * A transaction, checked and turned to text in the call that hands it in: what the caller does to its
 * objects afterwards changes nothing, and a bad transaction never reaches a disk.
 */
import { HoldfastError } from '../../kernel/errors.ts'
import { storeLimits, type Compare, type Transaction } from '../port.ts'
import { toJson } from './json.ts'
import { checkKey, invalid, shown } from './keys.ts'

export interface PreparedWrite {
  readonly key: string
  /** Undefined: delete the key. */
  readonly json: string | undefined
  readonly bytes: number
}

export interface PreparedTransaction {
  readonly compare: readonly Compare[]
  readonly writes: readonly PreparedWrite[]
}

/** Throws `store_limit` or `store_invalid`. */
export function prepareTransaction({ compare = [], writes }: Transaction): PreparedTransaction {
  checkCount('writes', writes.length)
  checkCount('compares', compare.length)
  const keys = new Set<string>()
  return {
    compare: compare.map(({ key, modRevision }) => {
      checkKey(key)
      if (!Number.isSafeInteger(modRevision) || modRevision < 0) throw invalid(`the revision to compare ${shown(key)} with is ${modRevision}`)
      return { key, modRevision }
    }),
    writes: writes.map((write) => {
      const key = 'put' in write ? write.put : write.delete
      checkKey(key)
      if (keys.has(key)) throw invalid(`a transaction may write a key once, but this one writes ${shown(key)} twice`)
      keys.add(key)
      return 'put' in write ? { key, ...toJson(key, write.value) } : { key, json: undefined, bytes: 0 }
    }),
  }
}

function checkCount(what: string, count: number): void {
  if (count <= storeLimits.writesMax) return
  throw new HoldfastError('store_limit', `a transaction may have ${storeLimits.writesMax} ${what}, but this one has ${count}`)
}
