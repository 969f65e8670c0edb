/**
 * A process that writes state as fast as it can until it is killed, and says on its standard output what the
 * store acknowledged: `n` means that transaction n is durable. Each transaction writes the same number to all
 * keys, so half a transaction shows. Arguments: the data directory, the first number.
 * With `begin` as the number it makes new state files, each in a directory of its own, until it is killed.
 */
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/kernel/system.ts'
import { SqliteEventLog, SqliteStore, StateFile } from '../../src/store/index.ts'

const onSetAside = ({ reason }: { readonly reason: string }): void => void writeSync(1, `set aside: ${reason}\n`)

const [directory = '', first = '0'] = process.argv.slice(2)

for (let n = 0; first === 'begin'; n++) {
  const made = new SqliteStore({ file: new StateFile({ directory: join(directory, String(n)), clock: systemClock, onSetAside }) })
  await made.start()
  await made.commit({ writes: [{ put: 'begun', value: n }] })
  await made.stop()
  writeSync(1, `${n}\n`)
}

const file = new StateFile({ directory, clock: systemClock, onSetAside })
const store = new SqliteStore({ file, history: { changesMax: 50, bytesMax: 1_048_576 } })
const events = new SqliteEventLog({ file, eventsMax: 100 })
await store.start()
await events.start()

// Several at once, so that a batch of transactions can be cut in the middle too. Small and large values: pages of both kinds.
async function write(n: number): Promise<void> {
  const value = { n, filling: 'x'.repeat((n * 997) % 9_000) }
  await store.commit({ writes: ['a', 'b', 'c', 'd', 'e'].map((key) => ({ put: `keys/${key}`, value })) })
  writeSync(1, `${n}\n`)
}

for (let n = Number(first); ; n += 3) {
  await Promise.all([write(n), write(n + 1), write(n + 2)])
  const seq = events.lastSeq() + 1
  events.append({ id: `e${seq}`, seq, time: n, type: 'config.applied', level: 'info', service: undefined, instance: undefined, event: { n } })
  writeSync(1, `event ${seq}\n`)
}
