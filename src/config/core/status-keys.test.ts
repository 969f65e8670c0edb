import { describe, expect, it } from 'vitest'
import { parse, problems } from '../testing/configs.ts'

const file = (statusPage: string): string => `statusPage: ${statusPage}\nservices:\n  web: { endpoints: ["10.0.0.9:1"] }\n  auth: { endpoints: ["10.0.0.9:2"] }\n`

describe('the status page in the configuration', () => {
  it('is there unless it is switched off, and shows what is named', () => {
    expect(parse('services: {}').config.statusPage).toEqual({ days: 90 })
    expect(parse(file('off')).config.statusPage).toBeUndefined()
    expect(parse(file('{ days: 7, services: [web, { service: auth, name: Sign-in }] }')).config.statusPage).toEqual({
      days: 7,
      services: [{ service: 'web' }, { service: 'auth', name: 'Sign-in' }],
    })
  })

  it.each([
    ['{ services: [wbe] }', 'did you mean "web"?'],
    ['{ services: [web, web] }', 'shown already'],
    ['{ services: [web, { service: auth, name: web }] }', 'the same name as web'],
    ['{ services: [{ name: web }] }', 'service'],
    ['{ days: 0 }', 'a whole number from 1'],
    ['{ titel: x }', 'title'],
    ['{ url: "status.example.com" }', 'a URL such as'],
  ])('refuses %s', (statusPage, why) => {
    const found = problems(file(statusPage))
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(why)
  })
})
