/**
 * Takes the lock of one data directory after the other ($DATA/0, $DATA/1, …), the first at the wall time $BEGIN and then one
 * every $EVERY ms, so that several of these meet. Prints the numbers of those it got as one JSON line, and holds them.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import { lockDataDirectory } from '../../src/app/lock.ts'
import { codeOf } from '../../src/kernel/errors.ts'

const { DATA = '', BEGIN = '0', EVERY = '0', ROUNDS = '0' } = process.env
const held: number[] = []
console.log('loaded')
for (let round = 0; round < Number(ROUNDS); round++) {
  const at = Number(BEGIN) + round * Number(EVERY)
  await sleep(Math.max(0, at - Date.now()))
  try {
    await lockDataDirectory(join(DATA, String(round)))
    held.push(round)
  } catch (error) {
    if (codeOf(error) !== 'already_running') throw error
  }
}
console.log(JSON.stringify(held))
setInterval(() => undefined, 60_000)
