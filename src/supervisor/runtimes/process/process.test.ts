/** The parts of the process runtime that only think. */
import { describe, expect, it } from 'vitest'
import type { ProcessSource } from '../../../config/types.ts'
import { parseCommand } from './command.ts'
import { explainNotReady } from './diagnosis.ts'
import { environmentFor } from './environment.ts'
import { explainSpawnFailure } from './launch.ts'

describe('a command', () => {
  it.each([
    ['node server.js', 'node', ['server.js']],
    ['  node   server.js --flag=x  ', 'node', ['server.js', '--flag=x']],
    ['./bin/serve -c /etc/web.conf', './bin/serve', ['-c', '/etc/web.conf']],
    ['python3 -m http.server', 'python3', ['-m', 'http.server']],
  ])('of plain words is run as it is: %s', (command, file, args) => {
    expect(parseCommand(command)).toEqual({ file, args, shell: false })
  })

  it.each([
    'node server.js --port $PORT',
    'LOG=debug node server.js',
    'cd app && node server.js',
    'node "my server.js"',
    'exec node a.js',
    'a | b',
    'a; b',
    'ls *',
    'a\nb',
    '',
    'ä',
  ])('of anything else is given to the shell: %j', (command) => {
    expect(parseCommand(command)).toEqual({ file: '/bin/sh', args: ['-c', command], shell: true })
  })
})

describe('the environment of an instance', () => {
  const marks = { id: 'web-abc123', service: 'web', dataDirectory: '/data', port: 20_001 }
  const ours = { HOLDFAST_INSTANCE: 'web-abc123', HOLDFAST_SERVICE: 'web', HOLDFAST_DATA: '/data', PORT: '20001' }

  it('takes from the parent what every program needs and nothing else', () => {
    const parent = {
      PATH: '/bin',
      LC_ALL: 'C',
      NODE_ENV: 'production',
      AWS_SECRET_ACCESS_KEY: 'x',
      NODE_OPTIONS: '--inspect',
      NODE_CHANNEL_FD: '3',
      HOLDFAST_TOKEN: 'x',
    }
    expect(environmentFor(parent, {}, marks)).toEqual({ PATH: '/bin', LC_ALL: 'C', NODE_ENV: 'production', ...ours })
  })

  it('lets the service overrule the parent, and nobody overrule the marks', () => {
    expect(environmentFor({ PATH: '/bin' }, { PATH: '/opt/bin', PORT: '80', HOLDFAST_INSTANCE: 'x' }, marks)).toEqual({ PATH: '/opt/bin', ...ours })
  })
})

describe('why an instance is not ready', () => {
  const evidence = { port: 41_003, waited: 30_000, last: undefined, listening: [] as readonly number[] }

  it.each([
    [evidence, 'not ready after 30 s: alive but nothing listens on 41003, or on any other port; it must listen on $PORT'],
    [
      { ...evidence, listening: [3000, 3001] },
      'not ready after 30 s: alive but nothing listens on 41003; it listens on 3000, 3001 and must listen on $PORT',
    ],
    [{ ...evidence, listening: undefined }, 'not ready after 30 s: alive but nothing listens on 41003; it must listen on $PORT'],
    [
      { ...evidence, listening: [41_003] },
      'not ready after 30 s: alive and listening on 41003, but on no loopback address; it must listen on 127.0.0.1, ::1 or all addresses',
    ],
    [
      { ...evidence, last: { passed: false, connected: true, reason: 'GET /health answered 503 instead of 200-399' } as const, listening: [41_003] },
      'not ready after 30 s: alive, but GET /health answered 503 instead of 200-399',
    ],
  ])('is said in one sentence (%#)', (given, sentence) => {
    expect(explainNotReady(given)).toBe(sentence)
  })
})

describe('a spawn that failed', () => {
  const source: ProcessSource = { kind: 'process', command: 'serve', cwd: '/', env: {}, port: 'auto' }
  const failure = (code: string, cwd = '/') =>
    explainSpawnFailure(Object.assign(new Error(`spawn ${code}`), { code }), { ...source, cwd }, { file: 'serve', args: [], shell: false })

  it.each(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE'])('for want of resources (%s) may be tried again', (code) => {
    expect(failure(code)).toEqual({ kind: 'resource', reason: `could not run "serve": this machine is out of resources (${code})` })
  })

  it('for what is missing is a matter of configuration', () => {
    expect(failure('ENOENT')).toEqual({ kind: 'config', reason: 'could not run "serve": there is no program "serve" on the PATH or in /' })
    expect(failure('ENOENT', '/no/such/folder')).toEqual({
      kind: 'config',
      reason: 'could not run "serve": its folder /no/such/folder does not exist',
    })
    expect(failure('EACCES')).toEqual({ kind: 'config', reason: 'could not run "serve": no permission to execute "serve" in /' })
    expect(failure('E2BIG')).toEqual({ kind: 'config', reason: 'could not run "serve": spawn E2BIG' })
  })
})
