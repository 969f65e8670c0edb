import { expect, it } from 'vitest'
import { jsonOf, runCli } from '../testing/run-cli.ts'
import { renderImpact } from './dependencies.ts'

it('an impact is a tree of who needs whom', () => {
  const affected = [
    { name: 'auth', kind: 'service', effect: 'down', path: ['auth', 'database'] },
    { name: 'search', kind: 'service', effect: 'degraded', path: ['search', 'database'] },
    { name: 'shop', kind: 'service', effect: 'down', path: ['shop', 'auth', 'database'] },
    { name: 'front', kind: 'check', effect: 'down', path: ['front', 'shop', 'auth', 'database'] },
  ] as const
  const text = renderImpact({
    name: 'database',
    kind: 'check',
    affected,
    services: 3,
    servicesTotal: 5,
    summary: 'database down: affects …; 3 of 5 services',
  })
  expect(text.split('\n')).toEqual([
    'database down: affects …; 3 of 5 services',
    'database',
    '├─ auth',
    '│  └─ shop',
    '│     └─ front (check)',
    '└─ search, degraded',
  ])
})

it('what needs what is a table; a name leaves its own', async () => {
  const edge = (from: string, to: string) => ({ from, to, hard: true, alternatives: [], why: 'dependsOn' })
  const list = {
    nodes: [{ name: 'auth', kind: 'service', state: 'down' }],
    edges: [edge('shop', 'auth'), { ...edge('auth', 'db-a'), hard: false, alternatives: ['db-b'] }],
  }
  const api = { dependencies: () => Promise.resolve(list) }
  const all = await runCli(['dependencies'], { api })
  expect(all.stdout).toMatch(/^shop +auth +down +dependsOn$/m)
  expect(all.stdout).toMatch(/^auth +db-a \(or db-b\) \(can do without\) +unknown/m)
  const some = await runCli(['dependencies', 'shop', '--json'], { api })
  expect(jsonOf(some)).toMatchObject({ data: { edges: [{ from: 'shop' }] } })
})
