/**
 * `npm run chaos [-- --seconds N --cases a,b --rate N --seed N --peers]`: hurts the real product under load
 * and counts, at the origin and at the client, what became of every request. Exit 1 when a promise was
 * broken. `--peers` puts nginx, HAProxy and Caddy through the kills of instances as well.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { interruptSignal } from '../../bench/lib/interrupt.ts'
import { machineFacts } from '../../bench/lib/machine.ts'
import { chaosCases, killOneOfThree, killSingle } from './cases.ts'
import { failuresOf, toTable } from './report.ts'
import { runCase, type CaseResult, type RunSettings } from './run.ts'
import { isBuilt } from '../support/product.ts'
import { HoldfastSystem, measureBoot } from './systems/holdfast.ts'
import { missingPrograms, peerKinds, PeerSystem } from './systems/peer.ts'

const artifacts = fileURLToPath(new URL('../artifacts/', import.meta.url))
const connections = 200
/** What a single instance's boot may add at most to the 99th percentile. */
const addedMsMax = 50

interface Options {
  readonly signal: AbortSignal
  readonly seconds: number
  readonly rate: number
  readonly seed: number
  readonly cases: readonly string[]
  readonly systems: 'holdfast' | 'peers' | 'all'
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '12' },
      rate: { type: 'string', default: '1000' },
      seed: { type: 'string', default: '1' },
      cases: { type: 'string' },
      peers: { type: 'boolean', default: false },
      'only-peers': { type: 'boolean', default: false },
    },
  })
  const known = chaosCases.map(({ name }) => name)
  const cases = values.cases?.split(',') ?? known
  const unknown = cases.filter((name) => !known.includes(name))
  if (unknown.length > 0) throw new Error(`unknown case ${unknown.join(', ')}; there are ${known.join(', ')}`)
  const systems = values['only-peers'] ? 'peers' : values.peers ? 'all' : 'holdfast'
  const numbers = { seconds: positive('seconds', values.seconds), rate: positive('rate', values.rate), seed: positive('seed', values.seed) }
  return { ...numbers, cases, systems, signal: interruptSignal() }
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} must be a whole number from 1, got ${text}`)
  return value
}

async function main(): Promise<void> {
  const options = readOptions()
  if (options.systems !== 'peers' && !isBuilt()) throw new Error('dist/ is not built; run: npm run build')
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-chaos-'))
  const results: CaseResult[] = []
  try {
    const bootMs = await measureBoot(join(directory, 'boot'))
    console.log(
      `${connections} connections, ${options.rate} requests/s, 30 % POST, ${options.seconds} s each; an instance boots in ${bootMs.toFixed(0)} ms\n`,
    )
    if (options.systems !== 'peers') results.push(...(await hurtHoldfast(options, directory)))
    if (options.systems !== 'holdfast') results.push(...(await hurtPeers(options, directory)))
    options.signal.throwIfAborted()
    show(results, bootMs)
    keep(results, options, bootMs)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const settingsOf = ({ seconds, rate, seed, signal }: Options, directory: string): RunSettings => ({
  seconds,
  connections,
  requestsPerSecond: rate,
  seed,
  directory,
  signal,
})

async function hurtHoldfast(options: Options, root: string): Promise<CaseResult[]> {
  const results: CaseResult[] = []
  for (const chaosCase of chaosCases.filter(({ name }) => options.cases.includes(name))) {
    options.signal.throwIfAborted()
    console.error(`${chaosCase.name}: ${chaosCase.title}`)
    const directory = join(root, chaosCase.name)
    const system = new HoldfastSystem({ directory, instances: chaosCase.instances })
    results.push(await runCase(chaosCase, system, settingsOf(options, directory)))
  }
  return results
}

/** They promise nothing, so nothing of theirs can be broken: they are there to be compared with. */
async function hurtPeers(options: Options, root: string): Promise<CaseResult[]> {
  const results: CaseResult[] = []
  const missing = missingPrograms()
  for (const program of missing) console.error(`skipped: ${program} is not installed`)
  for (const killCase of [killOneOfThree, killSingle].filter(({ name }) => options.cases.includes(name))) {
    for (const kind of peerKinds.filter(({ program }) => !missing.includes(program))) {
      options.signal.throwIfAborted()
      console.error(`${killCase.name}: ${kind.name}`)
      const directory = join(root, `${killCase.name}-${kind.name.replaceAll(/\W+/g, '-')}`)
      const system = new PeerSystem(kind, { directory, instances: killCase.instances })
      results.push({ ...(await runCase(killCase, system, settingsOf(options, directory))), broken: [] })
    }
  }
  return results
}

function show(results: readonly CaseResult[], bootMs: number): void {
  console.log(toTable(results))
  for (const result of results) {
    const failures = failuresOf(result)
    if (failures !== undefined) console.log(failures)
  }
  const single = results.find(({ system, case: name }) => system === 'holdfast' && name === killSingle.name)
  if (single !== undefined) {
    const limit = bootMs + addedMsMax
    const verdict = single.tally.p99Ms <= limit ? 'within' : 'ABOVE'
    console.log(`kill-single: p99 ${single.tally.p99Ms.toFixed(0)} ms is ${verdict} boot + ${addedMsMax} ms = ${limit.toFixed(0)} ms`)
  }
  const faults = results.flatMap(({ case: name, system, broken, problems }) => [
    ...broken.map((sentence) => `BROKEN ${name}: ${sentence}`),
    ...problems.map((sentence) => `PROBLEM ${name}, ${system}: ${sentence}`),
  ])
  for (const fault of faults) console.log(fault)
  if (faults.length > 0) process.exitCode = 1
}

function keep(results: readonly CaseResult[], { signal: _signal, ...options }: Options, bootMs: number): void {
  const machine = machineFacts()
  mkdirSync(artifacts, { recursive: true })
  const file = join(artifacts, `chaos-${machine.date.slice(0, 19).replaceAll(':', '')}.json`)
  writeFileSync(file, `${JSON.stringify({ machine, options: { ...options, connections }, bootMs, results }, undefined, 1)}\n`)
  console.error(`written: ${file}`)
}

try {
  await main()
} catch (error) {
  console.error(`chaos failed: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
