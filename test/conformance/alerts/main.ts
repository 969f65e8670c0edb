/** `npm run conformance -- alerts [ROW]`: each comparison of the part that alerts, a row each; exit 1 when one does not hold. */
import { nabDirectory, nabFloor, scoreNab } from './nab.ts'
import { comparePromtool } from './promtool.ts'

interface Row {
  readonly text: string
  readonly holds: boolean
}

/** A row joins by one line. undefined: skipped, and it has said why. */
const rows: Readonly<Record<string, () => Promise<Row | undefined>>> = {
  nab,
  promtool,
}

function nab(): Promise<Row | undefined> {
  const directory = nabDirectory()
  if (directory === undefined) {
    console.log('nab        skipped: ../shared/data/nab is not there')
    return Promise.resolve(undefined)
  }
  const { files, rows, windows, caught, falseEpisodes } = scoreNab(directory)
  return Promise.resolve({
    text: `${falseEpisodes} false episodes (at most ${nabFloor.falseEpisodes}) at ${caught} of ${windows} windows (at least ${nabFloor.caught}); ${files} files, ${rows} rows; z > 4 over 288 rows: 1460 at 84`,
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
