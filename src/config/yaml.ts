/**
 * From YAML text to source nodes, by the parser of the package `yaml`: everything is text (types come from our schema),
 * and everything knows its place. Anchors, aliases and merge keys (`<<`) work; whatever could blow up is limited.
 *
 * The text is fed to the parser piece by piece instead of by its one-call function, because that one recurses: a few
 * thousand brackets exhaust the stack inside a regular expression, which ends the process and cannot be caught.
 */
import { Composer, isAlias, isMap, isScalar, isSeq, LineCounter, Lexer, Parser, Scalar, type Document, type ParsedNode, type Range } from 'yaml'
import { mask, unmask } from './core/interpolate.ts'
import { problemAt, type Complaint, type Problem } from './core/problem.ts'
import type { MapEntry, Place, ScalarNode, SourceNode } from './core/source.ts'
import { plainLine, quote } from './core/words.ts'

export const yamlLimits = {
  /** Of the whole text: far more than anybody writes by hand, little enough to parse in a second. */
  textBytesMax: 1_048_576,
  /** Pieces the text may have; keeps the worst megabyte as quick as the best. */
  tokensMax: 250_000,
  /** Maps and lists inside each other. */
  depthMax: 32,
  /** Values in all, once the aliases are filled in. */
  nodesMax: 50_000,
  /** Broken syntax breaks what follows it, too; more would only confuse. */
  syntaxProblemsMax: 3,
  /** What is broken more often is not YAML at all; the rest is not read. */
  syntaxErrorsMax: 100,
} as const

/** A map, a list and a key are up to three entries on the parser's stack. */
const parserStackMax = 3 * yamlLimits.depthMax

export type YamlResult = { readonly root: SourceNode } | { readonly problems: readonly Problem[] }

/** Half a character. Masking needs a text without any. */
const loneSurrogate = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

/** Reads one document. `label` is how problems call the file. Never throws for what the text holds. */
export function readYaml(text: string, label: string): YamlResult {
  const lines = new LineCounter()
  lines.addNewLine(0)
  const place = placer(lines, label)
  const source = text.replace(/^\ufeff/, '').replace(loneSurrogate, '\ufffd')
  try {
    const document = compose(mask(source), lines)
    const problems = syntaxProblems(document, place)
    if (problems.length > 0) return { problems }
    return { root: new NodeReader(place).read(document.contents, 0) }
  } catch (error) {
    if (error instanceof Refusal) return { problems: [problemAt(place(error.from, error.to), '', error.complaint)] }
    throw error
  }
}

/** Ends the reading at the first thing that makes going on pointless or dangerous. */
class Refusal extends Error {
  readonly from: number
  readonly to: number
  readonly complaint: Complaint

  constructor(from: number, to: number, complaint: Complaint) {
    super(complaint.message)
    this.from = from
    this.to = to
    this.complaint = complaint
  }
}

type Placer = (from: number, to: number) => Place

function placer(lines: LineCounter, file: string): Placer {
  return (from, to) => {
    const { line, col } = lines.linePos(from)
    const end = lines.linePos(Math.max(from, to))
    return { kind: 'file', file, line, column: col, width: end.line === line ? Math.max(1, end.col - col) : 1 }
  }
}

function compose(masked: string, lines: LineCounter): Document.Parsed {
  const parser = new Parser(lines.addNewLine)
  const composer = new Composer({ schema: 'failsafe', uniqueKeys: false, prettyErrors: false, logLevel: 'silent', lineCounter: lines })
  function* tokens(): ReturnType<Parser['end']> {
    let count = 0
    let errors = 0
    for (const lexeme of new Lexer().lex(masked)) {
      for (const token of parser.next(lexeme)) {
        yield token
        if (token.type === 'error' && ++errors === yamlLimits.syntaxErrorsMax) return
      }
      if (parser.stack.length > parserStackMax) {
        throw new Refusal(parser.offset, parser.offset + 1, { message: `is nested deeper than ${yamlLimits.depthMax} levels` })
      }
      if (++count > yamlLimits.tokensMax) {
        throw new Refusal(parser.offset, parser.offset + 1, { message: `has more than ${yamlLimits.tokensMax} YAML tokens` })
      }
    }
    yield* parser.end()
  }
  let first: Document.Parsed | undefined
  for (const document of composer.compose(tokens(), true, masked.length)) {
    if (first !== undefined) {
      throw new Refusal(document.range[0], document.range[0] + 3, { message: 'a second YAML document begins here', hint: 'keep everything in one, without "---"' })
    }
    first = document
  }
  if (first === undefined) throw new Refusal(0, 1, { message: 'holds no YAML document' })
  return first
}

const syntaxHints: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'indent with spaces',
  BAD_SCALAR_START: 'put the value in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'put a value that holds ": " in quotes, or begin a new line for a new key',
  TAG_RESOLVE_FAILED: 'leave the tag out; types come from the key',
}

/** The first of each line: what follows on a broken line is only its echo. */
function syntaxProblems(document: Document.Parsed, place: Placer): Problem[] {
  const problems: Problem[] = []
  for (const { pos, code, message } of [...document.errors, ...document.warnings]) {
    const [from, to] = pos
    // Some messages quote the text, which may be a secret.
    const clause = plainLine(message.replace(/: ".*$/s, ''))
    const problem = problemAt(place(from, to), '', { message: `not valid YAML: ${clause.charAt(0).toLowerCase()}${clause.slice(1)}`, hint: syntaxHints[code] })
    if (!problems.some(({ line }) => line === problem.line)) problems.push(problem)
    if (problems.length === yamlLimits.syntaxProblemsMax) break
  }
  return problems
}

type YamlNode = ParsedNode | null | undefined

class NodeReader {
  readonly #place: Placer
  readonly #anchors = new Map<string, YamlNode>()
  #nodes = 0

  constructor(place: Placer) {
    this.#place = place
  }

  read(node: YamlNode, depth: number): SourceNode {
    const [from, to] = rangeOf(node)
    if (depth > yamlLimits.depthMax) throw new Refusal(from, to, { message: `is nested deeper than ${yamlLimits.depthMax} levels` })
    if (++this.#nodes > yamlLimits.nodesMax) throw new Refusal(from, to, { message: `holds more than ${yamlLimits.nodesMax} values with all aliases filled in` })
    const read = this.#readInside(node, depth)
    // Only now, so that an alias inside its own anchor is unknown instead of endless.
    if (node !== null && node !== undefined && !isAlias(node) && node.anchor !== undefined) this.#anchors.set(node.anchor, node)
    return read
  }

  #readInside(node: YamlNode, depth: number): SourceNode {
    const [from, to] = rangeOf(node)
    const place = this.#place(from, to)
    if (isAlias(node)) return this.read(this.#target(node.source, from, to), depth)
    if (isMap(node)) return { kind: 'map', entries: this.#entries(node.items, depth), place }
    if (isSeq(node)) return { kind: 'list', items: node.items.map((item) => this.read(item as YamlNode, depth + 1)), place }
    return isScalar(node) ? scalarNode(node, place) : { kind: 'scalar', text: '', plain: true, place }
  }

  #target(anchor: string, from: number, to: number): YamlNode {
    if (!this.#anchors.has(anchor)) {
      throw new Refusal(from, to, { message: `the alias *${plainLine(anchor, 40)} stands for nothing`, hint: `mark a value above it with &${plainLine(anchor, 40)}` })
    }
    return this.#anchors.get(anchor)
  }

  #entries(pairs: readonly { readonly key: unknown; readonly value: unknown }[], depth: number): readonly MapEntry[] {
    const own = new Map<string, MapEntry>()
    const merged: MapEntry[] = []
    for (const pair of pairs) {
      const keyNode = this.read(pair.key as YamlNode, depth + 1)
      const value = this.read(pair.value as YamlNode, depth + 1)
      const [from, to] = rangeOf(pair.key as YamlNode)
      if (keyNode.kind !== 'scalar') throw new Refusal(from, to, { message: `a ${keyNode.kind} cannot be a key`, hint: 'put the key in quotes' })
      const key = keyNode.text
      if (key === '<<' && keyNode.plain) {
        merged.push(...mergedEntries(value, from, to))
        continue
      }
      const first = own.get(key)
      if (first !== undefined) {
        const line = first.keyPlace.kind === 'file' ? first.keyPlace.line : 0
        throw new Refusal(from, to, { message: `the key ${quote(key)} is given twice`, hint: `it stands on line ${line} already` })
      }
      own.set(key, { key, keyPlace: keyNode.place, value })
    }
    // Own keys win over merged ones, and earlier maps of a merge over later ones.
    for (const entry of merged) if (!own.has(entry.key)) own.set(entry.key, entry)
    return [...own.values()]
  }
}

/** Source: the merge key of YAML 1.1, which 1.2 dropped and everybody still writes. */
function mergedEntries(value: SourceNode, from: number, to: number): readonly MapEntry[] {
  const maps = value.kind === 'list' ? value.items : [value]
  return maps.flatMap((map) => {
    if (map.kind !== 'map') throw new Refusal(from, to, { message: '"<<" merges maps only', hint: 'give it an alias of a map, or a list of them' })
    return map.entries
  })
}

function scalarNode(node: Scalar.Parsed, place: Place): ScalarNode {
  const text = typeof node.value === 'string' ? node.value : node.source
  return { kind: 'scalar', text: unmask(text), plain: node.type === undefined || node.type === Scalar.PLAIN, place }
}

function rangeOf(node: YamlNode): readonly [from: number, to: number] {
  const range: Range | null | undefined = node?.range
  return range ? [range[0], range[1]] : [0, 1]
}
