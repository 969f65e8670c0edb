/** Writes the list of the shipped rules into docs/alert-rules.md, between its two markers. */
import { readFileSync, writeFileSync } from 'node:fs'
import { shippedRulesPage } from '../src/alerting/core/rules/shipped-page.ts'

const page = new URL('../docs/alert-rules.md', import.meta.url)
const [begin, end] = ['<!-- rules: made by scripts/docs-rules.ts -->\n', '<!-- end of rules -->\n']
const text = readFileSync(page, 'utf8')
const [from, to] = [text.indexOf(begin), text.indexOf(end)]
if (from === -1 || to < from) throw new Error(`looked for the markers of the rules in ${page.pathname}, found none`)
writeFileSync(page, `${text.slice(0, from + begin.length)}\n${shippedRulesPage()}\n\n${text.slice(to)}`)
