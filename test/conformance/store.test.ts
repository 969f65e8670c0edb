/** The state stores and the event logs keep their promises. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { VirtualClock } from '../../src/kernel/testing/virtual-clock.ts'
import { MemoryEventLog, MemoryStore, SqliteEventLog, SqliteStore, StateFile } from '../../src/store/index.ts'
import { describeEventLog } from './event-log.ts'
import { describeStateStore } from './state-store.ts'

const root = await mkdtemp(join(tmpdir(), 'holdfast-store-'))
afterAll(() => rm(root, { recursive: true, force: true }))

const bytesMax = 64 * 1_048_576

async function freshFile(): Promise<StateFile> {
  const onSetAside = ({ file, reason }: { file: string; reason: string }): void => {
    throw new Error(`${file} was set aside: ${reason}`)
  }
  return new StateFile({ directory: await mkdtemp(join(root, 'data-')), clock: new VirtualClock(), onSetAside })
}

const historyOf = (changesMax: number | undefined): object => (changesMax === undefined ? {} : { history: { changesMax, bytesMax } })

describeStateStore('memory store', async ({ changesMax }) => {
  const store = new MemoryStore(historyOf(changesMax))
  await store.start()
  return store
})

describeStateStore('sqlite store', async ({ changesMax }) => {
  const store = new SqliteStore({ file: await freshFile(), ...historyOf(changesMax) })
  await store.start()
  return store
})

describeEventLog('memory event log', async (options) => ({ log: new MemoryEventLog(options), end: () => Promise.resolve() }))

describeEventLog('sqlite event log', async (options) => {
  const log = new SqliteEventLog({ file: await freshFile(), ...options })
  await log.start()
  return { log, end: () => log.stop() }
})
