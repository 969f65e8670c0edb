/** `npm run bench -- NAME [options]` */
import { benchCache } from './cache/command.ts'
import { benchFaults } from './faults/command.ts'
import { benchProxy } from './proxy/command.ts'
import { benchResilience } from './resilience/command.ts'
import { benchWatch } from './watch/command.ts'

const benches: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  proxy: benchProxy,
  faults: benchFaults,
  cache: benchCache,
  resilience: benchResilience,
  watch: benchWatch,
}

const [name, ...args] = process.argv.slice(2)
const bench = name === undefined ? undefined : benches[name]
if (bench === undefined) {
  console.error(`usage: npm run bench -- ${Object.keys(benches).join(' | ')} [options]`)
  process.exit(2)
}
try {
  await bench(args)
} catch (error) {
  console.error(`bench ${name ?? ''} failed: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
}
