import { expect, it } from 'vitest'
import { isNavigation, waitingPage } from './waiting-page.ts'

const asks = (fields: Record<string, string>): boolean => isNavigation((name) => fields[name])
const accept = 'text/html,application/xhtml+xml,*/*;q=0.8'

it('is for those who open a page', () => {
  expect(asks({ accept, 'sec-fetch-dest': 'document', 'sec-fetch-mode': 'navigate' })).toBe(true)
  expect(asks({ accept })).toBe(true)
  expect(asks({ accept, 'sec-fetch-dest': 'empty', 'sec-fetch-mode': 'cors' })).toBe(false)
  expect(asks({ accept, 'sec-fetch-mode': 'same-origin' })).toBe(false)
  expect(asks({ accept: 'application/json, text/html' })).toBe(false)
  expect(asks({})).toBe(false)
})

it('asks again by itself, with nothing that runs or is loaded', () => {
  const { body } = waitingPage(3)
  expect(body).toContain('<meta http-equiv="refresh" content="3">')
  expect(body).not.toMatch(/<script|src=|href=|url\(/)
})
