import { defineCommand } from '../command.ts'
import { CliError } from '../errors.ts'
import { plural } from '../format.ts'
import { examine } from '../doctor/examine.ts'
import type { Finding } from '../doctor/finding.ts'
import type { Paint, Tone } from '../style.ts'

const tones: Readonly<Record<Finding['verdict'], Tone>> = { ok: 'green', warn: 'yellow', fail: 'red' }

export const doctor = defineCommand({
  name: 'doctor',
  summary: 'check this machine and configuration, and say what to mend',
  description: 'Changes nothing. Exit code 1 when something fails; warnings alone are 0.',
  examples: ['holdfast doctor', 'holdfast doctor --config shop.yml --json'],
  async run(context) {
    const findings = await examine(context)
    const failed = findings.filter(({ verdict }) => verdict === 'fail')
    const warned = findings.filter(({ verdict }) => verdict === 'warn')
    const text = renderFindings(findings, context.out.paint)
    if (failed.length > 0) {
      context.out.say(text)
      throw new CliError(
        'doctor_failed',
        `${plural(failed.length, 'check')} of ${findings.length} failed: ${failed.map(({ check }) => check).join(', ')}`,
        {
          hint: 'mend what is marked with "fail"',
          details: { checks: findings },
        },
      )
    }
    const summary = warned.length > 0 ? `${plural(warned.length, 'warning')}, nothing failed` : 'all is well'
    return { data: { checks: findings }, text: `${text}\n\n${summary}` }
  },
})

export function renderFindings(findings: readonly Finding[], paint: Paint): string {
  const width = Math.max(...findings.map(({ check }) => check.length))
  return findings
    .flatMap(({ check, verdict, text, mend }) => [
      `${paint(tones[verdict], verdict.padEnd(4))}  ${check.padEnd(width)}  ${text}`,
      ...(mend === undefined ? [] : [`      ${' '.repeat(width)}  ${paint('dim', `-> ${mend}`)}`]),
    ])
    .join('\n')
}
