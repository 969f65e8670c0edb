/**
 * The whole of Holdfast in a program: two instances of `service.mjs`, balanced, until Ctrl-C.
 *
 *   node examples/library/holdfast.mjs
 */
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createHoldfast } from 'holdfast'

const service = fileURLToPath(new URL('./service.mjs', import.meta.url))

const holdfast = createHoldfast({
  data: process.env.DATA ?? './.holdfast',
  api: { port: Number(process.env.API_PORT ?? 3006) },
  listeners: { web: { port: Number(process.env.WEB_PORT ?? 8080), host: '127.0.0.1' } },
  services: {
    web: { command: `${process.execPath} ${service}`, instances: 2, routes: [{ path: '/' }] },
  },
})
holdfast.on('instance.ready', ({ message }) => console.log(message))

try {
  const settled = await holdfast.start()
  for (const { service, problems } of settled) if (problems.length > 0) console.error(`${service}: ${problems.join('; ')}`)
  console.log(`serving at ${holdfast.listeners[0]?.url}, API at ${holdfast.apiUrl}; Ctrl-C ends it`)
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
} finally {
  await holdfast.stop()
  console.log('stopped')
}
