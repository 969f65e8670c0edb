/** Begins: who looks, then the stream, then the pages. */
import { effect } from '@preact/signals'
import { render } from 'preact'
import { App } from './app.tsx'
import { startLive, stopLive } from './lib/live.ts'
import { begin, state } from './lib/session.ts'

const root = document.getElementById('app')
if (root) render(<App />, root)
effect(() => {
  if (state.value === 'signedIn') startLive()
  else stopLive()
})
void begin()
