import { expect, it } from 'vitest'
import { parse, problems } from '../testing/configs.ts'

const file = (dependencies: string): string =>
  `services:\n  shop: { command: node shop.js }\n  auth: { command: node auth.js }\nhealth:\n  checks: [{ name: db-a, tcp: "db:1" }, { name: db-b, tcp: "db:2" }]\n  dependencies: ${dependencies}\n`

it('names, alternatives, and what can be done without', () => {
  expect(parse(file('{ shop: [auth, db-a | db-b, db-a?], db-a: [auth], auth: [] }')).config.health?.dependencies).toEqual({
    shop: [
      { anyOf: ['auth'], hard: true },
      { anyOf: ['db-a', 'db-b'], hard: true },
      { anyOf: ['db-a'], hard: false },
    ],
    'db-a': [{ anyOf: ['auth'], hard: true }],
    auth: [],
  })
})

it('names that are none, and what is no need, are told with their place', () => {
  expect(problems(file('{ shop: [auht, shop], shpo: [auth] }'))).toEqual([
    expect.stringMatching(/^.*6:26.*there is no service or check "auht".*did you mean "auth"\?/),
    expect.stringMatching(/shop cannot need itself/),
    expect.stringMatching(/there is no service or check "shpo".*did you mean "shop"\?/),
  ])
  expect(problems(file('{ shop: ["a b"] }'))[0]).toMatch(/expected the name of a service or check/)
})
