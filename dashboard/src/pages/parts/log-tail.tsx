/** What the instances of a service print, as they print it. Follows the end while the reader is at the end; held while they read further up. */
import { signal } from '@preact/signals'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { follow } from '../../lib/event-source.ts'
import { moment, utc } from '../../lib/format.ts'
import { instancesOf } from '../../lib/live.ts'
import { sayError } from '../../lib/api.ts'
import { Card } from '../../ui/page.tsx'

const linesMax = 2_000

interface LogLine {
  readonly time: number
  readonly instance: string
  readonly stream: 'stdout' | 'stderr'
  readonly text: string
}

export function LogTail({ service }: { service: string }) {
  const [instance, setInstance] = useState('')
  const [grep, setGrep] = useState('')
  const box = useRef<HTMLDivElement>(null)
  const lines = useMemo(() => signal<readonly LogLine[]>([]), [service, instance, grep])
  const broken = useMemo(() => signal<string | undefined>(undefined), [service, instance, grep])
  useEffect(() => {
    let waiting: LogLine[] = []
    const flush = (): void => {
      if (waiting.length === 0) return
      lines.value = [...lines.peek(), ...waiting].slice(-linesMax)
      waiting = []
    }
    const timer = setInterval(flush, 150)
    const source = follow(`/services/${encodeURIComponent(service)}/logs`, {
      query: { follow: true, limit: 300, instance, grep },
      onOpen: () => {
        broken.value = undefined
        waiting = []
        lines.value = []
      },
      onMessage: (line, event) => {
        if (event !== 'message') return
        waiting.push(line as LogLine)
        // A hidden page draws seldom.
        if (waiting.length > linesMax * 2) waiting = waiting.slice(-linesMax)
      },
      onBreak: (error) => {
        broken.value = sayError(error)
      },
    })
    return () => {
      clearInterval(timer)
      source[Symbol.dispose]()
    }
  }, [lines])
  return (
    <Card
      title="Output"
      flush
      beside={
        <div class="row">
          <select aria-label="Instance" value={instance} onChange={(event) => setInstance(event.currentTarget.value)}>
            <option value="">All instances</option>
            {instancesOf(service).map((id) => (
              <option key={id} value={id}>
                {id}
              </option>
            ))}
          </select>
          <input
            type="search"
            aria-label="Lines that contain"
            placeholder="Lines that contain"
            value={grep}
            onChange={(event) => setGrep(event.currentTarget.value)}
          />
        </div>
      }
    >
      {broken.value !== undefined && <div class="notice warn">The stream has broken ({broken.value}); it is tried again.</div>}
      <Lines lines={lines.value} box={box} />
    </Card>
  )
}

function Lines({ lines, box }: { lines: readonly LogLine[]; box: { current: HTMLDivElement | null } }) {
  const atEnd = useRef(true)
  useEffect(() => {
    const element = box.current
    if (element && atEnd.current) element.scrollTop = element.scrollHeight
  }, [lines])
  const look = (): void => {
    const element = box.current
    if (element) atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < 30
  }
  return (
    <div class="log" ref={box} onScroll={look} tabIndex={0} role="log" aria-live="off" aria-label="Lines">
      {lines.length === 0 && <span class="muted">Nothing has been printed, or nothing that fits.</span>}
      {lines.map(({ time, instance, stream, text }, i) => (
        <div key={i}>
          <span class="time" title={utc(time)}>
            {moment(time)}
          </span>{' '}
          <span class="source">{instance}</span> <span class={stream === 'stderr' ? 'stderr' : undefined}>{text}</span>
        </div>
      ))}
    </div>
  )
}
