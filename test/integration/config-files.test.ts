/** Configuration from real files: what is found, what cannot be read, secrets beside it, and the files and pages we ship. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { configReference, defaultConfigFile, loadConfig, parseConfig, problemLine, problemsOf, showConfig } from '../../src/config/index.ts'
import { codeOf } from '../../src/kernel/errors.ts'

const repository = path.resolve(import.meta.dirname, '../..')
let directory = ''

beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'holdfast-config-'))
})
afterAll(() => {
  rmSync(directory, { recursive: true })
})

function write(name: string, content: string | Uint8Array): string {
  const file = path.join(directory, name)
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(file, content)
  return file
}

function pipe(name: string): string {
  const file = path.join(directory, name)
  execFileSync('sh', ['-c', 'mkfifo "$0"', file])
  return file
}

function thrown(action: () => unknown): unknown {
  try {
    action()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

describe('finding the file', () => {
  it('takes holdfast.yml, then config/high_availability.yml, and says when there is neither', () => {
    expect(codeOf(thrown(() => defaultConfigFile(directory)))).toBe('config_not_found')
    const second = write('config/high_availability.yml', 'name: second\nservices: {}\n')
    expect(defaultConfigFile(directory)).toBe(second)
    const first = write('holdfast.yml', 'name: first\nservices: {}\n')
    expect(loadConfig({ env: {}, cwd: directory }).config).toMatchObject({ file: first, name: 'first', data: path.join(directory, '.holdfast') })
    rmSync(first)
    rmSync(second)
  })

  it('starts relative paths from the directory of the file, from wherever it is named', () => {
    write('sub/holdfast.yml', 'services: { web: { command: x, cwd: app } }')
    const { config } = loadConfig({ file: 'sub/holdfast.yml', env: {}, cwd: directory })
    expect(config).toEqual(loadConfig({ file: 'holdfast.yml', env: {}, cwd: path.join(directory, 'sub') }).config)
    expect(config.services.web?.source).toMatchObject({ cwd: path.join(directory, 'sub/app') })
  })

  it('names the file in problems as the user would', () => {
    write('sub/bad.yml', 'servces: {}')
    const error = thrown(() => loadConfig({ file: 'sub/bad.yml', env: {}, cwd: directory }))
    expect(problemsOf(error).map(problemLine)).toEqual([`sub/bad.yml:1:1 servces: unknown key; did you mean "services"?`])
  })
})

describe('what cannot be read', () => {
  it.each([
    ['a missing file', 'config_not_found', () => 'missing.yml'],
    ['a directory', 'config_unreadable', () => '.'],
    ['a file that is too large', 'config_invalid', () => write('large.yml', `#${'x'.repeat(1_048_576)}`)],
    ['a device without end', 'config_unreadable', () => '/dev/zero'],
    ['a pipe that nobody writes to', 'config_unreadable', () => pipe('pipe.yml')],
    ['a file in another encoding', 'config_invalid', () => write('latin.yml', Uint8Array.of(0x6e, 0x3a, 0x20, 0xe4, 0x0a))],
    ['an empty file', 'config_invalid', () => write('empty.yml', '')],
  ])('%s is %s', (_, code, file) => {
    expect(codeOf(thrown(() => loadConfig({ file: file(), env: {}, cwd: directory })))).toBe(code)
  })
})

describe('secret files', () => {
  it('are read beside the configuration, without the space around them, and never shown', () => {
    write('keys/jwt', `\n${'s'.repeat(40)}\n`)
    write(
      'holdfast.yml',
      'access: { jwtSecret: ${file:keys/jwt} }\nservices: { web: { command: x, env: { DSN_OF: a, URL: "db?${file:${KEYS:-keys}/jwt}" } } }\n',
    )
    const loaded = loadConfig({ env: {}, cwd: directory })
    expect(loaded.config.access.jwtSecret).toBe('s'.repeat(40))
    expect(loaded.config.services.web?.source).toMatchObject({ env: { URL: `db?${'s'.repeat(40)}` } })
    expect(JSON.stringify(showConfig(loaded))).not.toContain('sss')
  })

  it('that cannot be used are problems of the value', () => {
    write('keys/large', 'x'.repeat(65_537))
    write('keys/binary', Uint8Array.of(0xff, 0xfe, 0x00))
    symlinkSync('loop', path.join(directory, 'keys/loop'))
    const text = (name: string): string => `services: { web: { command: x, env: { A: "\${file:keys/${name}}" } } }`
    const problem = (name: string): string => {
      const error = thrown(() => parseConfig(text(name), { baseDir: directory, label: 'f' }))
      return problemsOf(error).map(problemLine).join('\n')
    }
    expect(problem('large')).toBe('f:1:42 services.web.env.A: the file keys/large is larger than 65536 bytes')
    expect(problem('missing')).toContain('the file keys/missing cannot be read: ENOENT')
    expect(problem('loop')).toContain('the file keys/loop cannot be read: ELOOP')
    expect(problem('binary')).toContain('the file keys/binary cannot be read')
    expect(problem('')).toContain('cannot be read: not a regular file')
  })
})

describe('what we ship', () => {
  const example = path.join(repository, 'config/high_availability.yml')

  it('the example is valid as it stands, and its commands exist', () => {
    const { config } = loadConfig({ file: example, env: {}, cwd: repository })
    expect(Object.keys(config.services)).toEqual(['shop', 'chat'])
    expect(config.data).toBe(path.join(repository, '.holdfast'))
    for (const { source } of Object.values(config.services)) {
      const [program, script = ''] = source.kind === 'process' ? source.command.split(' ') : []
      expect(program).toBe('node')
      execFileSync(process.execPath, ['--check', script], { cwd: source.kind === 'process' ? source.cwd : '' })
    }
  })

  it('the example is valid with everything in it switched on, and then holds every key there is', () => {
    const text = readFileSync(example, 'utf8')
      .replaceAll(/^ {2}#(?=legacy:|orders:|plain:|db:|dbread:| {2})/gm, '  ')
      .replace('  # access:', '  access:')
      .replace('# tracing:', 'tracing:')
      .replace('# limits:', 'limits:')
      .replace('# sticky:', 'sticky:')
      .replace('# when:', 'when:')
      .replace('  # jwtSecret: ${file:jwt.secret}', `  jwtSecret: ${'x'.repeat(32)}`)
      .replace('${file:cache.key}', 'ab'.repeat(32))
      .replaceAll(/^ {2}# (?=(?:objectives|prometheus|maintenance|receiver|fallback|routes|inhibit|timeIntervals|url):)/gm, '  ')
      .replace('  rules: []', '  rules:')
      .replace('policies: []', 'policies:')
      .replaceAll(/^#(?= {2,}(?:- name: heal|on:|match:|do:|cooldown:|limit:|dryRun:|enabled:))/gm, ' ')
      .replace('  receivers: {}', '  receivers:')
      .replace('${file:slack.url}', 'https://hooks.example.com/chat')
      .replaceAll(/\$\{file:[\w.]+\}/g, 'secret')
    // Redis is named in one of three forms.
    const keys = ['url', 'cluster', 'sentinel'].flatMap((form) => {
      const { origins } = parseConfig(text.replace(`  # redis: { ${form}:`, `  redis: { ${form}:`), { file: example })
      return [...origins.keys()]
    })
    const written = new Set(
      keys.map((key) =>
        key
          .replace(/^(services|listeners|alerting\.(?:receivers|objectives|timeIntervals)|health\.dependencies)\.\w+/, '$1.<name>')
          .replaceAll(/\[\d+\]/g, '[]'),
      ),
    )
    // What a service may say, each of its routes may say too: once is enough to show it.
    const shown = (key: string): boolean =>
      [key, key.replace('.routes[]', ''), key.replace('<name>.', '<name>.routes[].')].some((one) => written.has(one))
    const missing = referencePaths().filter((key) => !shown(key))
    // Named in comments of the example: other forms of what stands there, or without a value that is right for everybody.
    expect(missing.toSorted()).toEqual(
      [
        'services.<name>.health.expect.body',
        ...['service', 'by', 'max', 'for', 'to', 'command', 'timeout', 'cwd'].map((key) => `policies[].do[].${key}`),
        ...['network.interface', 'process.pidFile', 'process.pattern'].map((key) => `health.checks[].${key}`),
        'alerting.receivers.<name>.alertmanager.token',
      ].toSorted(),
    )
  })

  it('the quickstart is valid', () => {
    expect(Object.keys(loadConfig({ file: 'examples/quickstart/holdfast.yml', env: {}, cwd: repository }).config.services)).toEqual(['shop', 'chat'])
    expect(Object.keys(loadConfig({ file: 'examples/watch/holdfast.yml', env: {}, cwd: repository }).config.services)).toEqual(['shop', 'auth'])
  })

  it('the reference page says what the declaration says', () => {
    const page = readFileSync(path.join(repository, 'docs/configuration.md'), 'utf8')
    expect(page, 'run: npx tsx scripts/docs-config.ts').toContain(`scripts/docs-config.ts -->\n\n${configReference()}\n\n<!-- end`)
  })
})

/** The keys of the reference, with the heading they stand under put in front again. */
function referencePaths(): string[] {
  const [available = ''] = configReference().split('### Not available yet')
  let section = ''
  return available.split('\n').flatMap((line) => {
    const heading = /^### (?:`(.+)`|Top level)$/.exec(line)
    if (heading) section = heading[1] === undefined ? '' : `${heading[1]}.`
    const [, key] = /^\| `([^`]+)`/.exec(line) ?? []
    return key === undefined ? [] : [section + key]
  })
}
