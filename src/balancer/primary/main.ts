/** The process of the proxy's supervisor. What it needs comes in one environment variable, so that the process list shows no secrets and no long arguments. */
import { messageOf } from '../../kernel/errors.ts'
import { Primary, type PrimaryOptions } from './primary.ts'

process.title = 'holdfast-proxy'
// The control process and the terminal come and go; only an order over the socket ends the data plane.
process.on('SIGINT', () => undefined)
process.on('SIGHUP', () => undefined)
// The log may be on a disk that is full: what cannot be told is no reason to end.
process.stderr.on('error', () => undefined)

const options = JSON.parse(process.env.HOLDFAST_PROXY ?? '{}') as PrimaryOptions
delete process.env.HOLDFAST_PROXY
const primary = new Primary(options)
process.on('SIGTERM', () => {
  void primary.shutdown(30_000)
})
try {
  if (!(await primary.start())) process.exit(0)
} catch (error) {
  process.stderr.write(`the proxy failed to start: ${messageOf(error)}\n`)
  process.exit(1)
}
