/**
 * A control process that a test can kill: supervises $SERVICES services with their state in $DATA, and prints one JSON
 * line when all is ready. Ends without stopping anything when it is told to by SIGTERM.
 */
import { harness, openStore, serviceOf } from '../support/supervisor-harness.ts'

const { DATA: directory = '', SERVICES = '1' } = process.env
const store = await openStore(directory)
const began = performance.now()
const { supervisor } = await harness({ directory, store })
const services = Array.from({ length: Number(SERVICES) }, (_, i) => serviceOf(`web${i}`, { instances: 3 }))
const { adopted } = supervisor.apply(services)
const applied = performance.now()
await supervisor.whenSettled()
console.log(
  JSON.stringify({ adopted, adoptionMs: applied - began, instances: supervisor.instances().map(({ id, pid, phase }) => ({ id, pid, phase })) }),
)

process.on('SIGTERM', () => {
  void supervisor.stop(AbortSignal.timeout(1_000)).then(() => process.exit(0))
})
// Instances keep nobody alive, so something must.
setInterval(() => undefined, 60_000)
