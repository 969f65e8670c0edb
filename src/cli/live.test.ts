import { describe, expect, it } from 'vitest'
import { fit, LiveBlock } from './live.ts'
import { Output } from './output.ts'
import { painter } from './style.ts'
import { Page } from './testing/run-cli.ts'

function blockOn(page: Page): LiveBlock {
  return new LiveBlock(new Output({ stdout: page, stderr: new Page(), env: {}, json: false }))
}

describe('LiveBlock', () => {
  it('redraws in place on a terminal, and goes away', () => {
    const page = new Page(40)
    const block = blockOn(page)
    block.show(['one', 'two'])
    block.show(['three'])
    block.clear()
    expect(page.text).toBe('one\ntwo\n\u001b[2A\u001b[0Jthree\n\u001b[1A\u001b[0J')
  })

  it('puts lines that stay above the block', () => {
    const page = new Page(40)
    const block = blockOn(page)
    block.show(['busy'])
    block.say('warning')
    expect(page.text).toBe('busy\n\u001b[1A\u001b[0Jwarning\nbusy\n')
  })

  it('never lets a line or the block outgrow the screen, or the cursor would miss', () => {
    const page = new Page(10)
    blockOn(page).show(Array.from({ length: 50 }, () => 'x'.repeat(30)))
    const lines = page.text.split('\n').slice(0, -1)
    expect(lines).toHaveLength(22)
    expect(lines[0]).toBe('xxxxxxxx…')
  })

  it('says each new line once where nobody looks', () => {
    const page = new Page()
    const block = blockOn(page)
    block.show(['starting', 'shop 0/3'])
    block.show(['starting', 'shop 1/3'])
    block.clear()
    expect(page.text).toBe('starting\nshop 0/3\nshop 1/3\n')
  })
})

describe('fit', () => {
  it('cuts what is seen and keeps the colours whole', () => {
    expect(fit('abcdef', 6)).toBe('abcdef')
    expect(fit('abcdefg', 6)).toBe('abcde…')
    expect(fit(painter(true)('red', 'abcdefg'), 4)).toBe('\u001b[31mabc…\u001b[39m')
  })
})
