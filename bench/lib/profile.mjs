/**
 * Preloaded into every Node process of a target by `--profile` (NODE_OPTIONS refuses --cpu-prof on Node
 * 20): samples from the start and writes one .cpuprofile into HOLDFAST_PROFILE_DIR when the process exits.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import { basename, join } from 'node:path'

const directory = process.env.HOLDFAST_PROFILE_DIR
if (directory !== undefined) {
  const session = new Session()
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.setSamplingInterval', { interval: 500 })
  session.post('Profiler.start')
  process.once('exit', () => {
    // A session of the same thread answers before post() returns.
    session.post('Profiler.stop', (error, result) => {
      if (error !== null) throw error
      mkdirSync(directory, { recursive: true })
      const file = join(directory, `${basename(process.argv[1] ?? 'node')}-${process.pid}.cpuprofile`)
      writeFileSync(file, JSON.stringify(result.profile))
    })
  })
}
