/** The frame of a page and of what is on it. */
import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import { openAlerts, system } from '../lib/live.ts'
import { href } from '../lib/router.ts'

interface PageProps {
  readonly title: string
  /** Where it belongs: `['/services', 'Services']`. */
  readonly under?: readonly [string, string]
  readonly beside?: ComponentChildren
  readonly actions?: ComponentChildren
  readonly children: ComponentChildren
}

export function Page({ title, under, beside, actions, children }: PageProps) {
  const name = system.value?.name
  const alerts = openAlerts.value
  useEffect(() => {
    document.title = `${alerts > 0 ? `(${alerts}) ` : ''}${[title, name, 'Holdfast'].filter(Boolean).join(' · ')}`
  }, [title, name, alerts])
  return (
    <>
      <div class="page-head">
        <div class="titles">
          <h1>
            {under && (
              <a class="crumb" href={href(under[0])}>
                {under[1]}
              </a>
            )}
            {under && ' '}
            {title}
          </h1>
          {beside}
        </div>
        {actions !== undefined && <div class="actions">{actions}</div>}
      </div>
      <div class="stack">{children}</div>
    </>
  )
}

export const Card = ({
  title,
  beside,
  children,
  flush = false,
}: {
  title?: string
  beside?: ComponentChildren
  children: ComponentChildren
  flush?: boolean
}) => (
  <section class="card" aria-label={title}>
    {title !== undefined && (
      <header>
        <h2>{title}</h2>
        <span class="spring" />
        {beside}
      </header>
    )}
    {flush ? children : <div class="body">{children}</div>}
  </section>
)

export const Tile = ({
  name,
  value,
  unit,
  note,
  tone,
}: {
  name: string
  value: ComponentChildren
  unit?: string
  note?: ComponentChildren
  tone?: 'warn' | 'bad' | undefined
}) => (
  <div class={`tile ${tone ?? ''}`}>
    <span class="name">{name}</span>
    <span class="value">
      {value}
      {unit !== undefined && <small> {unit}</small>}
    </span>
    {note !== undefined && <span class="note">{note}</span>}
  </div>
)

export const Tabs = ({ tabs, current }: { tabs: readonly (readonly [string, string])[]; current: string }) => (
  <nav class="tabs" aria-label="Parts of this page">
    {tabs.map(([to, name]) => (
      <a key={to} href={href(to)} aria-current={to === current ? 'page' : undefined}>
        {name}
      </a>
    ))}
  </nav>
)

export function Segments<T extends string>({
  label,
  options,
  value,
  onChange,
}: {
  label: string
  options: readonly (readonly [T, string])[]
  value: T
  onChange: (value: T) => void
}) {
  return (
    <div class="segments" role="group" aria-label={label}>
      {options.map(([option, name]) => (
        <button type="button" key={option} aria-pressed={option === value} onClick={() => onChange(option)}>
          {name}
        </button>
      ))}
    </div>
  )
}
