/**
 * The anomaly rule on labelled series: the Numenta Anomaly Benchmark, as far as it lies beside the project. An episode is false when it begins outside of all
 * windows; a window is caught when one begins inside. The first 15 % of a file (at most 750 rows) are for learning and count neither way.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AnomalyDetector, type AnomalyOptions } from '../../../src/alerting/core/anomaly.ts'
import { rowsOfCsv, windowsOf } from '../../../src/alerting/core/backtest/rows.ts'

export const nabFamilies = [
  'artificialNoAnomaly',
  'artificialWithAnomaly',
  'realAWSCloudwatch',
  'realAdExchange',
  'realTraffic',
  'realTweets',
] as const

export interface NabScore {
  readonly files: number
  readonly rows: number
  readonly windows: number
  /** Of them. */
  readonly caught: number
  readonly falseEpisodes: number
}

/** What must be reached, and more false episodes than it may make: 85 % fewer than z > 4 makes over the last 288 rows (1,460), at no fewer windows (84). */
export const nabFloor = { caught: 84, falseEpisodes: 219 } as const

const probationShare = 0.15
const probationMax = 750

/** undefined: the data are not there. */
export function nabDirectory(): string | undefined {
  const directory = fileURLToPath(new URL('../../../../shared/data/nab/', import.meta.url))
  return existsSync(join(directory, 'labels', 'combined_windows.json')) ? directory : undefined
}

/** Only files whose name has `only` in it. */
export function scoreNab(directory: string, options: AnomalyOptions = {}, only = ''): NabScore {
  const labels = JSON.parse(readFileSync(join(directory, 'labels', 'combined_windows.json'), 'utf8')) as Record<string, unknown>
  const files = Object.keys(labels).filter((file) => file.includes(only) && existsSync(join(directory, 'data', file)))
  const score = { files: files.length, rows: 0, windows: 0, caught: 0, falseEpisodes: 0 }
  for (const file of files) {
    const rows = rowsOfCsv(readFileSync(join(directory, 'data', file), 'utf8'))
    const windows = windowsOf(labels, file)
    const caught = new Set<unknown>()
    const detector = new AnomalyDetector(options)
    const probation = Math.min(Math.floor(probationShare * rows.length), probationMax)
    rows.forEach(([at, value], index) => {
      if (!detector.observe(at, value).began || index < probation) return
      const inside = windows.filter(({ from, to }) => from <= at && at <= to)
      for (const window of inside) caught.add(window)
      if (inside.length === 0) score.falseEpisodes++
    })
    score.rows += rows.length
    score.windows += windows.length
    score.caught += caught.size
  }
  return score
}
