/** The OpenAPI 3.1 document, made from the routes themselves, and the pages that show it, without any outside asset. */
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'
import { docsBase } from './deps.ts'

const pagePolicy =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; script-src 'self'; object-src 'none'; base-uri 'self'; frame-ancestors 'none'"

/** Before the routes: it collects them as they are added. */
export function collectDocumentation(app: FastifyInstance, version: string): void {
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Holdfast',
        version,
        description:
          'Every answer is `{ "success": true, "data": … }` or `{ "success": false, "error": { "code", "message", "hint"?, "details" } }`; `code` is a stable word.',
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
  app.register(swaggerUi, { routePrefix: docsBase, staticCSP: pagePolicy, uiConfig: { tryItOutEnabled: true } })
  app.register((scope, _options, done) => {
    scope.get(`${docsBase}/openapi.json`, { schema: { hide: true } }, () => app.swagger())
    done()
  })
}
