/** A line of the last two minutes, drawn on a canvas: 200 of them once a second cost a few milliseconds. */
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks'
import { recent, second } from '../lib/live.ts'
import { recentPoints, stretches } from '../lib/recent.ts'
import { colour, colours } from '../lib/theme.ts'

interface SparkProps {
  /** `instance:cpu:shop-3f2a9c` */
  readonly of: string
  readonly width?: number
  readonly height?: number
  /** The least that the top stands for: so that noise near zero does not look like a storm. */
  readonly least?: number
}

let strokes: { readonly at: number; readonly line: string; readonly fill: string } | undefined
function stroke(): { readonly line: string; readonly fill: string } {
  if (strokes?.at !== colours.peek()) strokes = { at: colours.peek(), line: colour('--series-1'), fill: colour('--accent-soft') }
  return strokes
}

export function Spark({ of, width = 96, height = 22, least = 1 }: SparkProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  useLayoutEffect(() => {
    const element = canvas.current
    if (!element) return
    const ratio = devicePixelRatio || 1
    element.width = width * ratio
    element.height = height * ratio
    element.getContext('2d')?.scale(ratio, ratio)
  }, [width, height])
  useEffect(
    () =>
      second.subscribe(() => {
        const context = canvas.current?.getContext('2d')
        if (context) draw(context, of, width, height, least)
      }),
    [of, width, height, least],
  )
  return <canvas ref={canvas} style={{ width: `${width}px`, height: `${height}px` }} aria-hidden="true" />
}

function draw(context: CanvasRenderingContext2D, key: string, width: number, height: number, least: number): void {
  const ring = recent.ring(key)
  let top = least
  for (let i = 0; i < recentPoints; i++) top = Math.max(top, ring.at(i) || 0)
  const { line, fill } = stroke()
  context.clearRect(0, 0, width, height)
  const x = (i: number): number => (i / (recentPoints - 1)) * width
  const y = (value: number): number => height - 1.5 - (value / top) * (height - 3)
  context.lineWidth = 1.25
  context.lineJoin = 'round'
  for (const [from, to] of stretches(ring)) {
    context.beginPath()
    for (let i = from; i <= to; i++) context.lineTo(x(i), y(ring.at(i)))
    context.strokeStyle = line
    context.stroke()
    context.lineTo(x(to), height)
    context.lineTo(x(from), height)
    context.globalAlpha = 0.55
    context.fillStyle = fill
    context.globalCompositeOperation = 'destination-over'
    context.fill()
    context.globalCompositeOperation = 'source-over'
    context.globalAlpha = 1
  }
}
