/** Every way to start wrongly: said in words that name what, where, what was found and what to do; the right exit code; nothing left running. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../chaos/wait.ts'
import { Product, type Ran } from '../support/product.ts'

let product: Product
const servers: Server[] = []

beforeEach(async () => {
  product = await Product.create()
})
afterEach(async () => {
  for (const server of servers.splice(0)) server.close()
  expect(await product.end()).toEqual([])
})

async function occupy(port: number): Promise<void> {
  const server = createServer()
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
}

/** It ended with this code, said all of this on stderr, and nothing runs. */
function expectRefusal({ code, stderr }: Ran, expected: number, ...said: readonly (string | RegExp)[]): void {
  expect(stderr).toMatch(/^error: /)
  for (const each of said) expect(stderr).toMatch(each)
  expect(code).toBe(expected)
  expect(product.survivors()).toEqual([])
}

describe('a wrong configuration is refused with 2', () => {
  const smallest = 'services:\n  web:\n    command: node server.js\n'
  it.each<[string, string, readonly RegExp[]]>([
    ['a misspelt key', `${smallest}    instanses: 2\n`, [/4:5\b/, /services\.web\.instanses/, /instances/]],
    ['a wrong type', `${smallest}    instances: many\n`, [/4:16\b/, /services\.web\.instances/, /"?many"?/]],
    ['no YAML', 'services: [\n', [/holdfast\.yml/, /2:1|1:1\d/]],
    ['nothing at all', '', [/services/]],
    ['two sources', `${smallest}    endpoints: ['127.0.0.1:1']\n`, [/services\.web/, /command/, /endpoints/]],
    [
      'two services at one route',
      `services:\n  a: { command: x, routes: [{ path: / }] }\n  b: { command: y, routes: [{ path: / }] }\n`,
      [/services\.b\.routes/],
    ],
    ['an unknown listener', `${smallest}    routes: [{ path: /, listener: wed }]\n`, [/wed/, /web/]],
    ['a circle of dependencies', 'services:\n  a: { command: x, dependsOn: [b] }\n  b: { command: y, dependsOn: [a] }\n', [/dependsOn/, /a.*b/]],
    [
      'an environment variable that is not set',
      `${smallest}    env: { KEY: "\${HOLDFAST_E2E_UNSET}" }\n`,
      [/HOLDFAST_E2E_UNSET/, /services\.web\.env\.KEY/],
    ],
    ['a file that is not there', `${smallest}    env: { KEY: "\${file:secret.txt}" }\n`, [/secret\.txt/, /services\.web\.env\.KEY/]],
    ['a folder in place of a file', `${smallest}    env: { KEY: "\${file:.}" }\n`, [/services\.web\.env\.KEY/]],
    ['a port that is none', 'listeners: { web: { port: 70000 } }\nservices: { web: { command: x } }\n', [/listeners\.web\.port/, /70000/]],
  ])('%s', async (_what, text, said) => {
    product.write('holdfast.yml', text)
    expectRefusal(await product.run('up'), 2, /holdfast\.yml/, ...said)
    expectRefusal(await product.run('config', 'check'), 2, ...said)
  })

  it('as many problems as there are, at once', async () => {
    product.write('holdfast.yml', 'api: { prot: 1 }\nservices:\n  web: { comand: x }\n')
    expectRefusal(await product.run('up'), 2, /problems/, /api\.prot/, /services\.web\.comand/)
  })

  it('a file that does not exist, a folder, and a file that is no text', async () => {
    expectRefusal(await product.run('up', '--config', product.path('missing.yml')), 2, /missing\.yml/)
    mkdirSync(product.path('folder.yml'))
    expectRefusal(await product.run('up', '--config', product.path('folder.yml')), 2, /folder\.yml/)
    writeFileSync(product.path('binary.yml'), Buffer.from([0, 255, 254, 1, 2, 3]))
    expectRefusal(await product.run('up', '--config', product.path('binary.yml')), 2, /binary\.yml/)
  })
})

describe('a port in use is refused with 1', () => {
  it.each([
    ['of the API', 'api', /api\.port|--?.*port/],
    ['of the metrics', 'metrics', /metrics/],
    ['of the balancer', 'web', /listeners/],
  ] as const)('%s', async (_whose, which, hint) => {
    product.configure({ web: { instances: 2 } })
    await occupy(product.ports[which])
    expectRefusal(await product.run('up'), 1, new RegExp(`\\b${product.ports[which]}\\b`), new RegExp(`in use by pid ${process.pid} `), hint)
  })
})

describe('a service that cannot run', () => {
  it.each([
    ['a program that is not there', { command: 'no-such-program-here' }, /no-such-program-here/],
    ['a program that may not be executed', { command: './data.txt' }, /data\.txt/],
    ['a folder that is not there', { cwd: './missing' }, /missing/],
    ['one that ends at once', { env: { BROKEN: 'crash' } }, /it cannot start|code 1/],
    ['one that listens elsewhere', { env: { BROKEN: 'wrong-port' }, start: { timeout: '2s' } }, /must listen on \$PORT/],
    ['one that never listens', { env: { BROKEN: 'never-ready' }, start: { timeout: '2s' } }, /listens/],
  ])('%s: told, while the others serve', async (_what, settings, why) => {
    writeFileSync(product.path('data.txt'), 'no program', { mode: 0o644 })
    product.configure({ web: { ...settings, routes: [{ path: '/broken' }] }, good: {} })
    const up = product.start(['up'])
    await until('the reason is told', async () => {
      const broken = (await product.tryOverview())?.services.find(({ name }) => name === 'web')
      const reasons = [
        broken?.reason,
        ...(broken?.instances.map(({ reason, lastExit }) => `${reason ?? ''} ${lastExit?.stderrTail.join(' ') ?? ''}`) ?? []),
      ]
      return why.test(reasons.join(' ')) || undefined
    })
    expect((await product.get()).status).toBe(200)
    expect((await product.run('status')).stdout).toContain('unhealthy')
    await product.down()
    expect((await up.ended).code).toBe(0)
  })
})

describe('a data directory that cannot be used is refused with 1', () => {
  it('a file in its place', async () => {
    product.configure()
    writeFileSync(product.path('data'), 'a file')
    expectRefusal(await product.run('up'), 1, new RegExp(product.path('data')), /data/)
  })

  it('a folder in the place of the file that tells where it is to be reached: what was started is stopped again', async () => {
    product.configure({ web: { instances: 2 } })
    mkdirSync(product.path('data', 'run', 'control.json', 'in the way'), { recursive: true })
    expectRefusal(await product.run('up'), 1, /control\.json/, /in its place/)
    rmSync(product.path('data', 'run', 'control.json'), { recursive: true })
    await product.up()
    await product.settled(2)
    await product.down()
  })

  /** A private mount namespace, in which the data directory is what the test wants it to be. */
  const mounted = (mount: string): readonly string[] => ['unshare', '-Urm', 'sh', '-c', `${mount} && exec "$@"`, 'sh']
  const canMount = spawnSync('unshare', ['-Urm', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0
  if (!canMount) console.log('skipped: full and read-only data directories (unshare -Urm with a tmpfs is not possible here)')

  it.runIf(canMount)('a full disk', async () => {
    product.configure()
    mkdirSync(product.path('data'))
    const fill = `mount -t tmpfs -o size=1m none ${product.path('data')} && (cat /dev/zero > ${product.path('data', 'big')} || true) 2> ${product.path('fill.txt')}`
    const ran = await product.start(['up'], { wrap: mounted(fill) }).ended
    expectRefusal(ran, 1, new RegExp(product.path('data')), /space|ENOSPC|full/)
  })

  it.runIf(canMount)('a disk that has room for nothing more than the start', async () => {
    product.configure({ web: { instances: 2 } })
    mkdirSync(product.path('data'))
    const wrap = mounted(`mount -t tmpfs -o size=400k none ${product.path('data')}`)
    const up = product.start(['up'], { wrap })
    // Whether it starts is a matter of bytes; that it either serves or is gone with a word is not.
    await until('it serves or has ended', () => up.stdout.includes('holdfast is serving') || !up.running || undefined)
    if (up.running) {
      expect((await product.get()).status).toBe(200)
      up.signal('SIGINT')
      expect((await up.ended).code).toBe(0)
    } else expectRefusal(await up.ended, 1, /space|ENOSPC|full/)
    expect(product.survivors()).toEqual([])
  })

  it.runIf(canMount)('one that is read-only', async () => {
    product.configure()
    mkdirSync(product.path('data'))
    const data = product.path('data')
    const wrap = mounted(`mount --bind ${data} ${data} && mount -o remount,ro,bind ${data}`)
    expectRefusal(await product.start(['up'], { wrap }).ended, 1, new RegExp(data), /EROFS|read-only/)
  })
})

describe('two at once', () => {
  it('a second up on the same data directory with another file is refused with 1, and the first goes on', async () => {
    product.configure()
    const first = await product.up()
    const other = product.write('other.yml', `data: ./data\nservices: { web: { command: node server.js } }\n`)
    const { code, stderr } = await product.run('up', '--config', other)
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining(`holdfast (pid ${first.pid}) already runs in ${product.path('data')} from ${product.configFile}`),
    ])
    expect((await product.get()).status).toBe(200)
    await product.down()
  })

  it('of two that start in the same instant one serves; the other joins it or is refused', async () => {
    product.configure({ web: { instances: 2 } })
    for (let round = 0; round < 3; round++) {
      const both = [product.start(['up']), product.start(['up'])]
      await until('one of them serves', () => both.some(({ stdout }) => stdout.includes('holdfast is serving')) || undefined)
      await product.settled(2)
      await until('the other has ended', () => both.filter(({ running }) => running).length === 1 || undefined)
      const loser = await both.find(({ running }) => !running)!.ended
      if (loser.code === 0) expect(loser.stdout).toMatch(/already runs this configuration/)
      else expect([loser.code, loser.stderr]).toEqual([1, expect.stringMatching(/^error: the data directory .* is in use by pid \d+; /)])
      // Control, proxy, two workers, two instances.
      expect(product.survivors()).toHaveLength(6)
      await product.down()
    }
  })
})
