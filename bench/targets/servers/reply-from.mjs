/** @fastify/reply-from as its documentation advises: undici, bodies passed on as streams, no logger. */
import replyFrom from '@fastify/reply-from'
import fastify from 'fastify'

const [port, originPort] = process.argv.slice(2).map(Number)
const app = fastify({ logger: false, keepAliveTimeout: 120_000, bodyLimit: 2 ** 24 })
app.removeAllContentTypeParsers()
app.addContentTypeParser('*', (_request, payload, done) => {
  done(null, payload)
})
await app.register(replyFrom, { base: `http://127.0.0.1:${originPort}`, undici: { connections: 256, pipelining: 1, keepAliveTimeout: 60_000 } })
// It passes the origin's Connection field on; a client that asked for `close` would wait for an end that comes as an error.
const rewriteHeaders = ({ connection: _connection, 'keep-alive': _keepAlive, ...headers }) => headers
app.all('/*', (request, reply) => reply.from(request.url, { rewriteHeaders }))
await app.listen({ port, host: '127.0.0.1', backlog: 4096 })

process.once('SIGTERM', () => process.exit())
