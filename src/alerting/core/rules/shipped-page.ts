/** The shipped rules as a page of the documentation. */
import { compileRule } from './rule.ts'
import { shippedRules } from './shipped.ts'
import { shownTime } from './words.ts'

export function shippedRulesPage(): string {
  return shippedRules
    .map((shipped) => {
      const { name, severity, condition, clear, forMs, keepFiringForMs, enabled, quietDuringDeploy } = compileRule(shipped, shipped)
      const facts = [
        `\`${severity}\``,
        ...(forMs > 0 ? [`for ${shownTime(forMs)}`] : []),
        ...(keepFiringForMs > 0 ? [`kept ${shownTime(keepFiringForMs)}`] : []),
        ...(quietDuringDeploy ? ['quiet for two minutes while a new revision of the service is taken up'] : []),
        ...(enabled ? [] : ['**off** unless the configuration has `enabled: true` for it']),
      ]
      const conditions = [`    ${condition.text}`, ...(clear ? [`    over when: ${clear.text}`] : [])]
      return [`### ${name}`, `${facts.join(', ')}. ${shipped.why}`, conditions.join('\n'), shipped.runbook].join('\n\n')
    })
    .join('\n\n')
}
