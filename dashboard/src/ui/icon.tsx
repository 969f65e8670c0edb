/** Icons as strokes on a grid of 16, and the shapes of the states: a state is told by its shape as well as by its colour. */
const paths = {
  overview: 'M2.5 8.5 8 3l5.5 5.5M4 7.5V13h8V7.5',
  services: 'M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.01M5 11h.01',
  traffic: 'M3 4h3l4 8h3M3 12h3l1.2-2.4M8.8 6.4 10 4h3M11.5 2.5 13 4l-1.5 1.5M11.5 10.5 13 12l-1.5 1.5',
  scaling: 'M3 13V9M7 13V6M11 13V3M2 14.5h12',
  cache: 'M8 2.5c3 0 5 .8 5 2s-2 2-5 2-5-.8-5-2 2-2 5-2zM3 4.5v7c0 1.2 2 2 5 2s5-.8 5-2v-7M3 8c0 1.2 2 2 5 2s5-.8 5-2',
  node: 'M3 3h10v7H3zM6 13h4M8 10v3',
  events: 'M5 4h8.5M5 8h8.5M5 12h8.5M2.5 4h.01M2.5 8h.01M2.5 12h.01',
  audit: 'M8 2 3 4v4c0 3 2 5 5 6 3-1 5-3 5-6V4zM6 8l1.5 1.5L10.5 6.5',
  settings: 'M3 4.5h4M11 4.5h2M3 8h7M13 8h.01M3 11.5h2M9 11.5h4M9 3v3M11.5 6.5v3M7 10v3',
  alerts: 'M8 2.5a4 4 0 0 1 4 4V10l1.5 2h-11L4 10V6.5a4 4 0 0 1 4-4zM6.7 14h2.6',
  incidents: 'M8 2.5 14 13H2zM8 6.5v3M8 11.3h.01',
  silences: 'M3 6v4h2.5L9 13V3L5.5 6zM11.5 6.5l3 3M14.5 6.5l-3 3',
  checks: 'M2 8h3l1.5-4 3 8L11 8h3',
  rules: 'M3 3h10v10H3zM5.5 8l2 2 3.5-4',
  dependencies:
    'M4 4.5h.01M12 4.5h.01M8 12h.01M5.5 4.5h5M5 6l2.2 4.2M11 6l-2.2 4.2M4 3a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3zM12 3a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3zM8 10.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3z',
  profiles: 'M8 2c.5 2.5 3.5 4 3.5 7.2A3.5 3.5 0 0 1 8 13a3.5 3.5 0 0 1-3.5-3.6C4.5 7.5 6 7 6 5c1 .5 1.5 1.2 1.5 2.2',
  menu: 'M2.5 4.5h11M2.5 8h11M2.5 11.5h11',
  close: 'M4 4l8 8M12 4l-8 8',
  sun: 'M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6zM8 1.5v1.5M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1',
  moon: 'M13 9.5A5.5 5.5 0 1 1 6.5 3 4.5 4.5 0 0 0 13 9.5z',
  system: 'M2.5 3.5h11v7h-11zM6 13h4M8 10.5V13',
  user: 'M8 3a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5zM3.5 13.5c.5-2.5 2.3-3.5 4.5-3.5s4 1 4.5 3.5',
  help: 'M6 6a2 2 0 1 1 2.8 1.9c-.6.3-.8.6-.8 1.3M8 11.5h.01',
  refresh: 'M13 8a5 5 0 1 1-1.5-3.6M13 2.5v2.7h-2.7',
  search: 'M7 3a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM10 10l3.5 3.5',
  chevron: 'M6 4l4 4-4 4',
} as const
export type IconName = keyof typeof paths

export const Icon = ({ name, size = 16 }: { name: IconName; size?: number }) => (
  <svg
    width={size}
    height={size}
    viewBox="0 0 16 16"
    fill="none"
    stroke="currentColor"
    stroke-width="1.4"
    stroke-linecap="round"
    stroke-linejoin="round"
    aria-hidden="true"
  >
    <path d={paths[name]} />
  </svg>
)

export type Tone = 'ok' | 'warn' | 'bad' | 'info' | 'quiet'
const shapes: Record<Tone, string> = {
  ok: 'M5 1a4 4 0 1 0 0 8 4 4 0 0 0 0-8z',
  warn: 'M5 .8 9.6 9H.4z',
  bad: 'M1.2 1.2h7.6v7.6H1.2z',
  info: 'M5 .6 9.4 5 5 9.4 .6 5z',
  quiet: 'M5 1.6a3.4 3.4 0 1 0 0 6.8 3.4 3.4 0 0 0 0-6.8zM5 3a2 2 0 1 1 0 4 2 2 0 0 1 0-4z',
}

export const Shape = ({ tone, size = 10 }: { tone: Tone; size?: number }) => (
  <svg width={size} height={size} viewBox="0 0 10 10" fill="currentColor" fill-rule="evenodd" aria-hidden="true">
    <path d={shapes[tone]} />
  </svg>
)
