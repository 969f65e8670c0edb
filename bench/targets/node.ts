/** The libraries people proxy with in Node: one process each, keep-alive to the origin. They have no health checks. */
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Child, processTree, waitForPort } from '../lib/process.ts'
import type { Target } from './target.ts'

const require = createRequire(import.meta.url)
const servers = join(dirname(fileURLToPath(import.meta.url)), 'servers')

/** From its package.json, found upwards of its entry point (`exports` may hide it from require). */
function versionOf(packageName: string): string | undefined {
  for (let directory = dirname(require.resolve(packageName)); directory !== '/'; directory = dirname(directory)) {
    try {
      const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as { name?: string; version?: string }
      if (manifest.name === packageName) return manifest.version
    } catch {
      // no package.json at this level
    }
  }
  return undefined
}

function nodeTarget(name: string, packageName: string, script: string): Target {
  return {
    name,
    features: [],
    version: () => versionOf(packageName),
    async start({ core, port, originPort, env }) {
      const command = [process.execPath, join(servers, script), String(port), String(originPort)]
      const child = Child.start(name, command, { core, env: { ...env, NODE_ENV: 'production' } })
      await waitForPort(port, child)
      return { child, pids: () => processTree(child.pid) }
    },
  }
}

export const replyFrom = nodeTarget('reply-from', '@fastify/reply-from', 'reply-from.mjs')
export const httpProxy3 = nodeTarget('http-proxy-3', 'http-proxy-3', 'http-proxy-3.mjs')
