import { readFileSync } from 'node:fs'
import path from 'node:path'
import { explainConfig, showConfig, showConfigText } from '../../config/index.ts'
import { renderChanges } from '../changes.ts'
import { defineCommand, optional, text } from '../command.ts'
import { configFileOf, loadConfiguration, warningsOf, type Where } from '../configuration.ts'
import { usageError } from '../errors.ts'
import { plural } from '../format.ts'
import { printable } from '../style.ts'
import { renderTable, type Column } from '../table.ts'

const file = optional('[file]', 'the file (default: that of --config, else the one found here)', text)

/** `config check FILE` is shorter to type than `--config FILE`, and means the same. */
function at({ options, cwd, env }: Where, file: string | undefined): Where {
  if (file !== undefined && options.config !== undefined && options.config !== file) {
    throw usageError(`two configurations are named: ${file} and --config ${options.config}`, 'name one')
  }
  return { cwd, env, options: { ...options, config: file ?? options.config } }
}

export const configCheck = defineCommand({
  name: 'config check',
  summary: 'say whether a configuration is right, or everything that is wrong with it',
  description: 'Needs no running holdfast and changes nothing. Exit code 2 when something is wrong.',
  arguments: { file },
  examples: ['holdfast config check', 'holdfast config check shop.yml'],
  run(context, { file }) {
    const { config } = loadConfiguration(at(context, file))
    const name = path.relative(context.cwd, config.file ?? '') || 'the configuration'
    const services = Object.keys(config.services)
    for (const warning of warningsOf(config)) context.out.note(warning)
    return Promise.resolve({
      data: { file: config.file, services },
      text: `${name} is right: ${plural(services.length, 'service')}${services.length > 0 ? ` (${services.join(', ')})` : ''}`,
    })
  },
})

export const configShow = defineCommand({
  name: 'config show',
  summary: 'the complete configuration, defaults filled in, secrets as ***',
  description: 'What a holdfast started here and now would use. Needs no running one.',
  arguments: { file },
  examples: ['holdfast config show', 'holdfast config show --json'],
  run(context, { file }) {
    if (file === undefined) context.tellFileAbove()
    const loaded = loadConfiguration(at(context, file))
    return Promise.resolve({ data: showConfig(loaded), text: showConfigText(loaded).trimEnd() })
  },
})

const explainColumns: readonly Column[] = [
  { title: 'KEY', shrinkTo: 24 },
  { title: 'VALUE', shrinkTo: 12 },
  { title: 'SOURCE' },
  { title: 'WHERE', shrinkTo: 12 },
]

export const configExplain = defineCommand({
  name: 'config explain',
  summary: 'each effective value and where it came from: default, file or environment',
  arguments: { key: optional('[key]', 'only this key and what is below it, as in services.shop.health', text) },
  examples: ['holdfast config explain', 'holdfast config explain services.shop', 'PORT=4000 holdfast config explain api.port'],
  run(context, { key }) {
    context.tellFileAbove()
    const rows = explainConfig(loadConfiguration(context)).filter(({ path }) => key === undefined || isBelow(path, key))
    if (key !== undefined && rows.length === 0) throw usageError(`no key "${key}" in the configuration`, 'see them all with: holdfast config explain')
    const cells = rows.map(({ path, value, source, where }) => [path, valueText(value), source, where])
    const { out } = context
    return Promise.resolve({ data: rows, text: renderTable(explainColumns, cells, out.columns, (title) => out.paint('dim', title)) })
  },
})

function isBelow(path: string, key: string): boolean {
  return path === key || path.startsWith(`${key}.`) || path.startsWith(`${key}[`)
}

function valueText(value: unknown): string {
  if (value === null) return 'none'
  return printable(typeof value === 'string' ? value : JSON.stringify(value), false)
}

export const configDiff = defineCommand({
  name: 'config diff',
  summary: 'what applying the file to the running holdfast would change, and what that does',
  description: 'Changes nothing; `holdfast up` applies it. With --config, [file] is compared to what runs from that one.',
  arguments: { file },
  examples: ['holdfast config diff', 'holdfast config diff next.yml'],
  async run(context, { file }) {
    const { cwd, env, options } = context
    const where = { cwd, env, options: { ...options, config: file ?? options.config } }
    loadConfiguration(where)
    const name = configFileOf(where)
    const api = await context.connect()
    const changes = await api.checkConfig(readFileSync(name, 'utf8'))
    const text =
      changes.length === 0 ? 'no difference to what runs' : `${plural(changes.length, 'difference')} to what runs:\n${renderChanges(changes)}`
    return { data: { file: name, changes }, text }
  },
})
