/**
 * Follows a stream for as long as the user wants, across restarts and upgrades of the control process: when the
 * connection is lost, the control process is looked for again (its port and token may be new ones) and the stream goes on.
 */
import { after, ms, seconds, sleep, type Duration, type Instant } from '../kernel/time.ts'
import type { Api } from './client.ts'
import type { CommandContext } from './context.ts'
import { exitCodeOf, exitCodes } from './errors.ts'

const retryInterval: Duration = ms(500)
/** How long a lost control process may stay away. */
const awayMax: Duration = seconds(60)

/**
 * Begins after the control process has answered once. `open` is called again after each loss and has to go on behind
 * the last item. Resolves when interrupted; rejects when refused, or when the control process stays away.
 */
export async function follow<T>(context: CommandContext, open: (api: Api) => Promise<AsyncIterable<T>>, onItem: (item: T) => void): Promise<void> {
  const { clock, interrupted, out } = context
  let lostAt: Instant | undefined
  while (!isAborted(interrupted)) {
    try {
      const stream = await open(await context.connect())
      if (lostAt !== undefined) out.note('found holdfast again')
      lostAt = undefined
      for await (const item of stream) onItem(item)
    } catch (thrown) {
      if (isAborted(interrupted)) return
      if (exitCodeOf(thrown) !== exitCodes.unreachable) throw thrown
      if (lostAt !== undefined && clock.now() > after(lostAt, awayMax)) throw thrown
    }
    if (isAborted(interrupted)) return
    if (lostAt === undefined) {
      lostAt = clock.now()
      out.note('lost the connection to holdfast; looking for it again')
    }
    await pause(context, retryInterval)
  }
}

/** Waits, or until interrupted. */
export async function pause({ clock, interrupted }: CommandContext, wait: Duration): Promise<void> {
  await sleep(clock, wait, interrupted).catch(() => undefined)
}

// A function, so that the compiler does not hold on to an older answer.
export function isAborted(signal: AbortSignal): boolean {
  return signal.aborted
}
