import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { askedBytesMax, asksNothing, readAsked, strictest, together, whyOut, writeAsked, type AskedState } from './asked-state.ts'

const after = (...lines: readonly string[]): AskedState | undefined => {
  let state: AskedState | undefined = asksNothing
  for (const line of lines) state = state && readAsked(line, state)
  return state
}

describe('a line of words', () => {
  it.each<[string, Partial<AskedState>]>([
    ['drain', { admin: 'drain' }],
    ['MAINT\t', { admin: 'maint' }],
    ['50%', { weight: 50 }],
    ['weight:50%', { weight: 50 }],
    ['weight:7', { weight: 7 }],
    ['weight:300%', { weight: 100 }],
    ['maxconn:20,up ready', { maxconn: 20 }],
    ['maxconn:0', {}],
    ['down', { down: 'down' }],
    ['stopped #out of disk, # really', { down: 'stopped: out of disk, # really' }],
    ['drain, 10%  maxconn:3', { admin: 'drain', weight: 10, maxconn: 3 }],
  ])('%j is read', (line, more) => {
    expect(after(line)).toEqual({ ...asksNothing, ...more })
  })

  it.each([
    '',
    '   ',
    '#down',
    'draining',
    'ready drained',
    '50',
    '1000%',
    'weight:-1',
    'maxconn:many',
    'ready\u00e9',
    `ready ${'x'.repeat(askedBytesMax)}`,
  ])('%j says nothing', (line) => {
    expect(after(line)).toBeUndefined()
  })

  it('changes what it mentions and leaves the rest: whoever set a state must unset it', () => {
    expect(after('drain 50%', 'up')).toEqual({ ...asksNothing, admin: 'drain', weight: 50 })
    expect(after('down #disk', 'ready')).toEqual({ ...asksNothing, down: 'down: disk' })
    expect(after('drain 50% down maxconn:3', 'ready up 100%')).toEqual({ ...asksNothing, maxconn: 3 })
  })

  it('of any kind never throws, and leaves a state within its bounds', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (line) => {
        const state = readAsked(line, asksNothing)
        if (state === undefined) return
        expect(state.weight).toBeGreaterThanOrEqual(0)
        expect(state.weight).toBeLessThanOrEqual(100)
      }),
    )
  })
})

it('is written as it is read', () => {
  for (const line of ['drain 50% maxconn:3 down #disk: full', 'ready up', 'maint', 'fail'])
    expect(readAsked(writeAsked(after(line)!), after('maint 3% maxconn:9 stopped')!)).toEqual(after(line))
})

it('says why it is out', () => {
  expect(['ready', 'drain', 'maint', 'weight:0', 'fail #x', '1%'].map((line) => whyOut(after(line)!))).toEqual([
    undefined,
    'it asks to be drained',
    'it asks for maintenance',
    'it asks for no weight',
    'it says that it is fail: x',
    undefined,
  ])
})

it('two ways of asking: the stricter holds', () => {
  expect(strictest(after('drain 50%')!, after('maxconn:3 70%')!)).toEqual({ admin: 'drain', down: undefined, weight: 50, maxconn: 3 })
  expect(strictest(after('maxconn:5')!, after('maxconn:3 down')!)).toEqual({ admin: 'ready', down: 'down', weight: 100, maxconn: 3 })
})

it('several processes are in while one is', () => {
  expect(together([after('drain')!, asksNothing])).toEqual({ ...asksNothing, weight: 50 })
  expect(whyOut(together([after('drain')!, after('down')!]))).toBe('it asks to be drained')
  expect(together([after('maxconn:2')!, after('maxconn:3 50%')!])).toEqual({ ...asksNothing, weight: 75, maxconn: 5 })
  expect(together([])).toEqual(asksNothing)
})
