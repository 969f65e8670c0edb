/** Scripts are sent by their sum; a server that has started anew has to be given the text. */
import { createHash } from 'node:crypto'
import type { createClient } from 'redis'

export type RedisClient = ReturnType<typeof createClient>

/** One for each script of the program. */
const sums = new Map<string, string>()

function sumOf(text: string): string {
  const known = sums.get(text)
  if (known !== undefined) return known
  const sum = createHash('sha1').update(text).digest('hex')
  sums.set(text, sum)
  return sum
}

export async function runScript(client: RedisClient, text: string, keys: readonly string[], args: readonly string[]): Promise<unknown> {
  const parameters = { keys: [...keys], arguments: [...args] }
  try {
    return await client.evalSha(sumOf(text), parameters)
  } catch (error) {
    if (!(error as Error).message.startsWith('NOSCRIPT')) throw error
    return await client.eval(text, parameters)
  }
}
