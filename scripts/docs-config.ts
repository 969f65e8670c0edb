/** Writes the reference into docs/configuration.md, between its two markers, from the declaration of the configuration. */
import { readFileSync, writeFileSync } from 'node:fs'
import { configReference } from '../src/config/index.ts'

const page = new URL('../docs/configuration.md', import.meta.url)
const [begin, end] = ['<!-- reference: made by scripts/docs-config.ts -->\n', '<!-- end of reference -->\n']
const text = readFileSync(page, 'utf8')
const [from, to] = [text.indexOf(begin), text.indexOf(end)]
if (from === -1 || to < from) throw new Error(`looked for the markers of the reference in ${page.pathname}, found none`)
writeFileSync(page, `${text.slice(0, from + begin.length)}\n${configReference()}\n\n${text.slice(to)}`)
