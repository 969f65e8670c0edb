import { describe, expect, it } from 'vitest'
import type { PolicyDescription } from '../checks-api.ts'
import { runCli } from '../testing/run-cli.ts'

const policy = (changes: Partial<PolicyDescription>): PolicyDescription => ({
  ...{ name: 'heal', on: 'check front down', match: {}, actions: ['restart shop'], enabled: true, dryRun: false, running: false },
  ...{ runs: 0, lastRun: null, againAt: null, refusals: 0, lastRefusal: null, lastFailure: null },
  ...changes,
})

const at = (seconds: number): string => new Date(seconds * 1_000).toISOString()

describe('holdfast policies', () => {
  it('lists what ran, when it may run again, and what was refused', async () => {
    const api = {
      policies: () =>
        Promise.resolve([
          policy({ runs: 2, lastRun: at(0), againAt: at(600), refusals: 3, lastRefusal: { at: at(1), reason: 'it waits' } }),
          policy({ name: 'page', actions: ['command ./page.sh'], lastFailure: { at: at(2), reason: 'exit 4' }, dryRun: true }),
          policy({ name: 'off', enabled: false }),
        ]),
    }
    const { stdout, code } = await runCli(['policies'], { api })
    expect(code).toBe(0)
    expect(stdout).toMatch(/POLICY\s+ON\s+DOES\s+RUNS\s+LAST\s+NEXT\s+NOTE/)
    expect(stdout).toMatch(/heal\s+check front down\s+restart shop\s+2\s.*in .*refused 3 times: it waits/)
    expect(stdout).toMatch(/page\s.*command .*now\s+dry run; failed: exit 4/)
    expect(stdout).toMatch(/off\s.*never\s+disabled/)
    const one = await runCli(['policies', 'heal'], { api })
    expect(one.stdout).toContain('ran 2 times')
    expect(one.stdout).toContain('refused 3 times since holdfast started')
  })

  it('says which there are when the name is none', async () => {
    const { stderr, code } = await runCli(['policies', 'heel'], { api: { policies: () => Promise.resolve([policy({})]) } })
    expect(code).toBe(1)
    expect(stderr).toContain('looked for the policy heel, found no such policy')
    expect(stderr).toContain('there are: heal')
  })
})
