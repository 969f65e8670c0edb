/**
 * Holdfast's own data plane as the product runs it (dist/): metrics, request ids, passive health, probes
 * every 2 s, retries and parking are on; with features, also breaker, ejection, rate limit and access log. Counted are the data plane's processes, supervisor and worker; the small
 * driver that stands in for the control process is not on the path of a request and is not counted.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Child, processTree, waitForPort } from '../lib/process.ts'
import type { Target } from './target.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const driver = join(root, 'bench', 'targets', 'servers', 'holdfast.mjs')

export const holdfast: Target = {
  name: 'holdfast',
  features: ['tls', 'http2', 'websocket', 'features', 'cache', 'cache-http2'],
  version() {
    if (!existsSync(join(root, 'dist', 'balancer', 'index.js'))) return undefined
    return (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version
  },
  async start({ env, core, ...context }) {
    const { port } = context
    const command = [process.execPath, driver, JSON.stringify(context)]
    const child = Child.start('holdfast', command, { core, env: { ...env, NODE_ENV: 'production' } })
    await waitForPort(port, child)
    const pid = await proxyPid(child)
    return { child, pids: () => processTree(pid) }
  },
}

async function proxyPid(child: Child): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const line = /^\{"pid":(\d+)\}$/m.exec(child.output)
    if (line !== null) return Number(line[1])
    await sleep(50)
  }
  throw new Error(`the driver did not tell the pid of the data plane:\n${child.output}`)
}
