/** What is on the disk is not what was left there: damaged, lost, of another version, of somebody long dead. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadDriver } from '../../src/store/sqlite/driver.ts'
import { until } from '../chaos/wait.ts'
import { SteadyLoad } from '../moves/steady-load.ts'
import { Product } from '../support/product.ts'

let product: Product

beforeEach(async () => {
  product = await Product.create()
})
afterEach(async () => {
  expect(await product.end()).toEqual([])
})

/** Runs two instances and kills the control process; returns their pids. */
async function leaveTwoRunning(): Promise<number[]> {
  product.configure({ web: { instances: 2 } })
  const up = await product.up()
  const pids = await product.pids()
  up.signal('SIGKILL')
  await up.ended
  return pids
}

/** Control, proxy, two workers, two instances: nothing is there twice. */
const nothingTwice = (): Promise<true> => until('six processes', () => product.survivors().length === 6 || undefined, 10_000)

describe('a state.db', () => {
  const stateFile = (suffix = ''): string => product.path('data', `state.db${suffix}`)
  const removeLog = (): void => {
    for (const suffix of ['-wal', '-shm']) rmSync(stateFile(suffix), { force: true })
  }

  it('that is damaged is set aside and reported; what runs serves on until its successors do, and nothing runs twice', async () => {
    const pids = await leaveTwoRunning()
    removeLog()
    writeFileSync(stateFile(), 'this was a database')
    const load = new SteadyLoad({ port: product.ports.web, requestsPerSecond: 100, headBytes: 0 })
    load.start()
    const up = await product.up()
    await nothingTwice()
    await product.settled(2)
    const { sent, ok } = await load.stop()
    expect([ok, sent > 20]).toEqual([sent, true])
    expect((await product.events('instance.adopted')).map(({ data }) => data.pid).toSorted((a, b) => a - b)).toEqual(pids)
    expect((await product.service()).traffic.parkedTotal).toBe(0)
    expect(readdirSync(product.path('data')).filter((name) => name.startsWith('state.db.corrupt-'))).toHaveLength(1)
    expect(up.stdout + up.stderr).toMatch(/the state store was damaged .* it was set aside as .*state\.db\.corrupt-/)
    const [event] = await product.events('store.setAside')
    expect(event).toMatchObject({ level: 'critical', data: { reason: expect.stringMatching(/not an SQLite file|cut off/) as string } })
    await product.down()
  })

  it('that was deleted: nothing runs twice', async () => {
    await leaveTwoRunning()
    removeLog()
    rmSync(stateFile())
    await product.up()
    await product.settled(2)
    await nothingTwice()
    expect((await product.get()).status).toBe(200)
    await product.down()
  })

  it('that is damaged does not keep down from stopping everything', async () => {
    await leaveTwoRunning()
    removeLog()
    writeFileSync(stateFile(), Buffer.alloc(50_000))
    await product.down()
    expect(product.survivors()).toEqual([])
  })

  it('of a newer holdfast refuses up and down with 1, and stays as it is', async () => {
    product.configure()
    await product.up()
    await product.down()
    const { DatabaseSync } = await loadDriver()
    const change = (sql: string): void => {
      const database = new DatabaseSync(stateFile())
      database.exec(sql)
      database.close()
    }
    change('INSERT INTO migrations VALUES (99, 0)')
    const { code, stderr } = await product.run('up')
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^error: a newer holdfast wrote the state file .*state\.db \(schema 99; .*; run the newer holdfast again/),
    ])
    expect(product.survivors()).toEqual([])
    expect(readdirSync(product.path('data')).filter((name) => name.includes('corrupt'))).toEqual([])
    change('DELETE FROM migrations WHERE version = 99')
    await product.up()
    expect((await product.events('holdfast.started')).length).toBe(2)
    await product.down()
  })
})

describe('a control.json', () => {
  const leave = (content: string): void => {
    mkdirSync(product.path('data', 'run'), { recursive: true })
    writeFileSync(product.path('data', 'run', 'control.json'), content)
  }
  /** Above the largest pid there can be. */
  const nobody = 4_194_305

  it('of a dead process misleads nobody', async () => {
    product.configure()
    leave(JSON.stringify({ url: `http://127.0.0.1:${product.ports.api}`, token: 'x', pid: nobody, configFile: product.configFile }))
    expect((await product.run('status')).code).toBe(3)
    await product.up()
    expect((await product.get()).status).toBe(200)
    await product.down()
  })

  it('whose pid now belongs to somebody else harms nobody', async () => {
    product.configure()
    leave(JSON.stringify({ url: `http://127.0.0.1:${product.ports.api}`, token: 'x', pid: process.pid, startTicks: 1 }))
    expect((await product.must('down')).stdout).toMatch(/nothing was running any more|nothing to stop/)
    await product.up()
    await product.down()
  })

  it.each(['', '{', '[]', '{"url":7}'])('with %j in it does not keep up from starting, in front or behind', async (content) => {
    product.configure()
    leave(content)
    await product.up()
    await product.down()
    leave(content)
    await product.must('up', '--detach')
    await product.down()
  })

  it('that was ruined while holdfast runs: its commands say so with 3, up says who runs', async () => {
    product.configure()
    const up = await product.up()
    leave('{')
    const down = await product.run('down')
    expect([down.code, down.stderr]).toEqual([3, expect.stringMatching(/^error: could not read .*control\.json/)])
    const second = await product.run('up')
    expect([second.code, second.stderr]).toEqual([1, expect.stringContaining(`is in use by pid ${up.pid};`)])
    up.signal('SIGTERM')
    expect((await up.ended).code).toBe(0)
  })
})

describe('a lock', () => {
  it.each(['', 'nonsense', '{"pid":4194305}', '{"pid":1,"startTicks":1}'])('with %j in it, left by somebody dead, is taken over', async (content) => {
    product.configure()
    mkdirSync(product.path('data', 'run'), { recursive: true })
    writeFileSync(product.path('data', 'run', 'control.lock'), content)
    await product.up()
    await product.down()
  })
})
