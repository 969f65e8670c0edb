/** Evidence for people. */
import { counted } from '../../kernel/words.ts'
import type { Evidence } from '../types.ts'

export function describeEvidence(evidence: Evidence, now: number): string {
  switch (evidence.kind) {
    case 'configured':
      return 'configured'
    case 'dependsOn':
      return 'dependsOn'
    case 'environment':
      return `its environment names it (${evidence.variable})`
    case 'calls':
      return `learned from ${counted(evidence.count, 'call')} (${percent(evidence.share)} of what it calls), last ${ago(evidence.lastAt, now)}`
    case 'connections':
      return `learned from connections (seen open ${counted(evidence.count, 'time')}), last ${ago(evidence.lastAt, now)}`
  }
}

const percent = (share: number): string => `${share < 0.1 ? Math.round(share * 1_000) / 10 : Math.round(share * 100)}%`

function ago(at: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - at) / 1_000))
  if (seconds < 120) return `${seconds} s ago`
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min ago`
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h ago` : `${Math.round(seconds / 86_400)} d ago`
}
