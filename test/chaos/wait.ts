import { setTimeout as sleep } from 'node:timers/promises'

const pollMs = 25

/** Resolves with the first defined answer; rejects, naming what was waited for, when the time is over. */
export async function until<T>(what: string, ask: () => Promise<T | undefined> | T | undefined, timeoutMs = 30_000): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`)
    await sleep(pollMs)
  }
}
