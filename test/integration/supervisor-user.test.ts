/** Services that run as another user, for which Holdfast must be root: elsewhere said and skipped. */
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execFileSync } from 'node:child_process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { identify } from '../../src/supervisor/runtimes/process/accounts.ts'
import { eventually, harness, lives, removeFolder, serviceOf, temporaryFolder, type Harness } from '../support/supervisor-harness.ts'

const isRoot = process.getuid?.() === 0
if (!isRoot) console.log('skipped: services as another user can be tested by root only')

const identityOf = (pid: number): Record<string, string> =>
  Object.fromEntries(
    readFileSync(`/proc/${pid}/status`, 'utf8')
      .split('\n')
      .map((line) => [
        line.slice(0, line.indexOf(':')),
        line
          .slice(line.indexOf(':') + 1)
          .trim()
          .replace(/\s+/g, ' '),
      ]),
  )
const idOf = (...args: string[]): string => execFileSync('id', args, { encoding: 'utf8' }).trim()

describe.runIf(isRoot)('a service with a user', () => {
  let folder: string
  let h: Harness

  beforeEach(async () => {
    folder = temporaryFolder()
    // Others must get at the program, not at what Holdfast keeps.
    chmodSync(folder, 0o711)
    writeFileSync(
      join(folder, 'serve.mjs'),
      `import { createServer } from 'node:http'
       import { appendFileSync } from 'node:fs'
       console.log('uid ' + process.getuid() + ' home ' + process.env.HOME + ' user ' + process.env.USER)
       appendFileSync('/dev/stdout', 'opened anew\\n')
       console.error('to stderr')
       createServer((_, answer) => answer.end('ok')).listen(process.env.PORT, '127.0.0.1')`,
    )
    h = await harness({ directory: join(folder, 'data'), env: { ...process.env, HOME: '/root', USER: 'root' } })
  })

  afterEach(async () => {
    await h.supervisor.stopAll(AbortSignal.timeout(3_000))
    await h.supervisor.stop(AbortSignal.timeout(1_000))
    removeFolder(folder)
  })

  const command = (): string => `${process.execPath} ${join(folder, 'serve.mjs')}`
  const pid = (): number => h.supervisor.instances('web')[0]?.pid ?? 0
  const output = (): string[] => h.supervisor.logs.read('web', {}).map(({ text }) => text)

  it.each([
    ['a plain command', command, ''],
    ['a command for the shell', () => `exec ${command()}`, ''],
  ])('runs as that user without rights of root, writes its output, is restarted and stopped: %s', async (_, commandOf) => {
    h.supervisor.apply([serviceOf('web', { command: commandOf(), cwd: '/', user: { name: 'nobody', group: undefined } })])
    await h.supervisor.whenReady('web')
    const [uid, gid] = [idOf('-u', 'nobody'), idOf('-g', 'nobody')]
    const first = pid()
    expect(identityOf(first)).toMatchObject({
      Uid: [uid, uid, uid, uid].join(' '),
      Gid: [gid, gid, gid, gid].join(' '),
      Groups: '',
      CapEff: '0000000000000000',
      CapPrm: '0000000000000000',
    })
    const home = /^nobody:(?:[^:]*:){4}([^:]*)/m.exec(readFileSync('/etc/passwd', 'utf8'))?.[1] ?? ''
    await eventually(
      'it has written',
      () => statSync(join(folder, 'data/logs/web', `${h.supervisor.instances('web')[0]?.id ?? ''}.stderr.log`)).size > 0,
    )
    expect(output()).toEqual(expect.arrayContaining([`uid ${uid} home ${home} user nobody`, 'opened anew', 'to stderr']))
    process.kill(first, 'SIGKILL')
    await eventually('it is back', () => h.events.of('instance.ready').length === 2)
    expect(identityOf(pid()).Uid).toBe([uid, uid, uid, uid].join(' '))
    const last = pid()
    await h.supervisor.stopAll(AbortSignal.timeout(3_000))
    expect(lives(last)).toBe(false)
  })

  it('has the further groups of its user, and stays the same process', async () => {
    // www-data and the like differ from machine to machine: any account in more than one group will do.
    const names = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => line.split(':')[0] ?? '')
    const name = names.find((one) => one !== '' && idOf('-u', one) !== '0' && idOf('-G', one).includes(' '))
    if (name === undefined) {
      console.log('skipped: no account of this machine is in more than one group')
      return
    }
    const identity = identify({ name, group: undefined })
    expect(identity).toMatchObject({ type: 'other', setpriv: expect.stringContaining('setpriv') as string })
    h.supervisor.apply([serviceOf('web', { command: command(), cwd: '/', user: { name, group: undefined } })])
    await h.supervisor.whenReady('web')
    const [gid = '', ...further] = idOf('-G', name).split(' ')
    expect(identityOf(pid())).toMatchObject({
      // Newer versions of Node name their main thread.
      Name: expect.stringMatching(/^(?:node|MainThread)$/) as string,
      Gid: [gid, gid, gid, gid].join(' '),
      Groups: further.join(' '),
      CapEff: '0000000000000000',
    })
    h.supervisor.apply([serviceOf('gone', { command: 'no-such-program', cwd: '/', user: { name, group: undefined } })])
    await h.supervisor.whenSettled()
    expect(h.supervisor.instances('gone')[0]).toMatchObject({
      phase: 'done',
      reason: expect.stringMatching(/there is no program "no-such-program"/) as string,
    })
  })

  it('is taken over by the next control process', async () => {
    h.supervisor.apply([serviceOf('web', { command: command(), cwd: '/', user: { name: 'nobody', group: undefined } })])
    await h.supervisor.whenReady('web')
    const before = pid()
    await h.supervisor.stop(AbortSignal.timeout(1_000))
    h = await harness({ directory: join(folder, 'data'), store: h.store })
    expect(h.supervisor.apply([serviceOf('web', { command: command(), cwd: '/', user: { name: 'nobody', group: undefined } })]).adopted).toBe(1)
    await h.supervisor.whenReady('web')
    expect(pid()).toBe(before)
  })

  it('is done at once, with a sentence, when there is no such user', async () => {
    h.supervisor.apply([serviceOf('web', { command: command(), user: { name: 'no-such-user', group: undefined } })])
    await h.supervisor.whenSettled()
    expect(h.supervisor.instances('web')[0]).toMatchObject({
      phase: 'done',
      reason: expect.stringMatching(/could not become user no-such-user: there is no such user on this machine/) as string,
    })
  })
})
