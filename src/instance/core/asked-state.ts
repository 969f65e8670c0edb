/**
 * What an endpoint asks for itself, in the words of HAProxy's agent check (configuration.txt, `agent-check`): in a field of its answers, or over
 * the socket on which instances report.
 *
 *   ready ⇄ drain │ maint            words of administration: nothing new is sent
 *   up ⇄ down │ fail │ stopped       what it can do; `#` and the rest of the line say why
 *   50%, weight:50%, weight:50       its share of the weight that it would have; 0 is as `drain`
 *   maxconn:20                       requests that it wants at a time, over all workers; 0: any number
 *
 * What is not mentioned stays: whoever set a state must unset it. A line with a word that is none says nothing. Pure.
 */

export interface AskedState {
  readonly admin: 'ready' | 'drain' | 'maint'
  /** Why it is down; undefined: it is up. */
  readonly down: string | undefined
  /** 0 to 100. */
  readonly weight: number
  /** undefined: any number. */
  readonly maxconn: number | undefined
}

export const asksNothing: AskedState = { admin: 'ready', down: undefined, weight: 100, maxconn: undefined }

/** The field of an answer, in lower case. */
export const stateField = 'holdfast-state'
/** A line that is longer is none of ours. */
export const askedBytesMax = 256
const maxconnMax = 1_000_000

/** The state after such a line; undefined: it cannot be read. */
export function readAsked(line: string, before: AskedState): AskedState | undefined {
  if (line.length > askedBytesMax || !/^[\t\x20-\x7e]*$/.test(line)) return undefined
  const at = line.indexOf('#')
  const why = at === -1 ? undefined : line.slice(at + 1).trim()
  const words = (at === -1 ? line : line.slice(0, at)).split(/[\s,]+/).filter((word) => word !== '')
  let state: AskedState | undefined = words.length === 0 ? undefined : before
  for (const word of words) state = state && read(word.toLowerCase(), why, state)
  return state
}

function read(word: string, why: string | undefined, state: AskedState): AskedState | undefined {
  switch (word) {
    case 'ready':
    case 'drain':
    case 'maint':
      return { ...state, admin: word }
    case 'up':
      return { ...state, down: undefined }
    case 'down':
    case 'fail':
    case 'stopped':
      return { ...state, down: why === undefined || why === '' ? word : `${word}: ${why}` }
    default:
      return readAmount(word, state)
  }
}

function readAmount(word: string, state: AskedState): AskedState | undefined {
  const [, weight] = /^(?:weight:)?(\d{1,3})%$/.exec(word) ?? /^weight:(\d{1,3})$/.exec(word) ?? []
  if (weight !== undefined) return { ...state, weight: Math.min(100, Number(weight)) }
  const [, maxconn] = /^maxconn:(\d{1,7})$/.exec(word) ?? []
  if (maxconn === undefined || Number(maxconn) > maxconnMax) return undefined
  return { ...state, maxconn: Number(maxconn) === 0 ? undefined : Number(maxconn) }
}

/** All of it as one line, which says the same to whoever knows nothing of before. */
export function writeAsked({ admin, down, weight, maxconn = 0 }: AskedState): string {
  const [word = 'up', ...why] = down?.split(': ') ?? []
  return `${admin} weight:${weight}% maxconn:${maxconn} ${word}${why.length === 0 ? '' : ` #${why.join(': ')}`}`
}

/** Why it is not to be sent anything while others are well; undefined: it may. */
export function whyOut({ admin, down, weight }: AskedState): string | undefined {
  if (down !== undefined) return `it says that it is ${down}`
  if (admin !== 'ready') return admin === 'drain' ? 'it asks to be drained' : 'it asks for maintenance'
  return weight === 0 ? 'it asks for no weight' : undefined
}

/** What one endpoint asks for in more than one way: out when one of them takes it out, else the least of each. */
export const strictest = (a: AskedState, b: AskedState): AskedState => ({
  admin: a.admin === 'ready' ? b.admin : a.admin,
  down: a.down ?? b.down,
  weight: Math.min(a.weight, b.weight),
  maxconn: a.maxconn === undefined || b.maxconn === undefined ? (a.maxconn ?? b.maxconn) : Math.min(a.maxconn, b.maxconn),
})

/** What several processes of one instance ask for: it is in while one of them is, and has the mean weight of all. */
export function together(states: readonly AskedState[]): AskedState {
  const [first = asksNothing, ...others] = states
  if (others.length === 0) return first
  const open = states.find((state) => whyOut(state) === undefined)
  const weights = states.map((state) => (whyOut(state) === undefined ? state.weight : 0))
  const limits = states.flatMap(({ maxconn }) => maxconn ?? [])
  return {
    ...(open ?? first),
    weight: open === undefined ? first.weight : Math.max(1, Math.round(weights.reduce((sum, each) => sum + each, 0) / states.length)),
    maxconn: limits.length === states.length ? limits.reduce((sum, each) => sum + each, 0) : undefined,
  }
}
