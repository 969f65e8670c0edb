import { describe, expect, it } from 'vitest'
import { HoldfastError } from '../kernel/errors.ts'
import type { Api } from './client.ts'
import { commands } from './commands/index.ts'
import { plannedCommands } from './commands/planned.ts'
import { ApiError } from './errors.ts'
import { anOverview } from './testing/fixtures.ts'
import { jsonOf, runCli } from './testing/run-cli.ts'

const api: Partial<Api> = { overview: () => Promise.resolve(anOverview()) }
const gone = (): never => {
  throw new HoldfastError('not_running', 'holdfast is not running in /data', { hint: 'start it with: holdfast up' })
}

describe('the command line', () => {
  it('prints version and help on stdout with exit code 0', async () => {
    expect(await runCli(['--version'])).toEqual({ code: 0, stdout: '9.9.9\n', stderr: '' })
    for (const args of [['--help'], ['help'], ['help', 'logs'], ['logs', '--help'], ['config', 'show', '-h']]) {
      const { code, stdout, stderr } = await runCli(args)
      expect([code, stderr, stdout.startsWith('Usage: holdfast')], args.join(' ')).toEqual([0, '', true])
    }
  })

  it.each(commands.map((command) => [command.name, command] as const))(
    '%s --help shows usage, every parameter, examples and the common options',
    async (name, command) => {
      const { stdout } = await runCli([...name.split(' '), '--help'])
      for (const { syntax } of [...Object.values(command.arguments), ...Object.values(command.options)]) expect(stdout).toContain(syntax)
      for (const example of command.examples) expect(stdout).toContain(example)
      for (const common of ['--json', '--config <file>', '--url <url>', '--token <token>']) expect(stdout).toContain(common)
    },
  )

  it('shows help and fails when no command is given', async () => {
    const { code, stdout, stderr } = await runCli([])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain('Usage: holdfast')
  })

  it.each([
    [['stats'], "error: unknown command 'stats'; did you mean status?\n"],
    [['config', 'shwo'], "error: unknown command 'shwo'; did you mean show?\n"],
    [['logs', 'shop', '--folow'], "error: unknown option '--folow'; did you mean --follow?\n"],
    [['restart'], "error: missing required argument 'service'; see: holdfast --help\n"],
    [['scale', 'shop', 'many'], 'error: [instances]: expected a whole number from 0 to 1000, got "many"\n'],
    [['scale', 'shop', '1', '2'], /too many arguments/],
    [['scale', 'shop', '-1'], 'error: expected no negative number, got "-1"; see: holdfast --help\n'],
    [['maintenance', 'shop', 'maybe'], 'error: <on|off>: expected on or off, got "maybe"\n'],
    [['token', 'create'], 'error: --role is missing; give --role viewer, operator or admin\n'],
    [['scale', 'shop', '--auto'], 'error: holdfast scale --auto is not available yet; it comes with a later release\n'],
  ])('%j is bad usage', async (args, message) => {
    const { code, stdout, stderr } = await runCli(args)
    expect([code, stdout]).toEqual([2, ''])
    if (typeof message === 'string') expect(stderr).toBe(message)
    else expect(stderr).toMatch(message)
  })

  it('shows in its help what there is, and not what is planned', async () => {
    const { stdout } = await runCli(['--help'])
    const listed = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name)
    expect(listed).toEqual([...new Set(commands.map(({ name }) => name.split(' ')[0])), 'help'])
    expect(stdout).not.toMatch(/not available yet|rollouts/)
  })

  it('does not end a sentence twice before it says what to do', async () => {
    const failing = { overview: () => Promise.reject(new HoldfastError('x', 'it said: no.', { hint: 'try again' })) }
    expect((await runCli(['status'], { api: failing })).stderr).toBe('error: it said: no; try again\n')
  })

  it.each(plannedCommands)('knows %s, which is to come', async (name) => {
    const { code, stderr } = await runCli([...name.split(' '), 'something', '--whatever', '-x'])
    expect([code, stderr]).toEqual([2, `error: holdfast ${name} is not available yet; it comes with a later release\n`])
  })

  it('tells errors as one JSON document on stdout when asked, wherever --json stands', async () => {
    for (const args of [
      ['--json', 'stats'],
      ['stats', '--json'],
      ['logs', '--json'],
    ]) {
      const ran = await runCli(args)
      expect([ran.code, ran.stderr, jsonOf(ran).success, jsonOf(ran).error?.code]).toEqual([2, '', false, 'bad_usage'])
    }
    const ran = await runCli(['status', '--json'], { connect: gone })
    expect(jsonOf(ran)).toEqual({
      success: false,
      error: { code: 'not_running', message: 'holdfast is not running in /data', hint: 'start it with: holdfast up', details: {} },
    })
  })

  it('does not take a --json behind -- for the option', async () => {
    const { stderr } = await runCli(['restart', '--', '--json'], {
      api: { restart: () => Promise.reject(new ApiError(404, 'unknown_service', 'no such service')) },
    })
    expect(stderr).toBe('error: no such service\n')
  })

  it.each([
    [400, 2],
    [401, 4],
    [403, 4],
    [404, 1],
    [409, 1],
    [412, 1],
    [429, 1],
    [500, 1],
    [501, 2],
    [503, 1],
  ])('an answer of %d becomes exit code %d', async (status, code) => {
    const ran = await runCli(['scale', 'shop', '3'], {
      api: { scale: () => Promise.reject(new ApiError(status, 'some_code', 'said no', { hint: 'do this' })) },
    })
    expect(ran).toEqual({ code, stdout: '', stderr: 'error: said no; do this\n' })
  })

  it('exits with 3 when nobody is there, and with 1 on any other failure, in one line', async () => {
    expect((await runCli(['status'], { connect: gone })).code).toBe(3)
    const failing = { overview: () => Promise.reject(new Error('first\nsecond\u001b[2J', { cause: new Error('why') })) }
    expect(await runCli(['status'], { api: failing })).toEqual({ code: 1, stdout: '', stderr: 'error: first second: why\n' })
  })

  it('closes what it has connected to, also after a failure', async () => {
    let closed = 0
    const close = (): Promise<void> => {
      closed += 1
      return Promise.resolve()
    }
    await runCli(['status'], { api: { ...api, close } })
    await runCli(['status', 'nosuch'], { api: { ...api, close } })
    expect(closed).toBe(2)
  })
})
