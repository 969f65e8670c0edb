/** Writes a history as fast as it can, a sample a second of made-up time, and says the time of each; it is killed while it does. */
import { History, HistoryFile } from '../../src/metrics/index.ts'

const [, , path = '', start = '0'] = process.argv
const history = new History({ file: new HistoryFile({ path, onSetAside: () => process.exit(2) }) })
await history.start()
for (let n = 0; ; n++) {
  const at = Number(start) + 1_000 * n
  history.add({ at, samples: [{ metric: 'n', labels: {}, value: n }] })
  process.stdout.write(`${at}\n`)
  await new Promise((resolve) => setImmediate(resolve))
}
