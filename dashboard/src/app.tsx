/** The frame around every page: where one can go, whether what is shown is live, who looks. */
import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { moment } from './lib/format.ts'
import { connection, complete, staleSince, system } from './lib/live.ts'
import { match, path } from './lib/router.ts'
import { self, signOut, state, unreachable } from './lib/session.ts'
import { nextTheme, theme } from './lib/theme.ts'
import { navigation, pages, type PageEntry } from './pages/index.ts'
import { ConfirmHost } from './ui/confirm.tsx'
import { HelpDialog, openHelp } from './ui/help.tsx'
import { Icon, type IconName } from './ui/icon.tsx'
import { EmptyState, Loading } from './ui/states.tsx'
import { Toasts } from './ui/toast.tsx'
import { href } from './lib/router.ts'
import { Page } from './ui/page.tsx'
import { SignIn } from './pages/sign-in.tsx'

const menuOpen = signal(false)

export function App() {
  if (state.value === 'starting') return <Starting />
  if (state.value === 'signedOut') return <SignIn />
  return (
    <>
      <button type="button" class="button primary skip" onClick={() => document.querySelector<HTMLElement>('main')?.focus()}>
        Skip to the content
      </button>
      <div class="shell">
        <Side />
        {menuOpen.value && <div class="scrim" onClick={() => (menuOpen.value = false)} />}
        <Top />
        <main class="main" tabIndex={-1}>
          <CurrentPage />
        </main>
      </div>
      <ConfirmHost />
      <HelpDialog />
      <Toasts />
    </>
  )
}

const Starting = () =>
  unreachable.value === undefined ? (
    <div aria-busy="true" />
  ) : (
    <main class="sign-in">
      <div class="state error" role="alert">
        <strong>The control process does not answer</strong>
        <p>{unreachable.value}. Services and the balancer go on without it. This page tries again by itself.</p>
      </div>
    </main>
  )

/** The page of the address, and its parameters. */
function found(): readonly [PageEntry, Readonly<Record<string, string>>] | undefined {
  for (const page of pages) {
    const params = match(page.path, path.value)
    if (params) return [page, params]
  }
  return undefined
}

function CurrentPage() {
  const at = path.value
  useEffect(() => {
    menuOpen.value = false
    scrollTo(0, 0)
  }, [at])
  const page = found()
  if (!page) {
    return (
      <Page title="No such page">
        <EmptyState title="There is no page here">
          See the <a href={href('/')}>overview</a>.
        </EmptyState>
      </Page>
    )
  }
  if (!complete.value) return <Waiting />
  const [{ view: View }, params] = page
  return <View key={at} {...params} />
}

const Waiting = () =>
  connection.value === 'broken' ? (
    <div class="state error" role="alert">
      <strong>The control process cannot be reached</strong>
      <p>Services and the balancer go on without it. This page tries again by itself.</p>
    </div>
  ) : (
    <div class="stack">
      <Loading height={32} />
      <Loading height={82} />
      <Loading height={260} />
    </div>
  )

function Side() {
  const at = path.value
  return (
    <nav class={`side ${menuOpen.value ? 'open' : ''}`} id="navigation" aria-label="Pages">
      <a class="brand" href={href('/')}>
        <Logo /> Holdfast
      </a>
      {navigation.map(([group, entries]) => (
        <div class="nav-group" key={group}>
          {group !== '' && <h2>{group}</h2>}
          {entries.map(({ path: to, nav }) => (
            <a key={to} class="nav-link" href={href(to)} aria-current={to === at || (to !== '/' && at.startsWith(`${to}/`)) ? 'page' : undefined}>
              <Icon name={nav.icon} />
              {nav.label}
              {nav.count && <nav.count />}
            </a>
          ))}
        </div>
      ))}
      <p class="foot">
        {system.value ? `Version ${system.value.version}` : ''}
        <br />
        <a href="/api/docs">API</a> · <a href="/status">Status page</a>
      </p>
    </nav>
  )
}

export const Logo = ({ size = 22 }: { size?: number }) => (
  <svg width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
    <rect width="16" height="16" rx="3.5" fill="#1f5e70" />
    <path d="M5 3.5v9M11 3.5v9M5 8h6" stroke="#fff" stroke-width="2" />
  </svg>
)

const themeIcons: Record<string, IconName> = { system: 'system', light: 'sun', dark: 'moon' }

function Top() {
  const { name, region } = system.value ?? {}
  return (
    <header class="top">
      <button
        type="button"
        class="button quiet icon menu"
        aria-label="Menu"
        aria-expanded={menuOpen.value}
        aria-controls="navigation"
        onClick={() => (menuOpen.value = !menuOpen.value)}
      >
        <Icon name="menu" size={18} />
      </button>
      <div class="where">
        <span class="truncate">{name}</span>
        <span class="muted small region">{region}</span>
      </div>
      <span class="spring" />
      <Connection />
      <button
        type="button"
        class="button quiet icon"
        aria-label={`Colours: ${theme.value}. Change`}
        title={`Colours: ${theme.value}`}
        onClick={nextTheme}
      >
        <Icon name={themeIcons[theme.value] ?? 'system'} />
      </button>
      <button type="button" class="button quiet icon" aria-label="Help" title="Help (?)" onClick={openHelp}>
        <Icon name="help" />
      </button>
      <button type="button" class="button quiet" popovertarget="account" aria-label={`Account: ${self.value?.role ?? ''}`}>
        <Icon name="user" />
        <span class="who">{self.value?.role}</span>
      </button>
      <div popover="auto" id="account" class="menu-popover">
        <div class="row">
          <strong>{self.value?.name}</strong>
          <span class="muted">{self.value?.role}</span>
        </div>
        <button type="button" class="button quiet" onClick={signOut}>
          Sign out
        </button>
      </div>
    </header>
  )
}

/** The region stays while its text changes, so that a reader of the screen is told. */
function Connection() {
  const since = staleSince.value
  const text =
    connection.value === 'live'
      ? 'Live'
      : connection.value === 'connecting'
        ? 'Connecting…'
        : since === undefined
          ? 'Not connected'
          : `Stale since ${moment(since)}`
  return (
    <span
      class={`connection ${connection.value}`}
      role="status"
      title={
        connection.value === 'broken'
          ? 'The stream of the control process has broken; what is shown does not change. It is tried again by itself.'
          : undefined
      }
    >
      {text}
    </span>
  )
}
