/**
 * A flame graph on a canvas: callers above, what they call below, as wide as it took. A click or Enter zooms in, Escape out; the arrow keys walk from frame to frame, and what
 * is reached is read aloud. The colour says whose code it is; what a search finds keeps its colour while the rest pales.
 */
import type { TargetedKeyboardEvent, TargetedMouseEvent } from 'preact'
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import { flatten, hottest, originOf, place, search, step, type FlameNode, type Frame, type Origin, type Placed, type Step } from '../lib/flame.ts'
import { percent } from '../lib/format.ts'
import { colour, colours } from '../lib/theme.ts'

const rowPx = 20
const hottestShown = 12
/** Deeper calls are drawn when one zooms in. */
const rowsMax = 120

interface FlameGraphProps {
  readonly root: FlameNode
  /** A total in words: `1.2 s`, `3.4 MiB`. */
  readonly say: (value: number) => string
}

export function FlameGraph({ root, say }: FlameGraphProps) {
  const frames = useMemo(() => flatten(root), [root])
  const [focus, setFocus] = useState(0)
  const [at, setAt] = useState(0)
  const [wanted, setWanted] = useState('')
  const found = useMemo(() => search(frames, wanted), [frames, wanted])
  useEffect(() => {
    setFocus(0)
    setAt(0)
  }, [frames])
  const zoom = (to: number): void => {
    setFocus(to)
    setAt(to)
  }
  const total = frames[0]?.total ?? 0
  const current = frames[at]
  if (total <= 0) return <p class="muted">Nothing was recorded.</p>
  return (
    <div class="flame">
      <div class="row">
        <input
          type="search"
          aria-label="Find a function or file"
          placeholder="Find a function or file"
          value={wanted}
          onInput={(event) => setWanted(event.currentTarget.value)}
        />
        {wanted.trim() !== '' && (
          <span role="status" class="muted">
            {found.frames.size === 0 ? 'not found' : `${found.frames.size} found, ${percent(found.share * 100)} of all`}
          </span>
        )}
        <span class="spring" />
        <button type="button" class="button tiny" disabled={focus === 0} onClick={() => zoom(0)}>
          Show all
        </button>
      </div>
      <Canvas frames={frames} focus={focus} at={at} found={wanted.trim() === '' ? undefined : found.frames} onPoint={setAt} onZoom={zoom} />
      <p class="flame-said" aria-live="polite">
        {current && <Said frame={current} total={total} say={say} />}
      </p>
      <Legend />
      <Hottest frames={frames} total={total} say={say} onFind={setWanted} />
    </div>
  )
}

const Said = ({ frame: { name, where, total: own, self }, total, say }: { frame: Frame; total: number; say: (value: number) => string }) => (
  <>
    <strong>{name}</strong> <span class="mono muted break">{where}</span>
    <br />
    {say(own)} ({percent((100 * own) / total)}) with all that it calls, {say(self)} ({percent((100 * self) / total)}) by itself
  </>
)

const origins: readonly (readonly [Origin, string])[] = [
  ['own', 'your code'],
  ['package', 'packages'],
  ['runtime', 'Node.js, garbage collection'],
]
const Legend = () => (
  <div class="legend">
    {origins.map(([origin, text]) => (
      <span key={origin}>
        <i class={`flame-${origin}`} />
        {text}
      </span>
    ))}
    <span>click or Enter zooms, Esc zooms out, arrow keys walk</span>
  </div>
)

function Hottest({
  frames,
  total,
  say,
  onFind,
}: {
  frames: readonly Frame[]
  total: number
  say: (value: number) => string
  onFind: (name: string) => void
}) {
  const hot = useMemo(() => hottest(frames, hottestShown), [frames])
  return (
    <div class="table-wrap">
      <table class="table" aria-label="What took most by itself">
        <thead>
          <tr>
            <th scope="col">Took most by itself</th>
            <th scope="col" class="narrow-hidden">
              Where
            </th>
            <th scope="col" class="num">
              Self
            </th>
            <th scope="col" class="num">
              Share
            </th>
          </tr>
        </thead>
        <tbody>
          {hot.map(({ name, where, self }) => (
            <tr key={`${name} ${where ?? ''}`}>
              <td>
                <button type="button" class="button quiet tiny" onClick={() => onFind(name)}>
                  {name}
                </button>
              </td>
              <td class="mono break narrow-hidden">{where}</td>
              <td class="num">{say(self)}</td>
              <td class="num">{percent((100 * self) / total)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

const keys: Readonly<Record<string, Step>> = { ArrowUp: 'up', ArrowDown: 'down', ArrowLeft: 'left', ArrowRight: 'right' }

interface CanvasProps {
  readonly frames: readonly Frame[]
  readonly focus: number
  readonly at: number
  readonly found: ReadonlySet<number> | undefined
  readonly onPoint: (index: number) => void
  readonly onZoom: (index: number) => void
}

function Canvas({ frames, focus, at, found, onPoint, onZoom }: CanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const width = useWidth(canvas)
  const placed = useMemo(() => place(frames, focus, width), [frames, focus, width])
  const rows = useMemo(() => Math.min(rowsMax, 1 + placed.reduce((deepest, { frame }) => Math.max(deepest, frame.depth), 0)), [placed])
  const theme = colours.value
  useLayoutEffect(() => {
    if (canvas.current) draw(canvas.current, { placed, width, rows, at, found })
  }, [placed, width, rows, at, found, theme])
  const under = (event: TargetedMouseEvent<HTMLCanvasElement>): Placed | undefined => {
    const depth = Math.floor(event.offsetY / rowPx)
    return placed.find(({ frame, x, width: wide }) => frame.depth === depth && event.offsetX >= x && event.offsetX < x + wide)
  }
  const onKey = (event: TargetedKeyboardEvent<HTMLCanvasElement>): void => {
    const to = keys[event.key]
    if (to !== undefined) onPoint(step(frames, at, to))
    else if (event.key === 'Enter' || event.key === ' ') onZoom(at)
    else if (event.key === 'Escape' && focus !== 0) onZoom(0)
    else return
    event.preventDefault()
  }
  return (
    <canvas
      ref={canvas}
      class="flame-canvas"
      style={{ height: `${rows * rowPx}px` }}
      tabIndex={0}
      role="application"
      aria-label="Flame graph: arrow keys walk from frame to frame, Enter zooms in, Escape zooms out"
      onMouseMove={(event) => {
        const hit = under(event)
        if (hit && hit.frame.index !== at) onPoint(hit.frame.index)
      }}
      onClick={(event) => {
        const hit = under(event)
        if (hit) onZoom(hit.frame.index)
      }}
      onKeyDown={onKey}
    />
  )
}

function useWidth(element: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(800)
  useLayoutEffect(() => {
    const here = element.current
    if (!here) return undefined
    const observer = new ResizeObserver(() => setWidth(here.clientWidth))
    observer.observe(here)
    setWidth(here.clientWidth)
    return () => {
      observer.disconnect()
    }
  }, [])
  return width
}

interface Drawing {
  readonly placed: readonly Placed[]
  readonly width: number
  readonly rows: number
  readonly at: number
  readonly found: ReadonlySet<number> | undefined
}

function draw(canvas: HTMLCanvasElement, { placed, width, rows, at, found }: Drawing): void {
  const ratio = devicePixelRatio || 1
  canvas.width = Math.round(width * ratio)
  canvas.height = Math.round(rows * rowPx * ratio)
  const context = canvas.getContext('2d')
  if (!context) return
  context.scale(ratio, ratio)
  context.font = `11.5px ${getComputedStyle(canvas).fontFamily}`
  context.textBaseline = 'middle'
  const [text, edge] = [colour('--flame-text'), colour('--text')]
  const fill: Readonly<Record<Origin, string>> = {
    own: colour('--flame-own'),
    package: colour('--flame-package'),
    runtime: colour('--flame-runtime'),
  }
  for (const { frame, x, width: wide } of placed) {
    if (frame.depth >= rows) continue
    const y = frame.depth * rowPx
    context.globalAlpha = found && !found.has(frame.index) ? 0.3 : 1
    context.fillStyle = fill[originOf(frame)]
    context.fillRect(x, y, Math.max(0.5, wide - 1), rowPx - 1)
    if (wide > 34) label(context, frame.name, x, y, wide, text)
    if (frame.index !== at) continue
    context.globalAlpha = 1
    context.strokeStyle = edge
    context.lineWidth = 2
    context.strokeRect(x + 1, y + 1, Math.max(1, wide - 3), rowPx - 3)
  }
  context.globalAlpha = 1
}

function label(context: CanvasRenderingContext2D, name: string, x: number, y: number, width: number, text: string): void {
  const fits = Math.floor((width - 8) / 6.2)
  context.fillStyle = text
  context.fillText(name.length <= fits ? name : `${name.slice(0, Math.max(1, fits - 1))}…`, x + 4, y + rowPx / 2, width - 6)
}
