import type { RestartReport } from '../../app/operations.ts'
import { ms, sleep, type Duration } from '../../kernel/time.ts'
import type { Api } from '../client.ts'
import { defineCommand, required, text } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { CliError } from '../errors.ts'
import { formatAge, plural } from '../format.ts'
import { isAborted } from '../follow.ts'
import { LiveBlock } from '../live.ts'

const lookInterval: Duration = ms(500)

export const restart = defineCommand({
  name: 'restart',
  summary: 'replace every instance of a service, losing no request',
  description:
    'Each new instance is ready before the old one is drained and stopped. When a new one does not get ready, the old one stays and the command fails with the reason. ' +
    'Ctrl-C ends the waiting, not the restart.',
  arguments: { service: required('<service>', 'the service', text) },
  examples: ['holdfast restart shop'],
  async run(context, { service }) {
    const api = await context.connect()
    const report = await withProgress(context, api, service, api.restart(service, context.interrupted))
    const lines = report.replaced.map(({ from, to }) => `${from} -> ${to}`)
    return { data: report, text: [`restarted ${service}: ${plural(report.replaced.length, 'instance')} replaced`, ...lines].join('\n') }
  },
})

/** Shows how far it is while `work` goes on. */
async function withProgress(context: CommandContext, api: Api, service: string, work: Promise<RestartReport>): Promise<RestartReport> {
  const { clock, interrupted, out } = context
  const block = new LiveBlock(out)
  const startedAt = clock.now()
  const finished = new AbortController()
  const showing = async (): Promise<void> => {
    while (!isAborted(finished.signal) && !isAborted(interrupted)) {
      await sleep(clock, lookInterval, finished.signal).catch(() => undefined)
      // The restart itself reports what goes wrong; a reading that fails is one that is not shown.
      const seen = await api.service(service).catch(() => undefined)
      if (seen && !isAborted(finished.signal))
        block.show([`restarting ${service}: ${seen.ready}/${seen.desired} ready, ${formatAge(clock.now() - startedAt)}`])
    }
  }
  const shown = out.interactive ? showing() : Promise.resolve()
  try {
    return await work
  } catch (thrown) {
    if (!isAborted(interrupted)) throw thrown
    throw new CliError('interrupted', `stopped waiting for the restart of ${service}, which goes on`, {
      hint: `watch it with: holdfast status ${service} --watch`,
    })
  } finally {
    finished.abort()
    await shown
    block.clear()
  }
}
