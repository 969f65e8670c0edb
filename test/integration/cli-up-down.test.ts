/** `up`, `down` and `doctor` on a real disk with real processes; the control process itself is a stub. */
import { spawn, type ChildProcess } from 'node:child_process'
import { chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePorts } from '../../bench/lib/process.ts'
import { readControlFile } from '../../src/app/control-file.ts'
import type { ConfigChange } from '../../src/app/operations.ts'
import type { AnyEvent } from '../../src/kernel/events.ts'
import type { RunOptions, UpProgress } from '../../src/app/progress.ts'
import { startTicksOf } from '../../src/kernel/process-identity.ts'
import { connect } from '../../src/cli/connect.ts'
import { FakeSignals, jsonOf, Page, runCli, startCli, type Ran, type RunOptions as CliOptions } from '../../src/cli/testing/run-cli.ts'
import { HoldfastError } from '../../src/kernel/errors.ts'
import { systemClock } from '../../src/kernel/system.ts'
import { VirtualClock } from '../../src/kernel/testing/virtual-clock.ts'
import { instant, ms, type Clock } from '../../src/kernel/time.ts'

let directory: string
let configFile: string
const children: ChildProcess[] = []
const servers: Server[] = []
const detached: number[] = []

beforeEach(() => {
  directory = realpathSync(mkdtempSync(path.join(tmpdir(), 'holdfast-up-')))
  configFile = path.join(directory, 'holdfast.yml')
  writeFileSync(configFile, 'data: ./data\nservices:\n  web:\n    command: node server.js\n    routes: [{ path: / }]\n')
})

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const pid of detached.splice(0)) if (startTicksOf(pid) !== undefined) process.kill(pid, 'SIGKILL')
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  rmSync(directory, { recursive: true, force: true })
})

function leaveControlFile(content: object): void {
  mkdirSync(path.join(directory, 'data/run'), { recursive: true })
  writeFileSync(path.join(directory, 'data/run/control.json'), JSON.stringify({ token: 't', ...content }))
}

/** A process that lives until it is told otherwise. */
async function startSleeper(script = 'setInterval(() => {}, 1000); console.log("up")'): Promise<{ pid: number; startTicks?: number }> {
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  await new Promise((resolve) => child.stdout.once('data', resolve))
  const pid = child.pid ?? 0
  const startTicks = startTicksOf(pid)
  return { pid, ...(startTicks !== undefined && { startTicks }) }
}

/** Answers every call with `data`, after telling `onCall` which it was. */
async function startApi(data: unknown, onCall: (call: string) => void = () => undefined): Promise<string> {
  const server = createServer((request, response) => {
    onCall(`${request.method ?? ''} ${request.url ?? ''}`)
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ success: true, data }))
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** An app whose control process says `progress`, then waits for the order to stop. */
function stubApp(progress: readonly UpProgress[], seen: RunOptions[] = []) {
  return {
    runControlProcess: async (options: RunOptions) => {
      seen.push(options)
      for (const each of progress) options.onProgress(each)
      await new Promise((resolve) => options.signal.addEventListener('abort', resolve))
      options.onProgress({ kind: 'stopping', text: 'draining' })
      options.onProgress({ kind: 'stopped' })
    },
  }
}

const anEvent = (level: string, type: string, message: string): AnyEvent =>
  // As local midnight, wherever that is.
  ({ level, type, message, time: new Date(1970, 0, 1).getTime(), data: {} }) as unknown as AnyEvent

const whole: readonly UpProgress[] = [
  { kind: 'step', text: 'opening the store' },
  { kind: 'service', service: 'web', ready: 0, desired: 1, text: 'starting' },
  { kind: 'service', service: 'web', ready: 1, desired: 1, text: 'ready' },
  { kind: 'event', event: anEvent('info', 'instance.ready', 'web-1 is ready') },
  { kind: 'event', event: anEvent('debug', 'access.granted', 'somebody looked') },
  {
    kind: 'serving',
    dashboardUrl: 'http://127.0.0.1:3006/#login=abc',
    apiUrl: 'http://127.0.0.1:3006',
    listeners: [{ name: 'web', url: 'http://127.0.0.1:8080' }],
    exampleUrl: 'http://127.0.0.1:8080/',
    adopted: 0,
  },
]

/** Real time, so many times as fast. */
function hurried(times: number): Clock {
  return {
    now: () => instant(systemClock.now() * times),
    wallTime: () => systemClock.wallTime(),
    schedule: (at, task) => systemClock.schedule(instant(at / times), task),
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50))

describe('holdfast up', () => {
  it('shows progress as plain lines, then where everything is, and ends with 0 when it is told to stop', async () => {
    const signals = new FakeSignals()
    const page = new Page()
    const ended = startCli(['up'], page, new Page(), { cwd: directory, signals, app: stubApp(whole) })
    await settle()
    signals.raise('SIGINT')
    expect(await ended).toBe(0)
    expect(page.text).toBe(
      `
opening the store
1970-01-01 00:00:00 info     instance.ready web-1 is ready

holdfast is serving

  balancer   http://127.0.0.1:8080
  dashboard  http://127.0.0.1:3006/#login=abc  (works once)
  API        http://127.0.0.1:3006/api/docs
  try it     curl http://127.0.0.1:8080/
  stop it    Ctrl-C drains and stops everything; a second one cuts it short

draining
stopped; nothing is left running
`.trimStart(),
    )
    expect(signals.count).toBe(0)
  })

  it('redraws in place on a terminal', async () => {
    const signals = new FakeSignals()
    const page = new Page(80)
    const ended = startCli(['up'], page, new Page(), { cwd: directory, signals, app: stubApp(whole), env: { NO_COLOR: '1' } })
    await settle()
    expect(page.text).toContain(
      'opening the store\n  web  0/1  starting\n\u001b[2A\u001b[0Jopening the store\n  web  1/1  ready\n\u001b[2A\u001b[0J  web  1/1  ready\n\nholdfast is serving',
    )
    signals.raise('SIGTERM')
    expect(await ended).toBe(0)
  })

  it('with --json says one document per line', async () => {
    const signals = new FakeSignals()
    const page = new Page()
    const ended = startCli(['up', '--json'], page, new Page(), { cwd: directory, signals, app: stubApp(whole) })
    await settle()
    signals.raise('SIGINT')
    await ended
    expect(
      page.text
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { success: true; data: UpProgress }).data.kind),
    ).toEqual([...whole.map(({ kind }) => kind), 'stopping', 'stopped'])
  })

  it('takes two signals at once for one, a later one as force, and SIGHUP as reload', async () => {
    const clock = new VirtualClock()
    const signals = new FakeSignals()
    let reloads = 0
    const seen: string[] = []
    const runControlProcess = async ({ signal, force, reload }: RunOptions): Promise<void> => {
      reload(() => (reloads += 1))
      signal.addEventListener('abort', () => seen.push('drain'))
      await new Promise((resolve) => force.addEventListener('abort', resolve))
      seen.push('force')
    }
    const ended = startCli(['up'], new Page(), new Page(), { cwd: directory, signals, clock, app: { runControlProcess } })
    await settle()
    signals.raise('SIGHUP')
    signals.raise('SIGINT')
    signals.raise('SIGINT')
    await clock.advance(ms(900))
    signals.raise('SIGTERM')
    expect([seen, reloads]).toEqual([['drain'], 1])
    await clock.advance(ms(200))
    signals.raise('SIGINT')
    expect(await ended).toBe(0)
    expect([seen, signals.count]).toEqual([['drain', 'force'], 0])
  })

  it('passes on why it could not start', async () => {
    const runControlProcess = () =>
      Promise.reject(new HoldfastError('listen_failed', 'could not listen on 127.0.0.1:3006', { hint: 'choose another port' }))
    const { code, stderr } = await runCli(['up'], { cwd: directory, app: { runControlProcess } })
    expect([code, stderr]).toEqual([1, 'error: could not listen on 127.0.0.1:3006; choose another port\n'])
  })

  it('refuses a bad configuration with every problem and where it stands, and starts nothing', async () => {
    writeFileSync(configFile, 'services:\n  web:\n    command: node server.js\n    instnces: 2\n    port: many\n')
    const { code, stderr } = await runCli(['up'], { cwd: directory })
    expect(code).toBe(2)
    expect(stderr).toContain('error: cannot use holdfast.yml: 2 problems\n')
    expect(stderr).toContain(
      'holdfast.yml:4:5 services.web.instnces: unknown key; did you mean "instances"?\n  4 |     instnces: 2\n    |     ^^^^^^^^\n',
    )
    const json = jsonOf(await runCli(['up', '--json'], { cwd: directory }))
    expect(json.error).toMatchObject({ code: 'config_invalid', details: { file: configFile, problems: [{ line: 4 }, { line: 5 }] } })
  })

  it('says where it looked when there is no configuration', async () => {
    rmSync(configFile)
    const { code, stderr } = await runCli(['up'], { cwd: directory })
    expect(code).toBe(2)
    expect(stderr).toContain(`looked for holdfast.yml and config/high_availability.yml in ${directory} and the directories above it, found neither`)
    expect(jsonOf(await runCli(['up', '--json'], { cwd: directory })).error).toMatchObject({ code: 'config_not_found', details: { directory } })
  })

  it('looks in the directories above, as git does, and says which file it uses', async () => {
    const seen: RunOptions[] = []
    const app = { runControlProcess: (options: RunOptions) => Promise.resolve(void seen.push(options)) }
    const below = path.join(directory, 'src/deep')
    mkdirSync(below, { recursive: true })
    const { code, stderr } = await runCli(['up'], { cwd: below, app })
    expect([code, stderr, seen[0]?.configFile]).toEqual([0, `using ${configFile}\n`, configFile])
    // One that is nearer wins, and needs no word.
    const nearer = path.join(below, 'holdfast.yml')
    writeFileSync(nearer, readFileSync(configFile))
    expect([(await runCli(['up'], { cwd: below, app })).stderr, seen[1]?.configFile]).toEqual(['', nearer])
  })

  it('finds what runs from a directory below, also when the configuration is broken', async () => {
    const below = path.join(directory, 'src')
    mkdirSync(below)
    expect((await runCli(['down'], { cwd: below })).stdout).toBe(`nothing to stop: holdfast is not running in ${directory}/data\n`)
    writeFileSync(configFile, 'data: ./data\nservices: [\n')
    expect((await runCli(['down'], { cwd: below })).stdout).toBe(`nothing to stop: holdfast is not running in ${directory}/data\n`)
  })

  it.runIf(process.getuid?.() === 0)('does not run what another user has put above', async () => {
    const below = path.join(directory, 'mine')
    mkdirSync(below)
    chownSync(configFile, 65_534, 65_534)
    const { code, stderr } = await runCli(['up'], { cwd: below })
    expect([code, stderr]).toEqual([
      2,
      `error: found ${configFile} above this directory, but it belongs to another user (uid 65534); if it is meant, name it: --config ${configFile}\n`,
    ])
  })

  it('names the variables that override the file', async () => {
    const app = { runControlProcess: () => Promise.resolve() }
    const env = { PORT: '4000', HOST: '0.0.0.0', NODE_ENV: 'production' }
    expect((await runCli(['up'], { cwd: directory, app, env })).stdout).toBe(
      'api.port is 4000: PORT is set in the environment\napi.host is 0.0.0.0: HOST is set in the environment\n',
    )
  })

  it('applies the file to the holdfast that already runs from it', async () => {
    const calls: string[] = []
    const changes: ConfigChange[] = [{ path: 'services.web.instances', from: 1, to: 2, effect: 'scales web' }]
    const url = await startApi(changes, (call) => calls.push(call))
    const { pid, startTicks } = await startSleeper()
    leaveControlFile({ url, pid, startTicks, configFile })
    const { code, stdout } = await runCli(['up'], { cwd: directory })
    expect([code, stdout, calls]).toEqual([
      0,
      `holdfast (pid ${pid}) applied 1 change:\n  services.web.instances: 1 -> 2  (scales web)\n`,
      ['POST /api/infrastructure/config/reload'],
    ])
    expect(jsonOf(await runCli(['up', '--json'], { cwd: directory })).data).toEqual({ pid, changes })
  })

  it('does not call applied what waits for a restart', async () => {
    const changes: ConfigChange[] = [{ path: 'api.port', from: 1, to: 2, effect: 'needs a restart of holdfast' }]
    const { pid, startTicks } = await startSleeper()
    leaveControlFile({ url: await startApi(changes), pid, startTicks, configFile })
    const { code, stdout } = await runCli(['up'], { cwd: directory })
    expect([code, stdout]).toEqual([
      0,
      `1 change waits for a restart of holdfast (pid ${pid}):\n  api.port: 1 -> 2  (needs a restart of holdfast)\n` +
        'services go on: kill the control process with SIGKILL, then holdfast up takes over\n',
    ])
    changes.push({ path: 'services.web.instances', from: 1, to: 2, effect: 'scales web' })
    const both = (await runCli(['up'], { cwd: directory })).stdout
    expect(both).toContain(`holdfast (pid ${pid}) applied 1 change:\n  services.web.instances: 1 -> 2  (scales web)\n1 change waits for a restart`)
  })

  it('refuses when holdfast runs in the same data directory from another file', async () => {
    const other = path.join(directory, 'other.yml')
    const { pid, startTicks } = await startSleeper()
    leaveControlFile({ url: 'http://127.0.0.1:1', pid, startTicks, configFile: other })
    const { code, stderr } = await runCli(['up'], { cwd: directory })
    expect(code).toBe(1)
    expect(stderr).toContain(
      `could not start from ${configFile}: holdfast (pid ${pid}) already runs in ${directory}/data from ${other}; stop it with: holdfast down --config ${other}`,
    )
  })

  it('starts, where the control process is dead or its pid has gone to another', async () => {
    const seen: RunOptions[] = []
    const finish = { runControlProcess: (options: RunOptions) => Promise.resolve(void seen.push(options)) }
    leaveControlFile({ url: 'http://127.0.0.1:1', pid: 4_194_304, configFile })
    expect((await runCli(['up'], { cwd: directory, app: finish })).code).toBe(0)
    const { pid } = await startSleeper()
    leaveControlFile({ url: 'http://127.0.0.1:1', pid, startTicks: 1, configFile })
    expect((await runCli(['up'], { cwd: directory, app: finish })).code).toBe(0)
    expect(seen.map((options) => options.configFile)).toEqual([configFile, configFile])
  })

  it('gives up on a control process that lives and never answers', async () => {
    const { pid, startTicks } = await startSleeper()
    leaveControlFile({ url: 'http://127.0.0.1:1', pid, startTicks, configFile })
    const { code, stderr } = await runCli(['up'], { cwd: directory, clock: hurried(40) })
    expect([code, stderr]).toEqual([
      1,
      `error: a control process (pid ${pid}) runs in ${directory}/data, but does not answer at http://127.0.0.1:1; wait until it has started or stopped, or stop it with: holdfast down\n`,
    ])
  })
})

describe('holdfast up --detach', () => {
  const programFile = path.resolve('test/fixtures/control-process.mjs')
  const controlLog = (): string => readFileSync(path.join(directory, 'data/logs/control.log'), 'utf8')

  async function detach(mode: string, over: Partial<CliOptions> = {}): Promise<Ran> {
    const env = { ...process.env, FAKE_DATA: path.join(directory, 'data'), FAKE_MODE: mode }
    const ran = await runCli(['up', '--detach'], { cwd: directory, env, clock: systemClock, programFile, ...over })
    const control = readControlFile(path.join(directory, 'data'))
    if (control) detached.push(control.pid)
    return ran
  }

  it('ends with 0 once everything serves, and leaves it running', async () => {
    const { code, stdout, stderr } = await detach('serve')
    const pid = detached.at(-1) ?? 0
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('balancer   http://127.0.0.1:8080\n')
    expect(stdout).toContain('stop it    holdfast down\n')
    expect(stdout).toMatch(/dashboard {2}http:\/\/127\.0\.0\.1:\d+\/#login=abc {2}\(works once\)\n/)
    expect(stdout).toContain('try it     curl http://127.0.0.1:8080/\n')
    expect(stdout).toContain(`pid ${pid}, what it says goes to ${directory}/data/logs/control.log\n`)
    expect(stdout).toContain('web: none of 1 instances is ready\n')
    expect(controlLog()).toBe(`arguments: up --config ${configFile}\n`)
    expect(startTicksOf(pid)).toBeDefined()
  })

  it('passes on why it did not start, with its exit code', async () => {
    expect(await detach('fail')).toEqual({
      code: 2,
      stdout: 'starting\n',
      stderr: 'error: could not listen on 127.0.0.1:3006; choose another port\nsome evidence\n',
    })
    const { code, stderr } = await detach('die')
    expect([code, stderr.split('\n')[0]]).toEqual([
      1,
      `error: holdfast did not start: it was ended by SIGKILL; see ${directory}/data/logs/control.log`,
    ])
  })

  it('says what is not ready when the time that services have to start is over', async () => {
    const { code, stderr } = await detach('never-ready', { clock: hurried(40) })
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^error: holdfast \(pid \d+\) runs, but not everything is ready after 1m.*; it goes on trying; see: holdfast status\n {2}web: none of 1 instances is ready\n$/,
    )
  })

  it('ends as soon as everything has come to rest, and does not take a countdown for news', async () => {
    const startedAt = Date.now()
    const { code, stdout, stderr } = await detach('broken')
    expect(Date.now() - startedAt).toBeLessThan(15_000)
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^starting\n {2}web: exited with code 1; starts again in \d+ ms\n$/)])
    expect(stderr).toMatch(
      /^error: holdfast \(pid \d+\) runs, but not everything is ready after .*; it goes on trying; see: holdfast status\n {2}web: exited .*\n$/,
    )
  })

  it('stops waiting at Ctrl-C, and says what goes on', async () => {
    const signals = new FakeSignals()
    const ended = detach('never-ready', { signals })
    setTimeout(() => {
      signals.raise('SIGINT')
    }, 800)
    const { code, stderr } = await ended
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^error: stopped waiting; holdfast \(pid \d+\) goes on starting in the background; stop it with: holdfast down\n$/),
    ])
  })
})

describe('holdfast down', () => {
  it('orders the stop and waits until the process is gone', async () => {
    const { pid, startTicks } = await startSleeper()
    const url = await startApi({ stopping: true }, (call) => {
      if (call === 'POST /api/infrastructure/system/down') setTimeout(() => process.kill(pid, 'SIGKILL'), 100)
    })
    leaveControlFile({ url, pid, startTicks, configFile })
    const { code, stdout } = await runCli(['down'], { cwd: directory, clock: systemClock })
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(new RegExp(`^draining and stopping\nstopped holdfast \\(pid ${pid}\\) and everything it ran in \\ds\n$`)),
    ])
  })

  it('signals a control process that lives and does not answer', async () => {
    const { pid, startTicks } = await startSleeper()
    leaveControlFile({ url: 'http://127.0.0.1:1', pid, startTicks, configFile })
    expect((await runCli(['down'], { cwd: directory, clock: systemClock })).code).toBe(0)
    expect(startTicksOf(pid)).toBeUndefined()
  })

  it('signals nobody when it cannot be sure who that is', async () => {
    const { pid } = await startSleeper()
    leaveControlFile({ url: 'http://127.0.0.1:1', pid, configFile })
    const { code, stderr } = await runCli(['down'], { cwd: directory, clock: systemClock })
    expect([code, stderr]).toEqual([
      3,
      `error: holdfast (pid ${pid}) seems to run, but does not answer at http://127.0.0.1:1; when you are sure that it is holdfast: kill ${pid}\n`,
    ])
    expect(startTicksOf(pid)).toBeDefined()
  })

  it('stops waiting at Ctrl-C', async () => {
    const signals = new FakeSignals()
    const stderr = new Page()
    const { pid, startTicks } = await startSleeper()
    leaveControlFile({ url: await startApi({}), pid, startTicks, configFile })
    const ended = startCli(['down'], new Page(), stderr, { cwd: directory, clock: systemClock, signals })
    setTimeout(() => {
      signals.raise('SIGINT')
    }, 300)
    expect(await ended).toBe(1)
    expect(stderr.text).toBe('error: stopped waiting; holdfast goes on stopping; see: holdfast status\n')
  })

  it('stops what a dead control process has left', async () => {
    leaveControlFile({ url: 'http://127.0.0.1:1', pid: 4_194_304, configFile })
    const asked: unknown[] = []
    const stopLeftovers = (options: unknown) => {
      asked.push(options)
      return Promise.resolve({ stopped: 4, problems: ['the store is full'] })
    }
    const { code, stdout, stderr } = await runCli(['down'], { cwd: directory, app: { stopLeftovers } })
    expect([code, asked]).toEqual([0, [{ dataDir: path.join(directory, 'data'), configFile }]])
    expect(stdout).toContain('stopped 4 processes that a dead control process had left\n')
    expect(stderr).toBe('warning: the store is full\n')
  })

  it('is content when nothing runs', async () => {
    expect(await runCli(['down'], { cwd: directory })).toEqual({
      code: 0,
      stdout: `nothing to stop: holdfast is not running in ${directory}/data\n`,
      stderr: '',
    })
  })
})

describe('a command that asks the control process', () => {
  it('tells a dead control process from one that never ran', async () => {
    leaveControlFile({ url: 'http://127.0.0.1:1', pid: 4_194_304, configFile })
    const { code, stderr } = await runCli(['status'], { cwd: directory, clock: systemClock, connect })
    expect([code, stderr]).toEqual([
      3,
      'error: holdfast (pid 4194304) has died, its services and balancer may still run; take over with: holdfast up, stop them with: holdfast down\n',
    ])
  })
})

describe('holdfast doctor', () => {
  it('finds what is wrong, says what to mend, and changes nothing', async () => {
    const taken = createServer()
    servers.push(taken)
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as AddressInfo
    const [web = 0, metrics = 0] = await freePorts(2)
    writeFileSync(
      configFile,
      `api: { port: ${port} }\nmetrics: { port: ${metrics} }\nlisteners: { web: { port: ${web} } }\nservices:\n  web: { command: no-such-program-here --x }\n  other: { command: node x.js, cwd: ./missing }\n`,
    )
    const before = readdirSync(directory)
    const { code, stdout, stderr } = await runCli(['doctor'], { cwd: directory, env: { PATH: process.env.PATH }, clock: systemClock })
    expect(code).toBe(1)
    expect(stdout).toContain(`fail  port ${port}`)
    expect(stdout).toContain('its program no-such-program-here is not found')
    expect(stdout).toContain(`its cwd ${directory}/missing is no directory`)
    expect(stdout).toMatch(/^ok {4}sqlite +version 3\./m)
    expect(stderr).toMatch(/^error: 3 checks of \d+ failed: service web, service other, port \d+; mend/)
    expect(readdirSync(directory)).toEqual(before)
    const json = await runCli(['doctor', '--json'], { cwd: directory, clock: systemClock })
    expect(jsonOf(json).error).toMatchObject({ code: 'doctor_failed' })
  })

  it('warns of what a dead control process has left', async () => {
    leaveControlFile({ url: 'http://127.0.0.1:1', pid: 4_194_304, configFile })
    const { stdout } = await runCli(['doctor'], { cwd: directory, clock: systemClock })
    expect(stdout).toContain('holdfast (pid 4194304) has died; what it ran may go on')
  })

  it('takes the port of a listener for the balancer that a dead control process has left, the port of the API for a stranger', async () => {
    leaveControlFile({ url: 'http://127.0.0.1:1', pid: 4_194_304, configFile })
    const [balancer = 0, api = 0] = [await startApi({}), await startApi({})].map((url) => Number(new URL(url).port))
    const [metrics = 0] = await freePorts(1)
    const listeners = `{ web: { host: 127.0.0.1, port: ${balancer} } }`
    writeFileSync(
      configFile,
      `data: ./data\napi: { port: ${api} }\nmetrics: { port: ${metrics} }\nlisteners: ${listeners}\nservices:\n  web: { command: 'cd sub && exec node x.js' }\n`,
    )
    const { stdout } = await runCli(['doctor'], { cwd: directory, env: { PATH: process.env.PATH }, clock: systemClock })
    expect(stdout).toMatch(new RegExp(`^warn +port ${balancer} .* seems to be held by the balancer that a dead holdfast has left$`, 'm'))
    expect(stdout).toMatch(new RegExp(`^fail +port ${api} .* is taken by pid ${process.pid} \\(.*node.*\\)$`, 'm'))
    expect(stdout).toMatch(/^ok +service web +started by a shell$/m)
  })
})
