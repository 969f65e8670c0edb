/** A small line over the last values, where each matters: nothing is left out, gaps stay gaps. */
import { moment } from '../../lib/format.ts'

interface TracePoint {
  readonly at: number
  /** undefined: not known. */
  readonly value: number | undefined
}

const [width, height] = [400, 120]

export function Trace({ points, say, label }: { points: readonly TracePoint[]; say: (value: number) => string; label: string }) {
  const values = points.flatMap(({ value }) => value ?? [])
  const [first, last] = [points[0]?.at ?? 0, points.at(-1)?.at ?? 0]
  if (values.length === 0) return <p class="muted">No values.</p>
  const top = Math.max(...values)
  const bottom = Math.min(0, ...values)
  const x = (at: number): number => (last === first ? width : ((at - first) / (last - first)) * width)
  const y = (value: number): number => height - 3 - ((value - bottom) / (top - bottom || 1)) * (height - 8)
  return (
    <figure>
      <div class="trace-scale">
        <span>{say(top)}</span>
      </div>
      <svg
        class="trace"
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${label}: from ${say(Math.min(...values))} to ${say(top)}, last ${say(values.at(-1) ?? 0)}`}
      >
        <path d={lineOf(points, x, y)} />
      </svg>
      <div class="trace-scale">
        <span>{moment(first)}</span>
        <span>{moment(last)}</span>
      </div>
    </figure>
  )
}

function lineOf(points: readonly TracePoint[], x: (at: number) => number, y: (value: number) => number): string {
  let pen = 'M'
  let line = ''
  for (const { at, value } of points) {
    if (value === undefined) pen = 'M'
    else {
      line += `${pen}${x(at).toFixed(1)} ${y(value).toFixed(1)}`
      pen = 'L'
    }
  }
  return line
}
