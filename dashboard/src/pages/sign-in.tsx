/** For whoever is not signed in. */
import { useState } from 'preact/hooks'
import { complaint, signIn } from '../lib/session.ts'
import { Logo } from '../app.tsx'

export function SignIn() {
  const [given, setGiven] = useState('')
  const [trying, setTrying] = useState(false)
  const submit = (event: SubmitEvent): void => {
    event.preventDefault()
    setTrying(true)
    void signIn(given).finally(() => setTrying(false))
  }
  return (
    <main class="sign-in">
      <div class="card">
        <div class="row">
          <Logo size={28} />
          <h1>Holdfast</h1>
        </div>
        <p>
          Open the link that <code>holdfast up</code> prints: it signs you in, once. Or paste a token, an API key or that link here.
        </p>
        {complaint.value !== undefined && (
          <div class="notice bad" role="alert">
            {complaint.value}
          </div>
        )}
        <form onSubmit={submit}>
          <label class="field">
            <span>Token, API key or login link</span>
            <input
              type="password"
              name="credential"
              autocomplete="off"
              spellcheck={false}
              required
              value={given}
              onInput={(event) => setGiven(event.currentTarget.value)}
            />
          </label>
          <button type="submit" class="button primary" disabled={trying}>
            {trying ? 'Signing in…' : 'Sign in'}
          </button>
        </form>
        <p class="muted small">
          A token, made on the machine itself: <code class="break">holdfast token create --role viewer</code>
        </p>
        <p class="small">
          <a href="/api/docs">API documentation</a> · <a href="/metrics">Metrics</a> · <a href="/api/infrastructure/health">Health</a> ·{' '}
          <a href="/status">Status page</a>
        </p>
      </div>
    </main>
  )
}
