/** A chart over time: a few lines, what they are now, and at the pointer. All charts of a page have the same span and the same pointer. */
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import { sayError } from '../lib/api.ts'
import { bytes, count, decimal, milliseconds, moment, percent, rate, share } from '../lib/format.ts'
import { now } from '../lib/live.ts'
import { span, spanNames, spans, useSeries, type LineQuery } from '../lib/series.ts'
import type { SeriesData } from '../lib/points.ts'
import { colour, colours } from '../lib/theme.ts'
import { Card, Segments } from './page.tsx'

export type ChartUnit = 'rate' | 'share' | 'ms' | 'bytes' | 'bytesPerSecond' | 'percent' | 'count' | 'decimal'
const formats: Record<ChartUnit, (value: number | null | undefined) => string> = {
  rate,
  share,
  ms: milliseconds,
  bytes,
  bytesPerSecond: (value) => (value === null || value === undefined ? bytes(value) : `${bytes(value)}/s`),
  percent,
  count,
  decimal,
}
/** What the axis shows at least, so that noise near zero does not look like a storm. */
const leastTop: Record<ChartUnit, number> = {
  rate: 1,
  share: 0.01,
  ms: 10,
  bytes: 1_048_576,
  bytesPerSecond: 1_024,
  percent: 10,
  count: 2,
  decimal: 1,
}

interface ChartProps {
  readonly title: string
  readonly unit: ChartUnit
  readonly lines: readonly LineQuery[]
  /** Lines on top of each other: `area` fills the only one. */
  readonly area?: boolean
  /** The top, when it is known: 100 of percent. */
  readonly top?: number
}

const lineColours = [1, 2, 3, 4, 5, 6].map((n) => `--series-${n}`)

export function Chart({ title, unit, lines, area = lines.length === 1, top }: ChartProps) {
  const { data, error } = useSeries(lines)
  const [at, setAt] = useState<number | undefined>(undefined)
  const format = formats[unit]
  const many = lines.some(({ by }) => by !== undefined)
  const single = lines.length === 1 && !many
  const legend = <Legend data={data} at={at} format={format} fallback={lines} kind={single ? 'single' : many ? 'many' : 'few'} />
  const drawn = data !== undefined && data.times.length > 0
  return (
    <Card title={title} beside={<Beside legend={single && legend} data={data} at={at} />}>
      {!single && legend}
      <div class={`chart ${single ? 'tall' : many ? 'short' : ''}`} role="img" aria-label={spoken(title, data, format)}>
        {drawn && <Plot data={data} unit={unit} area={area} top={top} onPoint={setAt} />}
        {!drawn && error !== undefined && <div class="empty">{sayError(error)}</div>}
        {!drawn && error === undefined && <div class="empty">{data ? 'Nothing was measured in this time' : ''}</div>}
        {drawn && error !== undefined && (
          <div class="stale" title={sayError(error)}>
            not up to date
          </div>
        )}
      </div>
    </Card>
  )
}

const Beside = ({ legend, data, at }: { legend: ComponentChildren; data: SeriesData | undefined; at: number | undefined }) => (
  <>
    {at !== undefined && data?.times[at] !== undefined && <span class="muted small">{moment(data.times[at])}</span>}
    {data !== undefined && data.more > 0 && (
      <span class="muted small" title="Drawn are the highest of those that are measured now.">
        {data.lines.length} of {data.lines.length + data.more}
      </span>
    )}
    {legend}
  </>
)

interface LegendProps {
  readonly data: SeriesData | undefined
  readonly at: number | undefined
  readonly format: (value: number | null | undefined) => string
  readonly fallback: readonly LineQuery[]
  readonly kind: 'single' | 'few' | 'many'
}

function Legend({ data, at, format, fallback, kind }: LegendProps) {
  const lines = data?.lines ?? fallback.filter(({ by }) => by === undefined).map(({ name }) => ({ name, values: [] }))
  const common = kind === 'many' ? commonStart(fallback, lines) : 0
  return (
    <div class={`legend ${kind === 'single' ? '' : 'chart-legend'} ${kind}`}>
      {lines.map(({ name, values }, i) => (
        <span key={name} title={kind === 'single' ? undefined : name}>
          <i style={{ background: `var(${lineColours[i] ?? '--muted'})` }} />
          {kind !== 'single' && <span class="name">{name.slice(common)}</span>}
          <b>{format(at === undefined ? values.findLast((value) => value !== null) : values[at])}</b>
        </span>
      ))}
    </div>
  )
}

/** On the page of a service its instances need not all begin with its name. */
function commonStart([query]: readonly LineQuery[], lines: readonly { readonly name: string }[]): number {
  const start = query?.by === 'instance' && query.of?.service !== undefined ? `${query.of.service}-` : ''
  return lines.every(({ name }) => name.startsWith(start) && name.length > start.length) ? start.length : 0
}

function spoken(title: string, data: SeriesData | undefined, format: (value: number | null | undefined) => string): string {
  if (!data || data.times.length === 0) return `${title}: nothing was measured`
  const said = data.lines.map(({ name, values }) => {
    const numbers = values.filter((value) => value !== null)
    return `${name} now ${format(numbers.at(-1))}, at most ${format(numbers.length === 0 ? undefined : Math.max(...numbers))}`
  })
  return `${title}, the last ${span.value}: ${said.join('; ')}`
}

function Plot({
  data,
  unit,
  area,
  top,
  onPoint,
}: {
  data: SeriesData
  unit: ChartUnit
  area: boolean
  top: number | undefined
  onPoint: (at: number | undefined) => void
}) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | undefined>(undefined)
  const names = data.lines.map(({ name }) => name).join('\n')
  const theme = colours.value
  useEffect(() => {
    const element = box.current
    if (!element) return undefined
    const made = new uPlot(options(data, unit, area, top, element, onPoint), aligned(data), element)
    plot.current = made
    const watch = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: element.clientHeight }))
    watch.observe(element)
    return () => {
      watch.disconnect()
      made.destroy()
    }
  }, [names, unit, theme])
  useEffect(() => plot.current?.setData(aligned(data)), [data])
  return <div ref={box} class="chart-plot" />
}

const aligned = ({ times, lines }: SeriesData): uPlot.AlignedData => [times.map((time) => time / 1_000), ...lines.map(({ values }) => [...values])]

function options(
  data: SeriesData,
  unit: ChartUnit,
  area: boolean,
  top: number | undefined,
  { clientWidth: width, clientHeight: height }: HTMLElement,
  onPoint: (at: number | undefined) => void,
): uPlot.Options {
  const [muted, line] = [colour('--muted'), colour('--line')]
  const font = '11px system-ui, sans-serif'
  const format = formats[unit]
  return {
    width,
    height,
    padding: [6, 14, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: 'page' }, drag: { x: false, y: false }, points: { size: 6 }, y: false },
    scales: {
      x: { time: true, range: () => [(now() - spans[span.peek()].ms) / 1_000, now() / 1_000] },
      y: { range: (_, __, highest) => [0, top ?? Math.max(leastTop[unit], highest * 1.12)] },
    },
    axes: [
      { stroke: muted, font, grid: { show: false }, ticks: { stroke: line, size: 4 }, size: 26, space: 70, values: clockLabels },
      {
        stroke: muted,
        font,
        grid: { stroke: line, width: 1 },
        ticks: { show: false },
        size: 62,
        space: 34,
        ...((unit === 'bytes' || unit === 'bytesPerSecond') && { incrs: binarySteps }),
        ...(unit === 'count' && { incrs: wholeSteps }),
        values: (_, splits) => splits.map((value) => format(value)),
      },
    ],
    series: [
      {},
      ...data.lines.map((_, i) => ({
        stroke: colour(lineColours[i] ?? '--muted'),
        width: 1.5,
        points: { show: true, size: 4, filter: alone },
        spanGaps: false,
        ...(area && { fill: translucent(colour(lineColours[i] ?? '--muted')) }),
      })),
    ],
    hooks: { setCursor: [({ cursor: { idx } }) => onPoint(idx ?? undefined)] },
  }
}

/** Of what is counted there is no half. */
const wholeSteps = [1, 2, 5].flatMap((n) => Array.from({ length: 10 }, (_, power) => n * 10 ** power)).sort((a, b) => a - b)

/** 1, 2, 4, 8, 16, 32 … of each binary unit, so that the axis has whole numbers of them. */
const binarySteps = Array.from({ length: 44 }, (_, power) => 2 ** power)

/** Samples without a neighbour, which no line goes through. */
function alone(plot: uPlot, line: number): number[] {
  const values = plot.data[line] ?? []
  const isThere = (i: number): boolean => values[i] !== null && values[i] !== undefined
  return Array.from(values.keys()).filter((i) => isThere(i) && !isThere(i - 1) && !isThere(i + 1))
}

const translucent = (rgb: string): string => rgb.replace(/^rgb\((.*)\)$/, 'rgba($1, 0.12)')

const hourAndMinute = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
const dayAndMonth = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })
const clockLabels = (_: uPlot, splits: readonly number[]): string[] => {
  const days = spans[span.peek()].ms > 2 * 86_400_000
  return splits.map((time) => (days ? dayAndMonth : hourAndMinute).format(new Date(time * 1_000)))
}

export const SpanPicker = () => (
  <Segments
    label="Time shown"
    value={span.value}
    options={spanNames.map((name) => [name, name] as const)}
    onChange={(value) => (span.value = value)}
  />
)
