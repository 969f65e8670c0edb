/* eslint no-control-regex: "off" -- control characters are what it is about */
/** Colour, only where somebody looks at it: a terminal, and not against NO_COLOR (no-color.org). */
// eslint-disable-next-line n/no-unsupported-features/node-builtins -- works the same in 20.19, where it is called experimental
import { styleText } from 'node:util'

export type Tone = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue' | 'cyan' | 'magenta'
export type Paint = (tone: Tone, text: string) => string

export function painter(enabled: boolean): Paint {
  return enabled ? (tone, text) => styleText(tone, text, { validateStream: false }) : (_tone, text) => text
}

/** NO_COLOR (not empty) wins over FORCE_COLOR (not empty, not 0), which wins over what the stream is. */
export function wantsColour(isTerminal: boolean, env: NodeJS.ProcessEnv): boolean {
  if (env.NO_COLOR) return false
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0'
  return isTerminal && env.TERM !== 'dumb'
}

// Matches what ECMA-48 calls control functions: CSI, OSC and the two-byte ones, and single control bytes.
const controls =
  /\u001b\[[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[ -/]*[0-~]?|[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g
const colourSequence = /^\u001b\[[0-9;:]*m$/

/**
 * A line that somebody else wrote, fit for a terminal: no cursor movement, no title changes, no line breaks.
 * Colours stay when `keepColours`, and are then switched off at the end.
 */
export function printable(text: string, keepColours: boolean): string {
  const clean = text.replace(controls, (sequence) => (keepColours && colourSequence.test(sequence) ? sequence : ''))
  return clean.includes('\u001b') ? `${clean}\u001b[0m` : clean
}
