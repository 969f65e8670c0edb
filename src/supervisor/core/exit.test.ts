import { describe, expect, it } from 'vitest'
import { ms, seconds } from '../../kernel/time.ts'
import { classify, describeExit, type ProcessExit } from './exit.ts'

const exit = (overrides: Partial<ProcessExit>): ProcessExit => ({
  code: undefined,
  signal: undefined,
  shell: false,
  oom: false,
  lost: false,
  portTaken: false,
  group: false,
  ...overrides,
})
const running = { ordered: false, ready: true }
const booting = { ordered: false, ready: false }

describe('the class of an exit', () => {
  it.each([
    ['we ordered it', exit({ signal: 'SIGKILL' }), { ordered: true, ready: true }, 'ordered'],
    ['code 0', exit({ code: 0 }), running, 'completed'],
    ['code 0 before it was ready', exit({ code: 0 }), booting, 'completed'],
    ['code 1', exit({ code: 1 }), running, 'crash'],
    ['code 1 before it was ready', exit({ code: 1 }), booting, 'startFailed'],
    ['code 78', exit({ code: 78 }), running, 'config'],
    ['SIGKILL', exit({ signal: 'SIGKILL' }), running, 'killed'],
    ['SIGKILL while it boots', exit({ signal: 'SIGKILL' }), booting, 'killed'],
    ['SIGTERM', exit({ signal: 'SIGTERM' }), running, 'killed'],
    ['SIGINT', exit({ signal: 'SIGINT' }), running, 'killed'],
    ['SIGHUP', exit({ signal: 'SIGHUP' }), running, 'killed'],
    ['SIGSEGV', exit({ signal: 'SIGSEGV' }), running, 'crash'],
    ['SIGABRT', exit({ signal: 'SIGABRT' }), booting, 'startFailed'],
    ['SIGKILL by the kernel', exit({ signal: 'SIGKILL', oom: true }), running, 'oom'],
    ['SIGTERM while the kernel killed another', exit({ signal: 'SIGTERM', oom: true }), running, 'killed'],
    ['137 of a shell', exit({ code: 137, shell: true }), running, 'killed'],
    ['137 of a shell, by the kernel', exit({ code: 137, shell: true, oom: true }), running, 'oom'],
    ['137 of a program', exit({ code: 137 }), running, 'crash'],
    ['143 of a shell', exit({ code: 143, shell: true }), running, 'killed'],
    ['139 of a shell', exit({ code: 139, shell: true }), running, 'crash'],
    ['127 of a shell at the start', exit({ code: 127, shell: true }), booting, 'config'],
    ['126 of a shell at the start', exit({ code: 126, shell: true }), booting, 'config'],
    ['127 of a shell later', exit({ code: 127, shell: true }), running, 'crash'],
    ['127 of a program', exit({ code: 127 }), booting, 'startFailed'],
    ['nobody knows', exit({ lost: true }), running, 'unknown'],
  ] as const)('%s', (_, facts, circumstances, expected) => {
    expect(classify(facts, circumstances)).toBe(expected)
  })
})

describe('the sentence of an exit', () => {
  it.each([
    [exit({ code: 1 }), 'crash', 'exited with code 1 after 320 ms'],
    [exit({ code: 1 }), 'startFailed', 'exited with code 1 after 320 ms, before it was ready'],
    [exit({ signal: 'SIGSEGV' }), 'crash', 'was ended by SIGSEGV after 320 ms'],
    [exit({ signal: 'SIGKILL' }), 'killed', 'was killed from outside with SIGKILL after 320 ms'],
    [exit({ code: 137, shell: true }), 'killed', 'was killed from outside with SIGKILL after 320 ms'],
    [exit({ signal: 'SIGKILL', oom: true }), 'oom', 'was killed by the kernel after 320 ms: out of memory'],
    [exit({ code: 78 }), 'config', 'exited with code 78: configuration error'],
    [exit({ code: 127, shell: true }), 'config', 'exited with code 127: the shell could not run its command'],
    [exit({ code: 0 }), 'ordered', 'stopped as ordered after 320 ms'],
    [exit({ lost: true }), 'unknown', 'ended after 320 ms while holdfast was not its parent; its exit code is lost'],
  ] as const)('%o', (facts, exitClass, sentence) => {
    expect(describeExit(facts, exitClass, ms(320), exitClass !== 'startFailed')).toBe(sentence)
  })

  it('shows longer times in their unit', () => {
    expect(describeExit(exit({ code: 0 }), 'completed', seconds(90), true)).toBe('exited with code 0 after 1.5 min')
  })
})
