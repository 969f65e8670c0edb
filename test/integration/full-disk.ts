/**
 * Run in a mount namespace of its own: mounts a disk of 16 MiB on the directory given, fills it, and tells as
 * one line of JSON how the store fared. `sqlite-full-disk.test.ts` judges.
 */
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EventBus } from '../../src/app/event-bus.ts'
import { codeOf } from '../../src/kernel/errors.ts'
import { newId, systemClock } from '../../src/kernel/system.ts'
import { SqliteEventLog, SqliteStore, StateFile } from '../../src/store/index.ts'

const [directory = ''] = process.argv.slice(2)
execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'none', directory])

const setAside: string[] = []
const logErrors: (string | undefined)[] = []
const file = new StateFile({ directory: join(directory, 'data'), clock: systemClock, onSetAside: ({ reason }) => setAside.push(reason) })
const store = new SqliteStore({ file })
const log = new SqliteEventLog({ file })
const bus = new EventBus({
  log,
  clock: systemClock,
  region: 'here',
  newId,
  onListenerError: () => undefined,
  onLogError: (error) => logErrors.push(codeOf(error)),
})
let heard = 0
bus.on('*', () => heard++)

const filler = join(directory, 'filler')
/** Takes all room that is left, to the last byte. */
function fill(): void {
  for (let bytes = 1_048_576; bytes > 0; bytes = Math.floor(bytes / 2)) {
    try {
      for (;;) writeFileSync(filler, Buffer.alloc(bytes), { flag: 'a' })
    } catch (error) {
      if (codeOf(error) !== 'ENOSPC') throw error
    }
  }
}
const put = (key: string): Promise<unknown> => store.commit({ writes: [{ put: key, value: 'x'.repeat(3_000) }] })
const emit = (reason: string): string => bus.emit('holdfast.stopped', { message: reason, data: { reason } })
const codeFrom = (promise: Promise<unknown>): Promise<string | undefined> => promise.then(() => 'resolved', codeOf)

fill()
const startWhenFull = await codeFrom(store.start())
rmSync(filler)
await store.start()
await log.start()
await put('first')
emit('before')
fill()
const refused: (string | undefined)[] = []
const acknowledged = ['first']
for (let n = 0; n < 300; n++) {
  const code = await codeFrom(put(`k${n}`))
  if (code === 'resolved') acknowledged.push(`k${n}`)
  else refused.push(code)
  emit('while full')
}
const readWhenFull = (await store.list('')).map(({ key }) => key)
const eventsWhenFull = bus.query({ limit: 1_000 }).length
const unlogged = bus.unlogged
rmSync(filler)
const putAfter = await codeFrom(put('after'))
emit('after')

// As after a death of the process: the log and its index are still there. Once they are gone, a start needs room for them.
fill()
const again = new SqliteStore({
  file: new StateFile({ directory: join(directory, 'data'), clock: systemClock, onSetAside: ({ reason }) => setAside.push(reason) }),
})
const restartWhenFull = await codeFrom(again.start())
rmSync(filler)
const readAfter = (await again.list('')).map(({ key }) => key)
const logged = log.query({ limit: 1_000 }).length
await again.stop()
await store.stop()
await log.stop()

console.log(
  JSON.stringify({
    startWhenFull,
    refusedCodes: [...new Set(refused)],
    refused: refused.length,
    acknowledged: acknowledged.sort(),
    readWhenFull,
    heard,
    eventsWhenFull,
    unlogged,
    logErrors,
    putAfter,
    restartWhenFull,
    readAfter,
    logged,
    setAside,
  }),
)
