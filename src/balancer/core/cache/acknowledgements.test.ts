import { expect, it } from 'vitest'
import { Acknowledgements } from './acknowledgements.ts'

it('is over when all have heard it, or a later one, or are gone', () => {
  const acks = new Acknowledgements<string>()
  const over: number[] = []
  acks.wait(1, ['a', 'b', 'c'], 100, () => over.push(1))
  acks.wait(2, ['a', 'b'], 150, () => over.push(2))
  acks.wait(3, [], 150, () => over.push(3))
  expect(over).toEqual([3])
  acks.heard('a', 1)
  acks.heard('b', 2)
  expect(over).toEqual([3])
  acks.left('c')
  expect(over).toEqual([3, 1])
  expect([...acks.late(149)]).toEqual([])
  expect([...acks.late(150)]).toEqual(['a'])
  acks.left('a')
  expect(over).toEqual([3, 1, 2])
  expect(acks.size).toBe(0)
})
