/**
 * Whether the whole of a text matches, in time that grows with its length and with nothing else: what people write into a silence, and what others put into a label, must
 * not be able to hold up the process that supervises everything (with backtracking, `(a+)+$` and thirty letters can).
 *
 *   tree ─▶ program ─▶ for each character: all places in the program at once; sets of places that come again are remembered, with where each character leads
 */
import { HoldfastError } from '../../../kernel/errors.ts'
import { isWord, parseRegex, type Assertion, type Regex, type Test } from './syntax.ts'

export const regexLimits = {
  /** Instructions of a program: counts are written out. */
  programMax: 5_000,
  /** Steps that are remembered of one expression; then it begins anew. */
  stepsKeptMax: 2_000,
} as const

type Instruction =
  | { readonly kind: 'test'; readonly test: Test }
  | { readonly kind: 'assert'; readonly what: Assertion }
  | { readonly kind: 'fork'; readonly to: readonly number[] }
  | { readonly kind: 'match' }

/** What stands before a place. */
type Before = 'nothing' | 'newline' | 'word' | 'other'

interface State {
  /** Before what needs no character is followed; what comes next decides where that leads. */
  readonly places: readonly number[]
  readonly before: Before
  readonly steps: Map<number, State>
  ends: boolean | undefined
}

const end = -1
const kindOf = (code: number): Before => (code === 10 ? 'newline' : isWord(code) ? 'word' : 'other')

export class LinearRegex {
  readonly #program: readonly Instruction[]
  readonly #first: State
  #states = new Map<string, State>()
  #kept = 0
  readonly #seen: Uint32Array
  #round = 0

  /** Throws `invalid_input`. */
  constructor(source: string) {
    this.#program = programOf(parseRegex(source), source)
    this.#seen = new Uint32Array(this.#program.length)
    this.#first = this.#state([0], 'nothing')
  }

  /** The whole of it. */
  matches(text: string): boolean {
    let state = this.#first
    for (let i = 0; i < text.length; i++) {
      const code = text.codePointAt(i) ?? 0
      if (code > 0xffff) i++
      state = state.steps.get(code) ?? this.#step(state, code)
      if (state.places.length === 0) return false
    }
    state.ends ??= this.#reached(state, end).some((place) => this.#program[place]?.kind === 'match')
    return state.ends
  }

  #step(state: State, code: number): State {
    const places = this.#reached(state, code).flatMap((place) => {
      const instruction = this.#program[place]
      return instruction?.kind === 'test' && instruction.test(code) ? [place + 1] : []
    })
    if (++this.#kept > regexLimits.stepsKeptMax) {
      this.#kept = 0
      this.#states = new Map()
      this.#first.steps.clear()
      return this.#state(places, kindOf(code))
    }
    const next = this.#state(places, kindOf(code))
    state.steps.set(code, next)
    return next
  }

  #state(places: readonly number[], before: Before): State {
    const key = `${before}:${places.join()}`
    const known = this.#states.get(key)
    if (known) return known
    const made: State = { places, before, steps: new Map(), ends: undefined }
    this.#states.set(key, made)
    return made
  }

  /** Where it stands when this character is next: tests, and the match; each place once, in order. */
  #reached({ places, before }: State, next: number): readonly number[] {
    const found: number[] = []
    const open = places.toReversed()
    const round = ++this.#round
    for (let place = open.pop(); place !== undefined; place = open.pop()) {
      if (this.#seen[place] === round) continue
      this.#seen[place] = round
      const instruction = this.#program[place]
      if (instruction?.kind === 'fork') for (let i = instruction.to.length - 1; i >= 0; i--) open.push(instruction.to[i] ?? 0)
      else if (instruction?.kind === 'assert') {
        if (holds(instruction.what, before, next)) open.push(place + 1)
      } else found.push(place)
    }
    return found.sort((a, b) => a - b)
  }
}

function holds(what: Assertion, before: Before, next: number): boolean {
  switch (what) {
    case 'begin':
      return before === 'nothing'
    case 'end':
      return next === end
    case 'line begin':
      return before === 'nothing' || before === 'newline'
    case 'line end':
      return next === end || next === 10
    case 'word edge':
      return (before === 'word') !== (next !== end && isWord(next))
    case 'no word edge':
      return (before === 'word') === (next !== end && isWord(next))
  }
}

function programOf(regex: Regex, source: string): readonly Instruction[] {
  const program: Instruction[] = []
  const add = (instruction: Instruction): number => {
    if (program.length >= regexLimits.programMax)
      throw new HoldfastError('invalid_input', `tried to read the regular expression ${JSON.stringify(source.slice(0, 200))}: it is too large`, {
        hint: 'repeat less: counts such as {100} are multiplied where they are nested',
      })
    return program.push(instruction) - 1
  }
  const fork = (): { at: number; set: (...to: readonly number[]) => void } => {
    const at = add({ kind: 'fork', to: [] })
    return { at, set: (...to) => (program[at] = { kind: 'fork', to }) }
  }
  const choose = (parts: readonly Regex[]): void => {
    const first = fork()
    const begins: number[] = []
    const ends = parts.map((part) => {
      begins.push(program.length)
      emit(part)
      return fork()
    })
    first.set(...begins)
    for (const { set } of ends) set(program.length)
  }
  const repeat = (part: Regex, min: number, max: number): void => {
    for (let i = 0, before = -1; i < min && program.length > before; i++) {
      // What is nothing needs no repeating, and nested a few times it would take for ever.
      before = program.length
      emit(part)
    }
    if (max === Infinity) {
      const loop = fork()
      emit(part)
      add({ kind: 'fork', to: [loop.at] })
      loop.set(loop.at + 1, program.length)
      return
    }
    const skips = Array.from({ length: max - min }, () => {
      const skip = fork()
      emit(part)
      return skip
    })
    for (const { at, set } of skips) set(at + 1, program.length)
  }
  const emit = (each: Regex): void => {
    if (each.kind === 'test' || each.kind === 'assert') add(each)
    else if (each.kind === 'sequence') each.parts.forEach(emit)
    else if (each.kind === 'choice') choose(each.parts)
    else repeat(each.part, each.min, each.max)
  }
  emit(regex)
  add({ kind: 'match' })
  return program
}
