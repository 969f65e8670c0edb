/**
 * The page at `/` where the dashboard has not been built: says where things are, takes the one-time login code that `up` prints out of the address (`#login=`, which
 * never travels in a request line, or `?login=`), and exchanges it for a token to use in the documentation.
 */
import { createHash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { apiBase, docsBase } from './deps.ts'
import { openPolicy } from './route.ts'

const style = `
  :root { color-scheme: light dark; font: 16px/1.6 system-ui, sans-serif }
  body { max-width: 42rem; margin: clamp(1rem, 6vh, 4rem) auto; padding: 0 1rem }
  code { font: 14px ui-monospace, monospace; overflow-wrap: anywhere }
  #token { display: block; padding: .75rem 1rem; border: 1px solid color-mix(in srgb, currentColor 30%, transparent); border-radius: 6px; user-select: all }
  #token:empty, [hidden] { display: none }
`

const script = `
  const code = new URLSearchParams(location.hash.slice(1) || location.search).get('login')
  const said = document.getElementById('login')
  if (code) {
    history.replaceState(null, '', location.pathname)
    said.hidden = false
    fetch('${apiBase}/auth/token', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ login: code }) })
      .then((answer) => answer.json())
      .then(({ success, data, error }) => {
        document.getElementById('said').textContent = success
          ? 'You are ' + data.role + ' until ' + new Date(data.expiresAt).toLocaleString() + '. Your token (one click selects it), for Authorize in the documentation or in Authorization: Bearer:'
          : error.message
        document.getElementById('token').textContent = success ? data.token : ''
      })
      .catch((error) => { document.getElementById('said').textContent = 'Signing in failed: ' + error.message })
  }
`

const page = (version: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Holdfast: sign in</title>
<style>${style}</style>
</head>
<body>
<h1>Holdfast</h1>
<p>Version ${version}. It keeps the services of this machine up.</p>
<p>This is the sign-in page: the link that <code>holdfast up</code> prints becomes a token here. The dashboard is not built here (<code>npm run build</code> in a clone builds it); meanwhile, <code>holdfast status --watch</code> shows what runs.</p>
<section id="login" hidden aria-live="polite"><p id="said">Signing in…</p><p><code id="token"></code></p></section>
<ul>
<li><a href="${docsBase}">Documentation of the API</a>, and as <a href="${docsBase}/openapi.json">OpenAPI 3.1</a></li>
<li>The API itself: <code>${apiBase}</code>, for example <a href="${apiBase}/health">its health</a></li>
<li><a href="/metrics">Metrics</a> for Prometheus</li>
<li>A token without the link: <code>holdfast token create --role viewer</code></li>
</ul>
<script>${script}</script>
</body>
</html>
`

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
const policy = `default-src 'none'; style-src ${hashOf(style)}; script-src ${hashOf(script)}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

export function addHomePage(app: FastifyInstance, version: string): void {
  app.route({
    method: 'GET',
    url: '/',
    config: { policy: openPolicy },
    schema: { hide: true },
    handler: (_request, reply) => reply.type('text/html; charset=utf-8').header('content-security-policy', policy).send(page(version)),
  })
}
