/** `npm run bench -- proxy [--seconds N] [--rounds N] [--cases a,b] [--proxies a,b] [--profile]`; for a quick look: `--seconds 2 --rounds 1` */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { choose, positive, stamp } from '../lib/arguments.ts'
import { interruptSignal } from '../lib/interrupt.ts'
import { firstLine, isInstalled, machineFacts } from '../lib/machine.ts'
import { Child, freePorts } from '../lib/process.ts'
import { startOrigin } from '../origin.ts'
import { targets } from '../targets/index.ts'
import { cases, idleCase } from './cases.ts'
import { makeReport, toMarkdown, type Report } from './report.ts'
import { loadCore, runInterleaved } from './run.ts'
import { connections } from './wrk.ts'

const here = dirname(fileURLToPath(import.meta.url))
const results = join(here, '..', 'results')

export async function benchProxy(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '5' },
      cases: { type: 'string' },
      proxies: { type: 'string' },
      profile: { type: 'boolean', default: false },
    },
  })
  requireTools()
  const caseNames = choose('case', values.cases, [...cases.map(({ name }) => name), idleCase.name])
  const targetNames = choose(
    'proxy',
    values.proxies,
    targets.map(({ name }) => name),
  )
  const settings = { rounds: positive('rounds', values.rounds), seconds: positive('seconds', values.seconds), connections }
  const chosenCases = cases.filter(({ name }) => caseNames.includes(name))
  const { chosenTargets, versions } = installed(targetNames)

  const machine = machineFacts()
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
  const profiles = join(results, 'profiles', stamp(machine.date))
  try {
    const [originPort = 0, echoPort = 0] = await freePorts(2)
    const certificate = makeCertificate(directory)
    const origin = await startOrigin(join(directory, 'origin'), originPort, loadCore)
    const echo = Child.start('echo origin', [process.execPath, join(here, 'echo-origin.mjs'), String(echoPort)], { core: loadCore })
    try {
      const result = await runInterleaved({
        ...settings,
        targets: chosenTargets,
        cases: chosenCases,
        idle: caseNames.includes(idleCase.name),
        directory,
        originPort,
        echoPort,
        certificate,
        env: values.profile ? profileEnvironment(profiles) : {},
        onProgress: console.error,
        signal: interruptSignal(),
      })
      publish(makeReport(result, chosenCases, { machine, versions: { ...versions }, settings }), !values.profile)
    } finally {
      await origin.stop()
      await echo.stop()
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  if (values.profile) console.error(`profiles: ${profiles} (open them in Chrome's DevTools)`)
}

/** The same one for every proxy: P-256, as most sites have. */
function makeCertificate(directory: string): { readonly certFile: string; readonly keyFile: string } {
  const [keyFile, certFile] = [join(directory, 'bench.key'), join(directory, 'bench.crt')]
  const options = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=bench'.split(' ')
  execFileSync('openssl', ['req', '-x509', ...options, '-keyout', keyFile, '-out', certFile], { stdio: 'pipe' })
  return { certFile, keyFile }
}

function requireTools(): void {
  const missing = ['wrk', 'nginx', 'taskset', 'openssl', 'h2load'].filter((tool) => !isInstalled(tool))
  if (missing.length > 0) throw new Error(`the benchmark needs ${missing.join(', ')}; run scripts/test-servers.sh`)
}

function installed(names: readonly string[]): { chosenTargets: typeof targets; versions: Record<string, string> } {
  const versions: Record<string, string> = {}
  const chosenTargets = targets.filter((target) => {
    if (!names.includes(target.name)) return false
    const version = target.version()
    if (version === undefined) console.error(`skipped: ${target.name} is not installed or not built`)
    else versions[target.name] = version
    return version !== undefined
  })
  if (chosenTargets.length === 0) throw new Error('no proxy to measure')
  return { chosenTargets, versions }
}

const profileEnvironment = (directory: string): Record<string, string> => ({
  NODE_OPTIONS: `--import=${pathToFileURL(join(here, '..', 'lib', 'profile.mjs')).href}`,
  HOLDFAST_PROFILE_DIR: directory,
})

/** A profiled run is slower than the truth: it is shown, not kept. */
function publish(report: Report, keep: boolean): void {
  const markdown = toMarkdown(report)
  console.log(markdown)
  if (!keep) return
  mkdirSync(results, { recursive: true })
  const file = join(results, `proxy-${stamp(report.machine.date)}`)
  writeFileSync(`${file}.md`, markdown)
  writeFileSync(`${file}.json`, `${JSON.stringify({ ...report, wrk: firstLine('wrk', ['-v']) }, undefined, 1)}\n`)
  console.error(`written: ${file}.md and .json`)
}
