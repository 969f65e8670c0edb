/** A busy instance in a process of its own: answers requests that cost a little, and records itself when it is told to. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Profiling } from '../../src/instance/profiling.ts'
import { backgroundClock } from '../../src/kernel/system.ts'

const profiling = new Profiling(backgroundClock)
const rows = Array.from({ length: 200 }, (_, index) => ({ index, name: `row ${index}`, price: index * 1.5 }))
const server = createServer((_request, response) => {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(rows.filter(({ price }) => price > 30).map((row) => ({ ...row, label: `${row.name}: ${row.price.toFixed(2)}` }))))
})
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.on('message', (line: string) => {
  if (line === 'cpu') process.send?.(process.cpuUsage().user + process.cpuUsage().system)
  else void profiling.take(line)
})
process.on('disconnect', () => process.exit(0))
