/** The OpenAPI 3.1 document, made from the routes themselves, and the pages that show it, without any outside asset. */
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'
import { docsBase } from './deps.ts'

const pagePolicy =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; script-src 'self'; object-src 'none'; base-uri 'self'; frame-ancestors 'none'"

const description = `Every answer is \`{ "success": true, "data": … }\` or \`{ "success": false, "error": { "code", "message", "hint"?, "details" } }\`; \`code\` is a stable word.

**To try it here**, get a token, press *Authorize* and paste it under *bearer*. A token comes from the link that \`holdfast up\` prints, or from
\`holdfast token create --role viewer\` on the machine of the control process. \`viewer\` reads, \`operator\` also acts, \`admin\` also configures.

Errors, credentials, roles, limits and events are explained in \`docs/api.md\` of the package. [Sign-in page](/) · [OpenAPI 3.1](${docsBase}/openapi.json)`

// The top bar is the logo of another project and a field for the addresses of other documents; there is one server only. The boxes of inline code are
// higher than the lines of the text, and cover what stands above them where a line is broken.
const ownStyle = `.swagger-ui .topbar, .swagger-ui .scheme-container section.schemes > .schemes-server-container { display: none }
.swagger-ui .info { margin: 30px 0 }
.swagger-ui .info .renderedMarkdown p { line-height: 1.7 }
.swagger-ui .info .renderedMarkdown code { padding: 1px 5px; overflow-wrap: anywhere }
.swagger-ui .scheme-container { padding: 15px 0 }
`

// The plugin's page has no place for a meta element of ours; without it a phone shows the page as a desktop would.
const ownScript = `const viewport = document.createElement('meta')
viewport.name = 'viewport'
viewport.content = 'width=device-width, initial-scale=1'
document.head.append(viewport)
`

const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#1f4e5f"/><path d="M5 3v10M11 3v10M5 8h6" stroke="#fff" stroke-width="2"/></svg>`

/** Before the routes: it collects them as they are added. */
export function collectDocumentation(app: FastifyInstance, version: string): void {
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Holdfast',
        version,
        description,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'A token (`holdfast token create`) or an API key.' },
          apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'An API key (`holdfast apikey create`).' },
        },
      },
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  })
}

/** After the routes. */
export function addDocumentationPages(app: FastifyInstance): void {
  app.register(swaggerUi, {
    routePrefix: docsBase,
    staticCSP: pagePolicy,
    uiConfig: { tryItOutEnabled: true },
    logo: { type: 'image/svg+xml', content: icon },
    theme: {
      title: 'Holdfast API',
      css: [{ filename: 'holdfast.css', content: ownStyle }],
      js: [{ filename: 'holdfast.js', content: ownScript }],
      favicon: [{ filename: 'holdfast.svg', rel: 'icon', type: 'image/svg+xml', sizes: 'any', content: icon }],
    },
  })
  app.register((scope, _options, done) => {
    scope.get(`${docsBase}/openapi.json`, { schema: { hide: true } }, () => app.swagger())
    done()
  })
}
