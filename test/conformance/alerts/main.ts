/** `npm run conformance -- alerts [ROW]`: each comparison of the part that alerts, a row each; exit 1 when one does not hold. */
import { nabDirectory, nabFamilies, nabFloor, scoreNab } from './nab.ts'
import { hasAlertmanager } from '../../support/alertmanager.ts'
import { comparePromtool } from './promtool.ts'
import { compareRouting } from './routing.ts'
import { compareTimelines, type TimelineScore } from './timelines.ts'

interface Row {
  readonly text: string
  readonly holds: boolean
}

/** A row joins by one line. undefined: skipped, and it has said why. */
const rows: Readonly<Record<string, () => Promise<Row | undefined>>> = {
  nab,
  promtool,
  routing,
  timelines,
}

function nab(): Promise<Row | undefined> {
  const directory = nabDirectory()
  if (directory === undefined) {
    console.log('nab        skipped: ../shared/data/nab is not there')
    return Promise.resolve(undefined)
  }
  const { files, rows, windows, caught, falseEpisodes } = scoreNab(directory)
  const families = nabFamilies.map((family) => [family, scoreNab(directory, {}, family)] as const)
  const each = families.map(([family, score]) => `${family} ${score.falseEpisodes} at ${score.caught} of ${score.windows}`)
  return Promise.resolve({
    text: `${falseEpisodes} false episodes (at most ${nabFloor.falseEpisodes}) at ${caught} of ${windows} windows (at least ${nabFloor.caught}); ${files} files, ${rows} rows; z > 4 over 288 rows: 1460 at 84\n           ${each.join(', ')}`,
    holds: caught >= nabFloor.caught && falseEpisodes <= nabFloor.falseEpisodes,
  })
}

const promtoolRounds = 20

async function promtool(): Promise<Row> {
  let compared = 0
  for (let seed = 1; seed <= promtoolRounds; seed++) {
    const score = await comparePromtool(100, seed, 60)
    compared += score.compared
    if (score.differences !== undefined) return { text: `differs with seed ${seed}:\n${score.differences}`, holds: false }
  }
  return { text: `fires exactly when promtool test rules says: ${promtoolRounds * 100} random series, ${compared} minutes compared`, holds: true }
}

/** Label sets for each of 200 trees; `ROUTING_RUNS=10000` asks two million questions, and takes most of an hour. */
const routingRuns = Number(process.env.ROUTING_RUNS ?? 250)

async function routing(): Promise<Row | undefined> {
  if (!hasAlertmanager()) {
    console.log('routing    skipped: there is no amtool on this machine')
    return undefined
  }
  const { questions, difference } = await compareRouting(200, routingRuns, 20_260_301)
  return {
    text: difference ?? `tells whom amtool says: ${routingRuns} label sets for each of 200 trees, ${questions} questions`,
    holds: difference === undefined,
  }
}

/** At once, and how often in a row; each run has another seed. */
const [timelinesAtOnce, timelineRuns, timelineSeconds] = [500, 2, 24]

async function timelines(): Promise<Row | undefined> {
  if (!hasAlertmanager()) {
    console.log('timelines  skipped: there is no Alertmanager on this machine')
    return undefined
  }
  const scores: TimelineScore[] = []
  for (let run = 0; run < timelineRuns; run++) scores.push(await compareTimelines(timelinesAtOnce, 20_260_301 + run, timelineSeconds))
  const differences = scores.flatMap((score) => score.differences)
  const sum = (of: (score: TimelineScore) => number): number => scores.reduce((all, score) => all + of(score), 0)
  const late = Math.max(...scores.map(({ lateMs }) => lateMs.p99))
  const text = `${sum(({ timelines }) => timelines)} timelines, ${sum(({ streams }) => streams)} streams, ${sum(({ notifications }) => notifications)} notifications`
  return {
    text:
      differences.length === 0
        ? `tells what a real Alertmanager tells, in its order, within 300 ms (p99 ${late} ms): ${text}`
        : `${differences.length} streams differ of ${text}:
${differences.slice(0, 5).join('\n')}`,
    holds: differences.length === 0,
  }
}

/** Whether all hold. */
export async function alertsConformance(only?: string): Promise<boolean> {
  if (only !== undefined && !Object.hasOwn(rows, only)) throw new Error(`unknown row ${only}; there are ${Object.keys(rows).join(', ')}`)
  let all = true
  for (const [name, run] of Object.entries(rows)) {
    if (only !== undefined && only !== name) continue
    const row = await run()
    if (row === undefined) continue
    console.log(`${name.padEnd(11)}${row.holds ? 'holds' : 'DOES NOT HOLD'}: ${row.text}`)
    all &&= row.holds
  }
  return all
}
