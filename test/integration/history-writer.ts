/** Writes a history as fast as it can, a sample a second of made-up time, on from what there is, and says the time of each; it is killed while it does. */
import { History, HistoryFile } from '../../src/metrics/index.ts'

const [, , path = '', start = '0'] = process.argv
const fail = (): never => process.exit(2)
const history = new History({ file: new HistoryFile({ path, onSetAside: fail }), onProblem: fail, onDamaged: fail })
await history.start()
for (let at = Math.max(Number(start), history.lastAt + 1_000); ; at += 1_000) {
  history.add({ at, samples: [{ metric: 'n', labels: {}, value: at / 1_000 - Number(start) / 1_000 }] })
  process.stdout.write(`${at}\n`)
  if (at % 20_000 === 0) await new Promise((resolve) => setImmediate(resolve))
}
