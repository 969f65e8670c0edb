import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { usageOf } from './command.ts'
import { commands } from './commands/index.ts'
import { plannedCommands } from './commands/planned.ts'

describe('docs/cli.md', () => {
  const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')

  it.each(commands.map((command) => [command.name, command] as const))(
    'has a section for %s with its usage, every option and every example',
    (name, command) => {
      const start = page.indexOf(`\n## ${name}\n`)
      expect(start, `a heading "## ${name}"`).toBeGreaterThan(-1)
      const end = page.indexOf('\n## ', start + 1)
      const section = page.slice(start, end === -1 ? undefined : end)
      expect(section).toContain(`\n    ${usageOf(command)}\n`)
      for (const { syntax } of Object.values(command.options)) expect(section).toContain(`\`${syntax}\``)
      for (const example of command.examples) expect(section).toContain(example)
    },
  )

  it('has no section for a command that is not there', () => {
    const headings = [...page.matchAll(/^## (.*)$/gm)].map((match) => match[1])
    const others = ['Common to all', 'Exit codes', 'Not available yet']
    expect(headings.filter((heading) => !others.includes(heading ?? ''))).toEqual(commands.map((command) => command.name))
    for (const name of plannedCommands) expect(page).toContain(`\`${name}\``)
  })
})
