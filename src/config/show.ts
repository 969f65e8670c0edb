/** The effective configuration for people: complete, in the shape of the file, secrets starred out. */
import { createHash } from 'node:crypto'
import { Document, visit } from 'yaml'
import { toSettings } from './core/build.ts'
import type { Described } from './core/diff.ts'
import { configType } from './core/keys.ts'
import { specText } from './core/spec.ts'
import { canonical, write } from './core/write.ts'
import type { Config, ServiceConfig } from './types.ts'

/** Plain values, ready for JSON. */
export function showConfig({ config, origins = new Map() }: Described): Readonly<Record<string, unknown>> {
  return write(configType, toSettings(config), '', { origins }) as Readonly<Record<string, unknown>>
}

/** As YAML. Where nothing was starred out, it is a configuration that means the same. */
export function showConfigText(described: Described): string {
  const document = new Document(showConfig(described))
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value === 'string') node.value = node.value.replaceAll('${', () => '$${')
    },
  })
  return document.toString({ lineWidth: 0 })
}

const hashLength = 16

/** Equal for services whose instances do not differ; see `specText`. */
export function specHash(service: ServiceConfig): string {
  return sha256(specText(service))
}

/** Changes with the effective configuration, and only then. Tells nothing about it. */
export function configTag(config: Config): string {
  return sha256(canonical(config))
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, hashLength)
}
