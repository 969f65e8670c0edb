/**
 * `npm run bench -- cache [--rounds N] [--only WORDS]`: the library's cache beside others, in memory and over a Redis of its own. They take turns, round
 * by round; a ratio is taken within a round, and the middle one counts, so that a machine that is busy for a while does not decide.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { stamp } from '../lib/arguments.ts'
import { machineFacts } from '../lib/machine.ts'
import { median, spread } from '../lib/statistics.ts'
import { redisQuestions } from './redis.ts'
import { ours, questions, type Question, type Subject } from './subjects.ts'

const results = join(dirname(fileURLToPath(import.meta.url)), '..', 'results')

interface Reading {
  readonly subject: string
  /** For each, by the wall and of the processor, in nanoseconds. */
  readonly wall: readonly number[]
  readonly cpu: readonly number[]
}

interface Result {
  readonly question: Question
  readonly readings: readonly Reading[]
}

export async function benchCache(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { rounds: { type: 'string', default: '7' }, only: { type: 'string', default: '' } } })
  const rounds = Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds is a whole number from 1')
  const machine = machineFacts()
  const far = await redisQuestions()
  const measured: Result[] = []
  try {
    const asked = [...(await questions()), ...far.questions].filter(({ what }) => what.includes(values.only))
    for (const question of asked) measured.push({ question, readings: await ask(question, rounds) })
  } finally {
    await far.end()
  }
  const head = [
    `# Cache: ${machine.date}`,
    '',
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, load before ${machine.loadBefore.toFixed(2)}, commit ${machine.commit}; ${rounds} rounds.`,
    '',
    '| what | who | ns each (median) | spread | CPU ns each | our speed, theirs = 1 |',
    '|---|---|---:|---:|---:|---:|',
  ]
  const verdicts = measured.flatMap(verdictsOf)
  const markdown = [...head, ...measured.flatMap(rowsOf), '', ...verdicts, ''].join('\n')
  console.log(markdown)
  mkdirSync(results, { recursive: true })
  const file = join(results, `cache-${stamp(machine.date)}`)
  writeFileSync(`${file}.md`, markdown)
  const rows = measured.map(({ question: { what, times }, readings }) => ({ what, times, readings }))
  writeFileSync(`${file}.json`, `${JSON.stringify({ machine, rounds, rows }, undefined, 1)}\n`)
  console.error(`written: ${file}.md and .json`)
  if (verdicts.some((verdict) => verdict.includes('MISSED'))) process.exitCode = 1
}

async function ask({ subjects, times }: Question, rounds: number): Promise<Reading[]> {
  const readings = subjects.map(({ name }) => ({ subject: name, wall: [] as number[], cpu: [] as number[] }))
  for (let round = -1; round < rounds; round++) {
    for (const [i, subject] of subjects.entries()) {
      const { wall, cpu } = await timed(subject, times * (subject.share ?? 1))
      // The first round warms up.
      if (round < 0) continue
      readings[i]?.wall.push(wall)
      readings[i]?.cpu.push(cpu)
    }
  }
  return readings
}

async function timed(subject: Subject, times: number): Promise<{ readonly wall: number; readonly cpu: number }> {
  const before = process.cpuUsage()
  const began = performance.now()
  await subject.run(times)
  const wall = ((performance.now() - began) * 1e6) / times
  const { user, system } = process.cpuUsage(before)
  return { wall, cpu: ((user + system) * 1e3) / times }
}

/** How much faster ours was than another, in the middle round, by CPU: that is what the work costs whatever else the machine did. */
function speedBeside(other: Reading, readings: readonly Reading[], name = ours): number {
  const own = readings.find(({ subject }) => subject === name)
  return median(other.cpu.map((cpu, round) => cpu / (own?.cpu[round] ?? NaN)))
}

const rowsOf = ({ question: { what }, readings }: Result): string[] =>
  readings.map((reading, i) => {
    const ratio = reading.subject === ours ? '' : speedBeside(reading, readings).toFixed(2)
    const { wall, cpu } = reading
    return `| ${i === 0 ? what : ''} | ${reading.subject} | ${median(wall).toFixed(0)} | ${(spread(wall) * 100).toFixed(0)} % | ${median(cpu).toFixed(0)} | ${ratio} |`
  })

function verdictsOf({ question: { what, target }, readings }: Result): string[] {
  if (target === undefined) return []
  return readings
    .filter(({ subject }) => !subject.startsWith(ours) && (target.of === '' || subject === target.of))
    .map((reading) => {
      const speed = speedBeside(reading, readings, target.own)
      return `* ${what}, ${target.own ?? ours}: ${speed.toFixed(2)} times as fast as ${reading.subject}; at least ${target.least} is the target: ${speed >= target.least ? 'met' : 'MISSED'}`
    })
}
