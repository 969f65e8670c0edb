import { describe, expect, it } from 'vitest'
import { lastWords, withLastWords } from './last-words.ts'

describe('the last words of a process', () => {
  it.each([
    ['nothing', [], undefined],
    ['blank lines', ['', '  '], undefined],
    ['a plain line', ['reading settings', 'DATABASE_URL is not set', ''], 'DATABASE_URL is not set'],
    [
      'an error of Node',
      [
        '/srv/a.js:1',
        "throw new Error('no database')",
        '^',
        '',
        'Error: no database',
        '    at Object.<anonymous> (/srv/a.js:1:7)',
        '',
        'Node.js v20.20.2',
      ],
      'Error: no database',
    ],
    [
      'an error of Node with properties',
      ['Error: listen EADDRINUSE: address already in use :::80', '    at Server.setupListenHandle', "  code: 'EADDRINUSE',", '}', 'Node.js v20.20.2'],
      'Error: listen EADDRINUSE: address already in use :::80',
    ],
    ['an error that opens an object', ['Error: spawn x ENOENT {', '  errno: -2', '}'], 'Error: spawn x ENOENT'],
    ['a traceback of Python', ['Traceback (most recent call last):', '  File "a.py", line 1', "KeyError: 'PORT'"], "KeyError: 'PORT'"],
    ['only trimmings', ['    at a', '    at b'], 'at b'],
    ['a line too long', ['x'.repeat(500)], `${'x'.repeat(200)}…`],
  ])('%s', (_what, tail, words) => {
    expect(lastWords(tail)).toBe(words)
  })

  it('are not asked of one that was ended from outside', () => {
    expect(withLastWords('was ended by SIGKILL', { class: 'killed', stderrTail: ['GET / 200'] })).toBe('was ended by SIGKILL')
  })

  it('follow the reason', () => {
    const stderrTail = ['no database']
    expect(withLastWords('exited with code 1', { class: 'crash', stderrTail })).toBe('exited with code 1; it wrote last: no database')
    expect(withLastWords('exited with code 1', { class: 'crash', stderrTail: [] })).toBe('exited with code 1')
    expect(withLastWords('it failed before', undefined)).toBe('it failed before')
  })
})
