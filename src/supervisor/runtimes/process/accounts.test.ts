import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts'
import { seconds } from '../../../kernel/time.ts'
import { Accounts, identify, type AccountSources } from './accounts.ts'

const files: Readonly<Record<string, string>> = {
  '/etc/passwd': 'root:x:0:0:root:/root:/bin/bash\nweb:x:101:102:Web,,,:/srv/web:/bin/sh\n1001:x:7:8::/:\nbare:x:55:56:::\n',
  '/etc/group': 'root:x:0:\nweb:x:102:\nlogs:x:4:web\n',
}
const machine: AccountSources = {
  own: { uid: 0, gid: 0 },
  read: (path) => files[path],
  ask: () => undefined,
  setpriv: () => '/usr/bin/setpriv',
}
const asked =
  (answers: Readonly<Record<string, string>>): AccountSources['ask'] =>
  (program, args) =>
    answers[[program, ...args].join(' ')]

describe('the user of a service', () => {
  it('is found by name or number, with home and shell', () => {
    const web = { uid: 101, gid: 102, groups: [], name: 'web', home: '/srv/web', shell: '/bin/sh' }
    expect(identify({ name: 'web', group: undefined }, machine)).toEqual({ type: 'other', account: web, setpriv: undefined })
    expect(identify({ name: '101', group: undefined }, machine)).toEqual({ type: 'other', account: web, setpriv: undefined })
    expect(identify({ name: 'bare', group: undefined }, machine)).toMatchObject({ account: { home: undefined, shell: undefined } })
  })

  it('is a name before it is a number', () => {
    expect(identify({ name: '1001', group: undefined }, machine)).toMatchObject({ account: { uid: 7, gid: 8 } })
  })

  it('may have another group, by name or number', () => {
    expect(identify({ name: 'web', group: 'logs' }, machine)).toMatchObject({ account: { uid: 101, gid: 4 } })
    expect(identify({ name: 'web', group: '4711' }, machine)).toMatchObject({ account: { uid: 101, gid: 4711 } })
  })

  it('brings its further groups, which only setpriv can set', () => {
    const ask = asked({ 'id -G web': '102 4 27' })
    expect(identify({ name: 'web', group: undefined }, { ...machine, ask })).toMatchObject({
      account: { gid: 102, groups: [4, 27] },
      setpriv: '/usr/bin/setpriv',
    })
    const without = { ...machine, ask, setpriv: () => undefined }
    expect(identify({ name: 'web', group: undefined }, without)).toEqual({
      type: 'impossible',
      reason: 'could not become user web: it is in further groups (4, 27), which only setpriv can set; install setpriv (util-linux)',
    })
  })

  it('is asked for where accounts are kept elsewhere', () => {
    const directory = asked({ 'getent passwd ann': 'ann:*:5001:5002:Ann:/home/ann:/bin/zsh', 'getent group staff': 'staff:*:50:' })
    expect(identify({ name: 'ann', group: 'staff' }, { ...machine, ask: directory })).toMatchObject({ account: { uid: 5001, gid: 50 } })
    const idOnly = asked({ 'id -u ann': '501', 'id -g ann': '20' })
    expect(identify({ name: 'ann', group: undefined }, { ...machine, read: () => undefined, ask: idOnly })).toMatchObject({
      account: { uid: 501, gid: 20, home: undefined },
    })
  })

  it.each([
    ['ghost', undefined, { uid: 0, gid: 0 }, 'could not become user ghost: there is no such user on this machine'],
    ['web', 'ghosts', { uid: 0, gid: 0 }, 'could not become user web: there is no group ghosts on this machine'],
    ['4711', undefined, { uid: 0, gid: 0 }, 'could not become user 4711: it is a number without an account, so its group must be given too'],
    [
      'web',
      undefined,
      { uid: 1000, gid: 1000 },
      'could not become user web: holdfast runs as uid 1000 with gid 1000, and only root may run programs as somebody else',
    ],
    ['web', undefined, undefined, 'could not become user web: this system has no users of that kind'],
  ])('is refused in one sentence: %s', (name, group, own, reason) => {
    expect(identify({ name, group }, { ...machine, own })).toEqual({ type: 'impossible', reason })
  })

  it('needs no rights when it is the one who runs Holdfast', () => {
    expect(identify({ name: 'web', group: undefined }, { ...machine, own: { uid: 101, gid: 102 } })).toEqual({ type: 'current' })
    expect(identify({ name: 'web', group: 'logs' }, { ...machine, own: { uid: 101, gid: 102 } })).toMatchObject({ type: 'impossible' })
  })

  it('is looked up again after a while only', async () => {
    const clock = new VirtualClock()
    let reads = 0
    const accounts = new Accounts(clock, { ...machine, read: (path) => (reads++, files[path]) })
    for (let start = 0; start < 100; start++) accounts.identify({ name: 'web', group: undefined })
    expect(reads).toBe(1)
    await clock.advance(seconds(10))
    accounts.identify({ name: 'web', group: undefined })
    expect(reads).toBe(2)
  })
})
